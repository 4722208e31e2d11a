// out = act(a · op(b) [+ bias] [+ out]), as matmul_texels.wgsl has it, for an `a` of few rows: generation
// multiplies one row per sequence by every weight, and a tile of sixteen would be mostly waste.
//
// One invocation computes four neighbouring columns of one row. `forward` is for n and k that are
// multiples of four, `forward_odd` for all others.
//
// a: (m, k).  b: (k, n), or (n, k) if transpose_b.  bias: (n).  out, before: (m, n).

struct Shape { m: u32, n: u32, k: u32 }

override transpose_b: bool = false;
override has_bias: bool = false;
override accumulate: bool = false;
override gelu: bool = false;
override exact: bool = false;
override has_before: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> before: array<vec4f>;

@group(0) @binding(1) var<storage, read> a_odd: array<f32>;
@group(0) @binding(2) var<storage, read> b_odd: array<f32>;
@group(0) @binding(3) var<storage, read> bias_odd: array<f32>;
@group(0) @binding(4) var<storage, read_write> out_odd: array<f32>;
@group(0) @binding(5) var<storage, read_write> before_odd: array<f32>;

const INVERSE_SQRT_2 = 0.7071067811865476;
const SQRT_2_OVER_PI = 0.7978845608028654;

fn erfc_positive(z: vec4f) -> vec4f {
  let t = 1 / (1 + 0.5 * z);
  let p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 +
    t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  return t * exp(-z * z + p);
}

/// GELU, as gelu.wgsl has it, where it is asked for.
fn activation(v: vec4f) -> vec4f {
  if (!gelu) { return v; }
  if (exact) {
    let half_tail = 0.5 * erfc_positive(abs(v) * INVERSE_SQRT_2);
    return v * select(half_tail, 1 - half_tail, v > vec4f());
  }
  return v / (1 + exp(clamp(-2 * SQRT_2_OVER_PI * (v + 0.044715 * v * v * v), vec4f(-80), vec4f(80))));
}

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let n = shape.n / 4;
  let k = shape.k / 4;
  let column = id.x;
  if (column >= n) { return; }
  var sum = vec4f();
  if (transpose_b) {
    let at = column * 4 * k;
    for (var i = 0u; i < k; i++) {
      sum += a[id.y * k + i] * mat4x4f(b[at + i], b[at + k + i], b[at + 2 * k + i], b[at + 3 * k + i]);
    }
  } else {
    for (var i = 0u; i < k; i++) {
      let at = 4 * i * n + column;
      sum += mat4x4f(b[at], b[at + n], b[at + 2 * n], b[at + 3 * n]) * a[id.y * k + i];
    }
  }
  let i = id.y * n + column;
  if (has_bias) { sum += bias[column]; }
  if (accumulate) { sum += out[i]; }
  if (has_before) { before[i] = sum; }
  out[i] = activation(sum);
}

@compute @workgroup_size(lanes)
fn forward_odd(@builtin(global_invocation_id) id: vec3u) {
  let n = shape.n;
  let k = shape.k;
  let column = id.x * 4;
  if (column >= n) { return; }
  // Columns past the end are the last one over again.
  let columns = min(vec4u(column, column + 1, column + 2, column + 3), vec4u(n - 1));
  var sum = vec4f();
  // Sums of 64 products, then the sum of those: one long sum would gather rounding errors.
  for (var first = 0u; first < k; first += 64) {
    var part = vec4f();
    for (var i = first; i < min(first + 64, k); i++) {
      var at = i * n + columns;
      if (transpose_b) { at = columns * k + i; }
      part += a_odd[id.y * k + i] * vec4f(b_odd[at.x], b_odd[at.y], b_odd[at.z], b_odd[at.w]);
    }
    sum += part;
  }
  for (var j = 0u; j < min(4u, n - column); j++) {
    let i = id.y * n + column + j;
    var v = sum[j];
    if (has_bias) { v += bias_odd[column + j]; }
    if (accumulate) { v += out_odd[i]; }
    if (has_before) { before_odd[i] = v; }
    out_odd[i] = activation(vec4f(v)).x;
  }
}
