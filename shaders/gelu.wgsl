// GELU (Hendrycks & Gimpel 2016, arXiv:1606.08415): gelu(x) = x·Φ(x), with Φ the normal distribution.
//
//   erf:   Φ(x) = (1 + erf(x/√2)) / 2
//   tanh:  Φ(x) ≈ (1 + tanh(u)) / 2 = 1 / (1 + exp(-2u)),  u = √(2/π)·(x + 0.044715·x³)   ("gelu_new")
//
// One invocation computes four elements; past the end lies padding. x, out, d_out, d_x: (4·fours). erf after Abramowitz & Stegun
// 7.1.26 would be off by 1.5e-7 absolutely, and by much more relatively for x far below zero: so the
// tail erfc is computed by a rational fit of its own (Numerical Recipes, erfcc: 1.2e-7 relative).

/// f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { fours: u32 }

override exact: bool = false;
override accumulate: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<real>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<real>>;
@group(0) @binding(3) var<storage, read> d_out: array<vec4<real>>;
@group(0) @binding(4) var<storage, read_write> d_x: array<vec4<real>>;

const SQRT_2_OVER_PI = 0.7978845608028654;
const INVERSE_SQRT_2 = 0.7071067811865476;
const INVERSE_SQRT_2_PI = 0.3989422804014327;

fn erfc_positive(z: vec4f) -> vec4f {
  let t = 1 / (1 + 0.5 * z);
  let p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 +
    t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  return t * exp(-z * z + p);
}

/// Φ(x).
fn normal_cdf(x: vec4f) -> vec4f {
  let half_tail = 0.5 * erfc_positive(abs(x) * INVERSE_SQRT_2);
  return select(half_tail, 1 - half_tail, x > vec4f());
}

/// exp(-2u): what is small stays exact, where 1 + tanh(u) would cancel. e⁸⁰ is no infinity yet.
fn tail(x: vec4f) -> vec4f {
  return exp(clamp(-2 * SQRT_2_OVER_PI * (x + 0.044715 * x * x * x), vec4f(-80), vec4f(80)));
}

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.fours) { return; }
  let v = vec4f(x[i]);
  if (exact) { out[i] = vec4<real>(v * normal_cdf(v)); }
  else { out[i] = vec4<real>(v / (1 + tail(v))); }
}

// erf:   gelu'(x) = Φ(x) + x·exp(-x²/2)/√(2π)
// tanh:  gelu'(x) = Φ(x) + x·2Φ(x)·(1 - Φ(x))·√(2/π)·(1 + 3·0.044715·x²)
@compute @workgroup_size(lanes)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.fours) { return; }
  let v = vec4f(x[i]);
  var slope: vec4f;
  if (exact) {
    slope = normal_cdf(v) + v * INVERSE_SQRT_2_PI * exp(-0.5 * v * v);
  } else {
    let e = tail(v);
    let phi = 1 / (1 + e);
    slope = phi + v * 2 * phi * (e * phi) * SQRT_2_OVER_PI * (1 + 0.134145 * v * v);
  }
  var d = vec4f(d_out[i]) * slope;
  if (accumulate) { d += vec4f(d_x[i]); }
  d_x[i] = vec4<real>(d);
}
