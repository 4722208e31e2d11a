// Rows of another length: filled up with zeros to whole texels of four numbers, and back.
//
//   pack:    out[r, j] = x[r, 4j .. 4j+3], zero beyond the last column, as texel r·stride + j of a
//            texture that is 2048 texels wide. One invocation writes one texel.
//   unpack:  y[r, c] = padded[r, c] for c < columns. One invocation copies one element.
//
// x, y: (rows, columns). padded: (rows, 4·stride).

/// f32, or f16 (see src/gpu/kernel.ts); texels are f32.
alias real = f32;

struct Shape { rows: u32, columns: u32, stride: u32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<real>;
@group(0) @binding(2) var out: texture_storage_2d<rgba32float, write>;
@group(0) @binding(1) var<storage, read> padded: array<real>;
@group(0) @binding(2) var<storage, read_write> y: array<real>;

@compute @workgroup_size(lanes)
fn pack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let texel = id.x + id.y * groups.x * lanes;
  let columns = shape.columns;
  let stride = shape.stride;
  if (texel >= shape.rows * stride) { return; }
  let column = texel % stride * 4u;
  let i = texel / stride * columns + column;
  var value = vec4f();
  if (column < columns) { value.x = f32(x[i]); }
  if (column + 1u < columns) { value.y = f32(x[i + 1u]); }
  if (column + 2u < columns) { value.z = f32(x[i + 2u]); }
  if (column + 3u < columns) { value.w = f32(x[i + 3u]); }
  textureStore(out, vec2u(texel % 2048u, texel / 2048u), value);
}

@compute @workgroup_size(lanes)
fn unpack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  let columns = shape.columns;
  if (i >= shape.rows * columns) { return; }
  y[i] = padded[i / columns * shape.stride * 4u + i % columns];
}
