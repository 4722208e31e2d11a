// out[i] = x[rows[i]], and d_x[rows[i]] += d_out[i]: the rows that a head looks at, such as the first
// of each sequence or the masked ones. No row may be named twice, or two invocations would add to it.
//
// One invocation copies one element. rows: (count). x, d_x: (…, columns). out, d_out: (count, columns).

/// f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { count: u32, columns: u32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> rows: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<real>;
@group(0) @binding(3) var<storage, read_write> out: array<real>;
@group(0) @binding(4) var<storage, read> d_out: array<real>;
@group(0) @binding(5) var<storage, read_write> d_x: array<real>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y + id.z * groups.y;
  if (id.x >= shape.columns || i >= shape.count) { return; }
  out[i * shape.columns + id.x] = x[rows[i] * shape.columns + id.x];
}

@compute @workgroup_size(lanes)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y + id.z * groups.y;
  if (id.x >= shape.columns || i >= shape.count) { return; }
  let at = rows[i] * shape.columns + id.x;
  d_x[at] = real(f32(d_x[at]) + f32(d_out[i * shape.columns + id.x]));
}
