// Nonlinearities other than GELU (which gelu.wgsl and the kernels of products have): out = f(x), and
// d_x = f'(x)·d_out. σ(x) = 1/(1 + exp(-x)), sp(x) = log(1 + exp(x)), Φ the normal distribution.
//
//   0 relu:       max(x, 0)                       5 hardswish:     x·min(max(x + 3, 0), 6)/6
//   1 relu2:      max(x, 0)²                      6 mish:          x·tanh(sp(x))
//   2 relu6:      min(max(x, 0), 6)               7 sigmoid:       σ(x)
//   3 leaky_relu: x if x > 0, else 0.01·x         8 tanh:          tanh(x)
//   4 silu:       x·σ(x)                          9 laplace:       Φ((x - 0.707107)/0.282095)
//  10 quick_gelu: x·σ(1.702·x)                   11 sqrtsoftplus:  √sp(x)
//  12 gelu_10:    x·Φ(x), no further than ±10
//
// At a kink the slope is PyTorch's: 0 at both ends of relu, relu6 and gelu_10. One invocation computes four
// elements; past the end lies padding. x, out, d_out, d_x: (4·fours). The tail of Φ is that of gelu.wgsl.

/// f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { fours: u32 }

override kind: u32 = 0;
override accumulate: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<real>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<real>>;
@group(0) @binding(3) var<storage, read> d_out: array<vec4<real>>;
@group(0) @binding(4) var<storage, read_write> d_x: array<vec4<real>>;

const INVERSE_SQRT_2 = 0.7071067811865476;
const INVERSE_SQRT_2_PI = 0.3989422804014327;
const LAPLACE_MEAN = 0.707107;
const LAPLACE_STD = 0.282095;

fn erfc_positive(z: vec4f) -> vec4f {
  let t = 1 / (1 + 0.5 * z);
  let p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 +
    t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  return t * exp(-z * z + p);
}

/// Φ(x).
fn normal_cdf(v: vec4f) -> vec4f {
  let half_tail = 0.5 * erfc_positive(abs(v) * INVERSE_SQRT_2);
  return select(half_tail, 1 - half_tail, v > vec4f());
}

/// Φ'(x).
fn normal_density(v: vec4f) -> vec4f { return INVERSE_SQRT_2_PI * exp(-0.5 * v * v); }

/// exp(x), of which neither the sum with one nor the square is infinite.
fn bounded_exp(v: vec4f) -> vec4f { return exp(clamp(v, vec4f(-80), vec4f(40))); }

fn sigmoid(v: vec4f) -> vec4f { return 1 / (1 + exp(clamp(-v, vec4f(-80), vec4f(80)))); }

/// log(1 + y) for y from 0 to 1, as 2·artanh(y/(2 + y)): what is small stays exact.
fn log_one_plus(y: vec4f) -> vec4f {
  let s = y / (2 + y);
  let q = s * s;
  return 2 * s * (1 + q * (0.33333333333 + q * (0.2 + q * (0.14285714286 + q * (0.11111111111 +
    q * (0.09090909091 + q * (0.07692307692 + q * 0.06666666667)))))));
}

/// sp(x).
fn softplus(v: vec4f) -> vec4f {
  return max(v, vec4f()) + log_one_plus(exp(max(-abs(v), vec4f(-80))));
}

/// tanh(x); 1 - 2/(exp(2x) + 1) loses what is near zero, where the series is exact.
fn tanh_of(v: vec4f) -> vec4f {
  let q = v * v;
  let near = v * (1 - q * (0.33333333333 - q * (0.13333333333 - q * 0.05396825397)));
  let far = 1 - 2 / (1 + exp(2 * min(abs(v), vec4f(20))));
  return select(sign(v) * far, near, q < vec4f(0.0144));
}

fn value(v: vec4f) -> vec4f {
  let zero = vec4f();
  switch (kind) {
    case 0u: { return max(v, zero); }
    case 1u: { let r = max(v, zero); return r * r; }
    case 2u: { return clamp(v, zero, vec4f(6)); }
    case 3u: { return select(0.01 * v, v, v > zero); }
    case 4u: { return v * sigmoid(v); }
    case 5u: { return v * clamp(v + 3, zero, vec4f(6)) / 6; }
    case 6u: {
      // tanh(log(1 + n)) = w/(w + 2) with n = exp(x), w = n² + 2n.
      let n = bounded_exp(v);
      let w = n * (n + 2);
      return v * (w / (w + 2));
    }
    case 7u: { return sigmoid(v); }
    case 8u: { return tanh_of(v); }
    case 9u: { return normal_cdf((v - LAPLACE_MEAN) / LAPLACE_STD); }
    case 10u: { return v * sigmoid(1.702 * v); }
    case 11u: { return sqrt(softplus(v)); }
    default: { return clamp(v * normal_cdf(v), vec4f(-10), vec4f(10)); }
  }
}

fn slope(v: vec4f) -> vec4f {
  let zero = vec4f();
  let one = vec4f(1);
  switch (kind) {
    case 0u: { return select(zero, one, v > zero); }
    case 1u: { return 2 * max(v, zero); }
    case 2u: { return select(zero, one, v > zero & v < vec4f(6)); }
    case 3u: { return select(vec4f(0.01), one, v > zero); }
    case 4u: { let s = sigmoid(v); return s + v * s * sigmoid(-v); }
    case 5u: {
      let bend = v / 3 + 0.5;
      return select(select(one, bend, v < vec4f(3)), zero, v <= vec4f(-3));
    }
    case 6u: {
      let n = bounded_exp(v);
      let w = n * (n + 2);
      // 1 - tanh² = 4·(w + 1)/(w + 2)², in factors that are no infinity.
      return w / (w + 2) + v * sigmoid(v) * (4 * ((w + 1) / (w + 2)) / (w + 2));
    }
    case 7u: { return sigmoid(v) * sigmoid(-v); }
    case 8u: { let t = tanh_of(v); return (1 - t) * (1 + t); }
    case 9u: {
      return normal_density((v - LAPLACE_MEAN) / LAPLACE_STD) / LAPLACE_STD;
    }
    case 10u: { let s = sigmoid(1.702 * v); return s + 1.702 * v * s * sigmoid(-1.702 * v); }
    case 11u: { return 0.5 * sigmoid(v) / sqrt(softplus(v)); }
    default: {
      let inside = normal_cdf(v) + v * normal_density(v);
      return select(zero, inside, v * normal_cdf(v) < vec4f(10));
    }
  }
}

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.fours) { return; }
  let v = vec4f(x[i]);
  // What is no number stays none, which a maximum would make a number of.
  out[i] = vec4<real>(select(v, value(v), abs(v) >= vec4f()));
}

@compute @workgroup_size(lanes)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.fours) { return; }
  var d = vec4f(d_out[i]) * slope(vec4f(x[i]));
  if (accumulate) { d += vec4f(d_x[i]); }
  d_x[i] = vec4<real>(d);
}
