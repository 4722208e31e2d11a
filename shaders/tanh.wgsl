// out = tanh(x), and d_x = d_out·(1 - out²).
//
// One invocation computes four elements; past the end lies padding. x, out, d_out, d_x: (4·fours).

/// f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { fours: u32 }

override accumulate: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<real>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<real>>;
@group(0) @binding(3) var<storage, read> d_out: array<vec4<real>>;
@group(0) @binding(4) var<storage, read_write> d_x: array<vec4<real>>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.fours) { return; }
  let v = vec4f(x[i]);
  // Beyond ±10 tanh is ±1 in f32, and some drivers' tanh overflows. What is no number stays none.
  let y = tanh(clamp(v, vec4f(-10), vec4f(10)));
  out[i] = vec4<real>(select(v, y, abs(v) >= vec4f()));
}

@compute @workgroup_size(lanes)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.fours) { return; }
  let y = vec4f(out[i]);
  var d = vec4f(d_out[i]) * (1 - y * y);
  if (accumulate) { d += vec4f(d_x[i]); }
  d_x[i] = vec4<real>(d);
}
