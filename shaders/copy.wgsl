// out = x: what the memory of an adapter can do, and no arithmetic.
//
// One invocation copies four elements. x, out: (4·fours).

struct Shape { fours: u32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i < shape.fours) { out[i] = x[i]; }
}
