// out = x as another type, times a factor if there is one: the f16 copies of f32 weights, and the way
// between what computes in f16 and what does not.
//
// f32 is rounded to the nearest f16, and to infinity beyond 65504.
// One invocation converts four elements; past the end lies padding. x, out: (4·fours). factor: (1).

/// Of x, and of out: f32, or f16 (see src/gpu/kernel.ts).
alias real = f32;
alias result = f32;

struct Shape { fours: u32 }

override has_factor: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<real>>;
@group(0) @binding(2) var<storage, read> factor: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<result>>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.fours) { return; }
  var v = vec4f(x[i]);
  if (has_factor) { v *= factor[0]; }
  out[i] = vec4<result>(v);
}
