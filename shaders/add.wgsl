// out = a + b (residual connections), and out += a (gradients that arrive by several paths).
//
// One invocation computes four elements; past the end lies padding. a, b, out: (4·fours).

/// f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { fours: u32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4<real>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<real>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<real>>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i < shape.fours) { out[i] = vec4<real>(vec4f(a[i]) + vec4f(b[i])); }
}

@compute @workgroup_size(lanes)
fn accumulate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i < shape.fours) { out[i] = vec4<real>(vec4f(out[i]) + vec4f(a[i])); }
}
