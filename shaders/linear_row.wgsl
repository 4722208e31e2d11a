// out = act(norm(x)·op(W) + bias) [+ out] for an x of few rows, as in generation, which takes one row a
// sequence through every weight: with layer norm before it (as layer_norm.wgsl has it) and GELU after it
// (as gelu.wgsl has it) where they are asked for, since a dispatch of its own costs more than either.
//
// W is a texture of four numbers to a texel, because a processor reads texels several times as fast. One
// invocation computes four neighbouring columns of `rows` rows, over its part of k: a workgroup has
// `columns` fours side by side, in `splits` parts, which are added up in one order. A workgroup is laid
// out in one dimension, because llvmpipe fills its vectors along x only.
//
// x: (m, k), as vectors or, if k is odd (no multiple of four), as numbers. norm: two rows of
// ceil(k/4) vectors, weight and bias, filled up with zeros. W: (k, n), or (n, k) if transposed, its rows
// `stride` texels apart and filled up with zeros. bias: (n). out: (m, n).

struct Shape { m: u32, n: u32, k: u32, stride: u32, epsilon: f32 }

override transposed: bool = false;
override odd: bool = false;
override normalize: bool = false;
override has_bias: bool = false;
override gelu: bool = false;
override exact: bool = false;
override accumulate: bool = false;
override rows: u32 = 1;
override columns: u32 = 16;
override splits: u32 = 16;
override lanes: u32 = columns * splits;
/// Vectors that hold the normalized rows: rows·ceil(k/4), or one where nothing is normalized.
override staged: u32 = 1;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> x_odd: array<f32>;
@group(0) @binding(3) var<storage, read> norm: array<vec4f>;
@group(0) @binding(4) var weight: texture_2d<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

var<workgroup> normal: array<vec4f, staged>;
var<workgroup> partial: array<vec4f, lanes>;

fn texel(i: u32) -> vec4f { return textureLoad(weight, vec2u(i & 2047u, i >> 11u), 0); }

/// Numbers 4i..4i+3 of a row of x, zeros past its end.
fn four(row: u32, i: u32, k: u32) -> vec4f {
  if (!odd) { return x[row * (k / 4u) + i]; }
  let at = row * k + 4u * i;
  let left = k - 4u * i;
  return vec4f(x_odd[at], select(0.0, x_odd[at + 1u], left > 1u), select(0.0, x_odd[at + 2u], left > 2u), select(0.0, x_odd[at + 3u], left > 3u));
}

/// v where it belongs to a row of k numbers, zeros past its end.
fn inside(v: vec4f, i: u32, k: u32) -> vec4f {
  if (!odd) { return v; }
  return select(vec4f(), v, 4u * i + vec4u(0, 1, 2, 3) < vec4u(k));
}

/// Half of the lanes, from a number that no compiler knows: where it does, Mesa 25 writes the rounds of a sum
/// out, each with its barriers, and takes twice as long for the whole shader.
fn half_of_lanes() -> u32 { return max(lanes / 2u, shape.m >> 31u); }

/// The sum of `value` over lanes that are `apart` from one another, known to each of them.
fn sum_over(value: vec4f, lane: u32, apart: u32) -> vec4f {
  partial[lane] = value;
  workgroupBarrier();
  for (var s = half_of_lanes(); s >= apart; s /= 2u) {
    if (lane < s) { partial[lane] += partial[lane + s]; }
    workgroupBarrier();
  }
  let sum = partial[lane % apart];
  workgroupBarrier();
  return sum;
}

/// Writes a normalized row of x into workgroup memory.
fn normalize_row(slot: u32, row: u32, lane: u32, size: Shape) {
  let fours = (size.k + 3u) / 4u;
  let ones = vec4f(1);
  // All is measured from the row's first number, or a row far from zero would lose precision.
  let origin = four(row, 0u, size.k).x;
  var sum = vec4f();
  for (var i = lane; i < fours; i += lanes) { sum += inside(four(row, i, size.k) - origin, i, size.k); }
  let mean = dot(sum_over(sum, lane, 1u), ones) / f32(size.k);
  var squares = vec4f();
  for (var i = lane; i < fours; i += lanes) {
    let d = inside(four(row, i, size.k) - origin - mean, i, size.k);
    squares += d * d;
  }
  let rstd = inverseSqrt(dot(sum_over(squares, lane, 1u), ones) / f32(size.k) + size.epsilon);
  for (var i = lane; i < fours; i += lanes) {
    normal[slot * fours + i] = (four(row, i, size.k) - origin - mean) * rstd * norm[i] + norm[fours + i];
  }
}

fn input(slot: u32, row: u32, i: u32, size: Shape) -> vec4f {
  if (normalize) { return normal[slot * ((size.k + 3u) / 4u) + i]; }
  return four(row, i, size.k);
}

/// What four numbers of a row give to four columns.
fn times(v: vec4f, w: mat4x4f) -> vec4f {
  if (transposed) { return v * w; }
  return w * v;
}

const INVERSE_SQRT_2 = 0.7071067811865476;
const SQRT_2_OVER_PI = 0.7978845608028654;

fn erfc_positive(z: vec4f) -> vec4f {
  let t = 1 / (1 + 0.5 * z);
  let p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 +
    t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  return t * exp(-z * z + p);
}

fn activation(v: vec4f) -> vec4f {
  if (!gelu) { return v; }
  if (exact) {
    let half_tail = 0.5 * erfc_positive(abs(v) * INVERSE_SQRT_2);
    return v * select(half_tail, 1 - half_tail, v > vec4f());
  }
  return v / (1 + exp(clamp(-2 * SQRT_2_OVER_PI * (v + 0.044715 * v * v * v), vec4f(-80), vec4f(80))));
}

/// Adds up the parts of k, and writes four columns of one row.
fn finish(sum: vec4f, slot: u32, row: u32, column: u32, lane: u32, size: Shape) {
  var v = sum;
  if (splits > 1u) { v = sum_over(sum, lane, columns); }
  if (lane >= columns || 4u * column >= size.n || row + slot >= size.m) { return; }
  let c = 4u * column;
  let last = size.n - 1u;
  if (has_bias) {
    v += vec4f(bias[c], bias[min(c + 1u, last)], bias[min(c + 2u, last)], bias[min(c + 3u, last)]);
  }
  v = activation(v);
  for (var j = 0u; j < min(4u, size.n - c); j++) {
    let i = (row + slot) * size.n + c + j;
    if (accumulate) { out[i] += v[j]; } else { out[i] = v[j]; }
  }
}

@compute @workgroup_size(lanes)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let size = shape;
  let lane = local.x;
  let row = group.y * rows;
  // Rows past the last are the last one over again, and are not written.
  let row_1 = min(row + 1u, size.m - 1u);
  let row_2 = min(row + 2u, size.m - 1u);
  let row_3 = min(row + 3u, size.m - 1u);
  if (normalize) {
    normalize_row(0u, row, lane, size);
    if (rows > 1u) { normalize_row(1u, row_1, lane, size); }
    if (rows > 2u) { normalize_row(2u, row_2, lane, size); }
    if (rows > 3u) { normalize_row(3u, row_3, lane, size); }
    workgroupBarrier();
  }
  let column = group.x * columns + lane % columns;
  // From one texel of a matrix of four to the next, and from one matrix to the next.
  let across = size.stride;
  let along = select(4u * size.stride, 1u, transposed);
  let part = lane / columns;
  var at = select(column, 4u * column * size.stride, transposed) + part * along;
  var sum_0 = vec4f();
  var sum_1 = vec4f();
  var sum_2 = vec4f();
  var sum_3 = vec4f();
  let fours = (size.k + 3u) / 4u;
  for (var i = part; i < fours; i += splits) {
    let w = mat4x4f(texel(at), texel(at + across), texel(at + 2u * across), texel(at + 3u * across));
    sum_0 += times(input(0u, row, i, size), w);
    if (rows > 1u) { sum_1 += times(input(1u, row_1, i, size), w); }
    if (rows > 2u) { sum_2 += times(input(2u, row_2, i, size), w); }
    if (rows > 3u) { sum_3 += times(input(3u, row_3, i, size), w); }
    at += splits * along;
  }
  finish(sum_0, 0u, row, column, lane, size);
  if (rows > 1u) { finish(sum_1, 1u, row, column, lane, size); }
  if (rows > 2u) { finish(sum_2, 2u, row, column, lane, size); }
  if (rows > 3u) { finish(sum_3, 3u, row, column, lane, size); }
}
