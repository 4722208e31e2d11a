// out[into[i]] = x[rows[i]]: rows of one tensor put in the place of rows of another, such as the output of
// one head in a run whose other heads are left alone. No row of out may be named twice, or two invocations
// would write it; rows that are not named keep what they hold.
//
// One invocation copies one element. rows, into: (count). x, out: (…, columns).

struct Shape { count: u32, columns: u32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> rows: array<u32>;
@group(0) @binding(2) var<storage, read> into: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y + id.z * groups.y;
  if (id.x >= shape.columns || i >= shape.count) { return; }
  out[into[i] * shape.columns + id.x] = x[rows[i] * shape.columns + id.x];
}
