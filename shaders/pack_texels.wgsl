// out[r, j] = x[r, 4j .. 4j+3], zero beyond the last column: the rows of a matrix as texels of four
// numbers, for rows that are no multiple of four long (others are copied without a shader).
//
// One invocation writes one texel. x: (rows, columns). out: texel r·stride + j, in rows of 2048.

struct Shape { rows: u32, columns: u32, stride: u32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var out: texture_storage_2d<rgba32float, write>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let texel = id.x + id.y * groups.x * lanes;
  let columns = shape.columns;
  let stride = shape.stride;
  if (texel >= shape.rows * stride) { return; }
  let column = texel % stride * 4u;
  let i = texel / stride * columns + column;
  var value = vec4f(x[i], 0, 0, 0);
  if (column + 1u < columns) { value.y = x[i + 1u]; }
  if (column + 2u < columns) { value.z = x[i + 2u]; }
  if (column + 3u < columns) { value.w = x[i + 3u]; }
  textureStore(out, vec2u(texel % 2048u, texel / 2048u), value);
}
