// AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2), with g the clipped gradient:
//
//   value ← value·(1 - lr·decay)
//   m ← β₁·m + (1 - β₁)·g        v ← β₂·v + (1 - β₂)·g²
//   value ← value - lr·(m/(1 - β₁ᵗ)) / (√(v/(1 - β₂ᵗ)) + ε)
//
// The complements 1 - β come from the host: in f32, 1 - 0.999 would be off by 1e-5.
// A step whose gradient norm is not finite changes nothing: clip[2] says so (gradient_norm.wgsl).
// One invocation updates four elements; past the end lies padding. value, gradient, m, v: (4·fours).

struct Shape {
  fours: u32,
  lr: f32,
  beta1: f32,
  beta2: f32,
  complement1: f32,
  complement2: f32,
  epsilon: f32,
  decay: f32,
  correction1: f32,
  correction2: f32,
}

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read_write> value: array<vec4f>;
@group(0) @binding(2) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(5) var<storage, read> clip: array<f32>;

@compute @workgroup_size(lanes)
fn update(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.fours || clip[2] != 0) { return; }
  let g = gradient[i] * clip[1];
  let m1 = shape.beta1 * m[i] + shape.complement1 * g;
  let v1 = shape.beta2 * v[i] + shape.complement2 * g * g;
  m[i] = m1;
  v[i] = v1;
  let decayed = value[i] * (1 - shape.lr * shape.decay);
  value[i] = decayed - shape.lr * (m1 / shape.correction1) / (sqrt(v1 / shape.correction2) + shape.epsilon);
}
