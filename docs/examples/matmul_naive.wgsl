// out = a · b, with a (m, k), b (k, n) and out (m, n), all row by row.
//
// One invocation computes one number of out, and reads from memory whatever it needs.

struct Shape { m: u32, n: u32, k: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.n || id.y >= shape.m) { return; }
  var sum = 0.0;
  for (var i = 0u; i < shape.k; i++) {
    sum += a[id.y * shape.k + i] * b[i * shape.n + id.x];
  }
  out[id.y * shape.n + id.x] = sum;
}
