// Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) that never stores the
// T×T matrix, after FlashAttention (Dao et al. 2022, arXiv:2205.14135, algorithms 1 and 4):
//
//   S = scale·Q·Kᵀ + mask,  P = softmax(S),  out = (P∘M)·V,  log_sum_exp = log Σ exp S
//
// with M the dropout's factors, and its gradient, which finds P again as exp(S - log_sum_exp):
//
//   delta = Σ_d d_out·out        dS = P∘(M∘(d_out·Vᵀ) - delta)·scale
//   dQ = dS·K        dK = dSᵀ·Q        dV = (P∘M)ᵀ·d_out
//
// One invocation owns four queries (`forward`, `queries`) or four keys (`keys`) of one head and walks
// the others by fours. If `wide` it owns eight, and so fetches half as often what it walks over: on a
// processor more than half of the time goes into fetching. It keeps all it sums up in registers: a
// Head is four rows of up to 64 numbers, in matrices of 4×4 whose column i belongs to row i.
// `forward` keeps for each query the largest score so far and the sum of exponentials relative to it;
// when a larger score comes, what was mixed is scaled down (the online softmax). `keys` reads what
// `queries` left in delta. No sum crosses invocations. Heads of more than 64 numbers are cut into
// slices: each invocation computes all of S, but mixes only its own slice.
//
// q, k, v, out and its gradient are read from textures of four numbers to a texel, which adapters on a
// processor read many times faster than buffers. Their rows are filled up with zeros to slices·chunks
// texels: row ((b·time + t)·3 + part)·heads + h of qkv, with q, k, v as parts 0, 1, 2. result: out of
// `forward`, the gradient of qkv of the others; rows of the same length. log_sum_exp, delta: (batch,
// heads, time). mask: added to the scores; its strides in batch, head and query say how it repeats.

/// result: f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape {
  batch: u32, heads: u32, time: u32, scale: f32,
  mask_batch: u32, mask_head: u32, mask_query: u32,
  probability: f32, place: u32, step: u32, seed: u32, lanes_x: u32,
}

override chunks: u32 = 16;
override causal: bool = true;
override has_mask: bool = false;
override has_dropout: bool = false;
override slices: u32 = 1;
override wide: bool = false;
override lanes: u32 = 8;

const LOWEST = -3e38;
const MASKED = -1e38;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var qkv: texture_2d<f32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_sum_exp: array<f32>;
@group(0) @binding(3) var outs: texture_2d<f32>;
@group(0) @binding(5) var d_outs: texture_2d<f32>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<vec4<real>>;

/// Four rows of one head.
struct Head {
  c0: mat4x4f, c1: mat4x4f, c2: mat4x4f, c3: mat4x4f, c4: mat4x4f, c5: mat4x4f, c6: mat4x4f, c7: mat4x4f,
  c8: mat4x4f, c9: mat4x4f, c10: mat4x4f, c11: mat4x4f, c12: mat4x4f, c13: mat4x4f, c14: mat4x4f, c15: mat4x4f,
}

fn texel(source: texture_2d<f32>, i: u32) -> vec4f { return textureLoad(source, vec2u(i & 2047u, i >> 11u), 0); }
fn four_rows(source: texture_2d<f32>, at: vec4u) -> mat4x4f {
  return mat4x4f(texel(source, at.x), texel(source, at.y), texel(source, at.z), texel(source, at.w));
}

/// The rows that begin at four texels.
fn head_at(source: texture_2d<f32>, at: vec4u) -> Head {
  var x: Head;
  x.c0 = four_rows(source, at);
  if (chunks > 1u) { x.c1 = four_rows(source, at + 1u); }  if (chunks > 2u) { x.c2 = four_rows(source, at + 2u); }
  if (chunks > 3u) { x.c3 = four_rows(source, at + 3u); }  if (chunks > 4u) { x.c4 = four_rows(source, at + 4u); }
  if (chunks > 5u) { x.c5 = four_rows(source, at + 5u); }  if (chunks > 6u) { x.c6 = four_rows(source, at + 6u); }
  if (chunks > 7u) { x.c7 = four_rows(source, at + 7u); }  if (chunks > 8u) { x.c8 = four_rows(source, at + 8u); }
  if (chunks > 9u) { x.c9 = four_rows(source, at + 9u); }  if (chunks > 10u) { x.c10 = four_rows(source, at + 10u); }
  if (chunks > 11u) { x.c11 = four_rows(source, at + 11u); }  if (chunks > 12u) { x.c12 = four_rows(source, at + 12u); }
  if (chunks > 13u) { x.c13 = four_rows(source, at + 13u); }  if (chunks > 14u) { x.c14 = four_rows(source, at + 14u); }
  if (chunks > 15u) { x.c15 = four_rows(source, at + 15u); }
  return x;
}

/// Element (j, i), in column i: row i of a times row j of b.
fn products(a: Head, b: Head) -> mat4x4f {
  var s = transpose(b.c0) * a.c0;
  if (chunks > 1u) { s += transpose(b.c1) * a.c1; }  if (chunks > 2u) { s += transpose(b.c2) * a.c2; }  if (chunks > 3u) { s += transpose(b.c3) * a.c3; }
  if (chunks > 4u) { s += transpose(b.c4) * a.c4; }  if (chunks > 5u) { s += transpose(b.c5) * a.c5; }  if (chunks > 6u) { s += transpose(b.c6) * a.c6; }
  if (chunks > 7u) { s += transpose(b.c7) * a.c7; }  if (chunks > 8u) { s += transpose(b.c8) * a.c8; }  if (chunks > 9u) { s += transpose(b.c9) * a.c9; }
  if (chunks > 10u) { s += transpose(b.c10) * a.c10; }  if (chunks > 11u) { s += transpose(b.c11) * a.c11; }  if (chunks > 12u) { s += transpose(b.c12) * a.c12; }
  if (chunks > 13u) { s += transpose(b.c13) * a.c13; }  if (chunks > 14u) { s += transpose(b.c14) * a.c14; }  if (chunks > 15u) { s += transpose(b.c15) * a.c15; }
  return s;
}

/// sum + the rows of x, weighed for row i by column i of w.
fn mix(sum: Head, x: Head, w: mat4x4f) -> Head {
  var y = sum;
  y.c0 += x.c0 * w;
  if (chunks > 1u) { y.c1 += x.c1 * w; }  if (chunks > 2u) { y.c2 += x.c2 * w; }  if (chunks > 3u) { y.c3 += x.c3 * w; }
  if (chunks > 4u) { y.c4 += x.c4 * w; }  if (chunks > 5u) { y.c5 += x.c5 * w; }  if (chunks > 6u) { y.c6 += x.c6 * w; }
  if (chunks > 7u) { y.c7 += x.c7 * w; }  if (chunks > 8u) { y.c8 += x.c8 * w; }  if (chunks > 9u) { y.c9 += x.c9 * w; }
  if (chunks > 10u) { y.c10 += x.c10 * w; }  if (chunks > 11u) { y.c11 += x.c11 * w; }  if (chunks > 12u) { y.c12 += x.c12 * w; }
  if (chunks > 13u) { y.c13 += x.c13 * w; }  if (chunks > 14u) { y.c14 += x.c14 * w; }  if (chunks > 15u) { y.c15 += x.c15 * w; }
  return y;
}

fn times(x: mat4x4f, f: vec4f) -> mat4x4f { return mat4x4f(x[0] * f.x, x[1] * f.y, x[2] * f.z, x[3] * f.w); }

/// Row i of x times f[i].
fn scaled(x: Head, f: vec4f) -> Head {
  var y = x;
  y.c0 = times(x.c0, f);
  if (chunks > 1u) { y.c1 = times(x.c1, f); }  if (chunks > 2u) { y.c2 = times(x.c2, f); }  if (chunks > 3u) { y.c3 = times(x.c3, f); }
  if (chunks > 4u) { y.c4 = times(x.c4, f); }  if (chunks > 5u) { y.c5 = times(x.c5, f); }  if (chunks > 6u) { y.c6 = times(x.c6, f); }
  if (chunks > 7u) { y.c7 = times(x.c7, f); }  if (chunks > 8u) { y.c8 = times(x.c8, f); }  if (chunks > 9u) { y.c9 = times(x.c9, f); }
  if (chunks > 10u) { y.c10 = times(x.c10, f); }  if (chunks > 11u) { y.c11 = times(x.c11, f); }  if (chunks > 12u) { y.c12 = times(x.c12, f); }
  if (chunks > 13u) { y.c13 = times(x.c13, f); }  if (chunks > 14u) { y.c14 = times(x.c14, f); }  if (chunks > 15u) { y.c15 = times(x.c15, f); }
  return y;
}

/// Row i of a times row i of b, from products(a, b).
fn diagonal(s: mat4x4f) -> vec4f { return vec4f(s[0].x, s[1].y, s[2].z, s[3].w); }

/// Where an invocation works: the sizes, its batch entry, its head, its slice.
struct Place { size: Shape, b: u32, h: u32, slice: u32 }

fn four(t: u32) -> vec4u { return vec4u(t, t + 1u, t + 2u, t + 3u); }

/// First texels of rows t..t+3 of q (part 0), k (1) or v (2). Rows past the end are the last again.
fn rows_of(p: Place, t: u32, part: u32) -> vec4u {
  let rows = min(four(t), vec4u(p.size.time - 1u)) + p.b * p.size.time;
  return ((rows * 3u + part) * p.size.heads + p.h) * slices * chunks;
}

/// The same of out and of its gradient.
fn out_rows_of(p: Place, t: u32) -> vec4u {
  return ((min(four(t), vec4u(p.size.time - 1u)) + p.b * p.size.time) * p.size.heads + p.h) * slices * chunks;
}

/// Places of the statistics of rows t..t+3.
fn statistics_of(p: Place, t: u32) -> vec4u {
  return (p.b * p.size.heads + p.h) * p.size.time + min(four(t), vec4u(p.size.time - 1u));
}

fn pcg4d(seed: vec4u) -> vec4u {
  var v = seed * 1664525u + 1013904223u;
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  v = v ^ (v >> vec4u(16u));
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  return v;
}

/// keep/(1 - p) of one weight, from a counter, as in dropout.wgsl.
fn kept(p: Place, query: u32, key: u32) -> f32 {
  let i = ((p.b * p.size.heads + p.h) * p.size.time + query) * p.size.time + key;
  let u = f32(pcg4d(vec4u(i, p.size.place, p.size.step, p.size.seed)).x >> 8u) * 0x1p-24;
  return select(0.0, 1.0 / (1.0 - p.size.probability), u >= p.size.probability);
}

/// The dropout's factors of four pairs of a query and a key; ones without dropout.
fn factors(p: Place, q: vec4u, k: vec4u) -> vec4f {
  if (!has_dropout) { return vec4f(1.0); }
  return vec4f(kept(p, q.x, k.x), kept(p, q.y, k.y), kept(p, q.z, k.z), kept(p, q.w, k.w));
}

/// Scaled and masked scores of four pairs; LOWEST where the query does not see the key.
fn score(p: Place, product: vec4f, q: vec4u, k: vec4u) -> vec4f {
  var s = product * p.size.scale;
  if (has_mask) {
    let i = p.b * p.size.mask_batch + p.h * p.size.mask_head + min(q, vec4u(p.size.time - 1u)) * p.size.mask_query + min(k, vec4u(p.size.time - 1u));
    s += vec4f(mask[i.x], mask[i.y], mask[i.z], mask[i.w]);
  }
  var hidden = (k >= vec4u(p.size.time)) | (q >= vec4u(p.size.time)) | (s <= vec4f(MASKED));
  if (causal) { hidden = hidden | (k > q); }
  return select(s, vec4f(LOWEST), hidden);
}

/// exp(s - most), zero where the key is hidden; asked in the negative, so that a score that is NaN stays so.
fn weights(s: vec4f, most: vec4f) -> vec4f { return select(exp(s - most), vec4f(), s <= vec4f(MASKED)); }

fn largest(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn total(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

/// The place of an invocation: heads along x, four rows of time along y, slices along z; a workgroup
/// is laid out in one dimension, because llvmpipe fills its vectors along x only.
fn place_of(group: vec3u, lane: u32) -> Place {
  let size = shape;
  let i = group.x * size.lanes_x + lane % size.lanes_x;
  return Place(size, i / size.heads, i % size.heads, group.z);
}
fn first_row(p: Place, group: vec3u, lane: u32, owned: u32) -> u32 { return (group.y * (lanes / p.size.lanes_x) + lane / p.size.lanes_x) * owned; }
fn outside(p: Place, first: u32) -> bool { return p.b >= p.size.batch || first >= p.size.time; }

/// This invocation's slice of four rows.
fn own(p: Place, source: texture_2d<f32>, at: vec4u) -> Head { return head_at(source, at + p.slice * chunks); }

/// products(a, b) over all slices, of which `a` and `b` hold one.
fn all_products(a: Head, b: Head, of_a: texture_2d<f32>, at_a: vec4u, of_b: texture_2d<f32>, at_b: vec4u) -> mat4x4f {
  if (slices == 1u) { return products(a, b); }
  var s = mat4x4f();
  for (var i = 0u; i < slices; i++) { s += products(head_at(of_a, at_a + i * chunks), head_at(of_b, at_b + i * chunks)); }
  return s;
}

/// What four queries have mixed so far: their largest scores, the sums relative to these, the mixtures.
struct Mixture { most: vec4f, sum: vec4f, head: Head }

/// The mixture with four more keys, of which `raw` holds the products with queries first..first+3.
fn absorb(p: Place, m: Mixture, raw: mat4x4f, first: u32, key: u32, values: Head) -> Mixture {
  let k = four(key);
  let s0 = score(p, raw[0], vec4u(first), k);
  let s1 = score(p, raw[1], vec4u(first + 1u), k);
  let s2 = score(p, raw[2], vec4u(first + 2u), k);
  let s3 = score(p, raw[3], vec4u(first + 3u), k);
  let most = max(m.most, vec4f(largest(s0), largest(s1), largest(s2), largest(s3)));
  let shrink = exp(m.most - most);
  let w = mat4x4f(weights(s0, vec4f(most.x)), weights(s1, vec4f(most.y)), weights(s2, vec4f(most.z)), weights(s3, vec4f(most.w)));
  let sum = m.sum * shrink + vec4f(total(w[0]), total(w[1]), total(w[2]), total(w[3]));
  let kept_weights = mat4x4f(
    w[0] * factors(p, vec4u(first), k),
    w[1] * factors(p, vec4u(first + 1u), k),
    w[2] * factors(p, vec4u(first + 2u), k),
    w[3] * factors(p, vec4u(first + 3u), k),
  );
  return Mixture(most, sum, mix(scaled(m.head, shrink), values, kept_weights));
}

/// Writes queries first..first+3, as far as there are such.
fn finish(p: Place, m: Mixture, first: u32) {
  if (first >= p.size.time) { return; }
  let none = m.sum <= vec4f();
  let ends = select(m.most + log(m.sum), vec4f(), none);
  let i = statistics_of(p, first);
  store_rows(p, first, out_rows_of(p, first) + p.slice * chunks, scaled(m.head, select(1.0 / m.sum, vec4f(), none)));
  if (p.slice > 0u) { return; }
  log_sum_exp[i.x] = ends.x;  if (first + 1u < p.size.time) { log_sum_exp[i.y] = ends.y; }
  if (first + 2u < p.size.time) { log_sum_exp[i.z] = ends.z; }  if (first + 3u < p.size.time) { log_sum_exp[i.w] = ends.w; }
}

@compute @workgroup_size(lanes)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let p = place_of(group, lane);
  let owned = select(4u, 8u, wide);
  let first = first_row(p, group, lane, owned);
  if (outside(p, first)) { return; }
  let at_q = rows_of(p, first, 0u);
  let q = own(p, qkv, at_q);
  var m = Mixture(vec4f(LOWEST), vec4f(), Head());
  var q_below = Head();
  var below = m;
  if (wide) { q_below = own(p, qkv, rows_of(p, first + 4u, 0u)); }
  let end = select(p.size.time, min(p.size.time, first + owned), causal);
  for (var key = 0u; key < end; key += 4u) {
    let at_k = rows_of(p, key, 1u);
    let keys = own(p, qkv, at_k);
    let values = own(p, qkv, rows_of(p, key, 2u));
    m = absorb(p, m, all_products(q, keys, qkv, at_q, qkv, at_k), first, key, values);
    if (wide) { below = absorb(p, below, products(q_below, keys), first + 4u, key, values); }
  }
  finish(p, m, first);
  if (wide) { finish(p, below, first + 4u); }
}

/// The chunks after the first, each in the place of the one before.
fn without_first(x: Head) -> Head {
  return Head(x.c1, x.c2, x.c3, x.c4, x.c5, x.c6, x.c7, x.c8, x.c9, x.c10, x.c11, x.c12, x.c13, x.c14, x.c15, x.c15);
}

/// Rows t..t+3 of x, as far as there are such, from the texels `at` on. One chunk is written at a time, and
/// the others move up, so that a compiler makes code for one: see matmul_texels.wgsl.
fn store_rows(p: Place, t: u32, at: vec4u, x: Head) {
  var left = x;
  let last = p.size.time - t;
  for (var i = at; i.x < at.x + chunks; i += 1u) {
    result[i.x] = vec4<real>(left.c0[0]);  if (last > 1u) { result[i.y] = vec4<real>(left.c0[1]); }
    if (last > 2u) { result[i.z] = vec4<real>(left.c0[2]); }  if (last > 3u) { result[i.w] = vec4<real>(left.c0[3]); }
    left = without_first(left);
  }
}

/// Four weights P∘M, and four gradients dS.
struct Pairs { w: vec4f, ds: vec4f }

fn pairs(p: Place, product: vec4f, d_product: vec4f, q: vec4u, k: vec4u, ends: vec4f, d: vec4f) -> Pairs {
  let w = weights(score(p, product, q, k), ends);
  let factor = factors(p, q, k);
  return Pairs(w * factor, w * (factor * d_product - d) * p.size.scale);
}

/// Four queries in the backward pass: what of them the gradient of a score hangs on.
struct Asked { q: Head, d_out: Head, ends: vec4f, d: vec4f }

/// Queries first..first+3; writes their deltas, as far as there are such.
fn asked(p: Place, first: u32) -> Asked {
  let at_out = out_rows_of(p, first);
  let d_out = own(p, d_outs, at_out);
  let d = diagonal(all_products(d_out, own(p, outs, at_out), d_outs, at_out, outs, at_out));
  let i = statistics_of(p, first);
  if (p.slice == 0u) {
    if (first < p.size.time) { delta[i.x] = d.x; }  if (first + 1u < p.size.time) { delta[i.y] = d.y; }
    if (first + 2u < p.size.time) { delta[i.z] = d.z; }  if (first + 3u < p.size.time) { delta[i.w] = d.w; }
  }
  let ends = vec4f(log_sum_exp[i.x], log_sum_exp[i.y], log_sum_exp[i.z], log_sum_exp[i.w]);
  return Asked(own(p, qkv, rows_of(p, first, 0u)), d_out, ends, d);
}

/// dS of queries first..first+3 in the columns, keys key..key+3 in the rows.
fn score_gradients(p: Place, x: Asked, s: mat4x4f, dp: mat4x4f, first: u32, key: u32) -> mat4x4f {
  let k = four(key);
  return mat4x4f(
    pairs(p, s[0], dp[0], vec4u(first), k, vec4f(x.ends.x), vec4f(x.d.x)).ds,
    pairs(p, s[1], dp[1], vec4u(first + 1u), k, vec4f(x.ends.y), vec4f(x.d.y)).ds,
    pairs(p, s[2], dp[2], vec4u(first + 2u), k, vec4f(x.ends.z), vec4f(x.d.z)).ds,
    pairs(p, s[3], dp[3], vec4u(first + 3u), k, vec4f(x.ends.w), vec4f(x.d.w)).ds,
  );
}

@compute @workgroup_size(lanes)
fn queries(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let p = place_of(group, lane);
  let owned = select(4u, 8u, wide);
  let first = first_row(p, group, lane, owned);
  if (outside(p, first)) { return; }
  let at_q = rows_of(p, first, 0u);
  let at_out = out_rows_of(p, first);
  let x = asked(p, first);
  var dq = Head();
  var below = x;
  var dq_below = dq;
  if (wide) { below = asked(p, first + 4u); }
  let end = select(p.size.time, min(p.size.time, first + owned), causal);
  for (var key = 0u; key < end; key += 4u) {
    let at_k = rows_of(p, key, 1u);
    let at_v = rows_of(p, key, 2u);
    let keys = own(p, qkv, at_k);
    let values = own(p, qkv, at_v);
    let s = all_products(x.q, keys, qkv, at_q, qkv, at_k);
    let dp = all_products(x.d_out, values, d_outs, at_out, qkv, at_v);
    dq = mix(dq, keys, score_gradients(p, x, s, dp, first, key));
    if (wide) {
      let d_scores = score_gradients(p, below, products(below.q, keys), products(below.d_out, values), first + 4u, key);
      dq_below = mix(dq_below, keys, d_scores);
    }
  }
  store_rows(p, first, at_q + p.slice * chunks, dq);
  if (wide && first + 4u < p.size.time) { store_rows(p, first + 4u, rows_of(p, first + 4u, 0u), dq_below); }
}

/// Four keys in the backward pass, and the sums of their gradients.
struct Answering { k: Head, v: Head, dk: Head, dv: Head }

fn answering(p: Place, key: u32) -> Answering {
  return Answering(own(p, qkv, rows_of(p, key, 1u)), own(p, qkv, rows_of(p, key, 2u)), Head(), Head());
}

/// The sums with four more queries; column i of `s` and of `dp` is key i, over these queries.
fn answer(p: Place, x: Answering, s: mat4x4f, dp: mat4x4f, queries: Head, d_out: Head, first: u32, key: u32) -> Answering {
  let q = four(first);
  let i = statistics_of(p, first);
  let ends = vec4f(log_sum_exp[i.x], log_sum_exp[i.y], log_sum_exp[i.z], log_sum_exp[i.w]);
  let d = vec4f(delta[i.x], delta[i.y], delta[i.z], delta[i.w]);
  let k0 = pairs(p, s[0], dp[0], q, vec4u(key), ends, d);
  let k1 = pairs(p, s[1], dp[1], q, vec4u(key + 1u), ends, d);
  let k2 = pairs(p, s[2], dp[2], q, vec4u(key + 2u), ends, d);
  let k3 = pairs(p, s[3], dp[3], q, vec4u(key + 3u), ends, d);
  let dk = mix(x.dk, queries, mat4x4f(k0.ds, k1.ds, k2.ds, k3.ds));
  return Answering(x.k, x.v, dk, mix(x.dv, d_out, mat4x4f(k0.w, k1.w, k2.w, k3.w)));
}

/// Writes the gradients of keys and values key..key+3, as far as there are such.
fn finish_keys(p: Place, x: Answering, key: u32) {
  if (key >= p.size.time) { return; }
  store_rows(p, key, rows_of(p, key, 1u) + p.slice * chunks, x.dk);
  store_rows(p, key, rows_of(p, key, 2u) + p.slice * chunks, x.dv);
}

@compute @workgroup_size(lanes)
fn keys(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let p = place_of(group, lane);
  let key = first_row(p, group, lane, select(4u, 8u, wide));
  if (outside(p, key)) { return; }
  let at_k = rows_of(p, key, 1u);
  let at_v = rows_of(p, key, 2u);
  var x = answering(p, key);
  var below = x;
  if (wide) { below = answering(p, key + 4u); }
  for (var first = select(0u, key, causal); first < p.size.time; first += 4u) {
    let at_q = rows_of(p, first, 0u);
    let at_out = out_rows_of(p, first);
    let queries = own(p, qkv, at_q);
    let d_out = own(p, d_outs, at_out);
    let s = all_products(x.k, queries, qkv, at_k, qkv, at_q);
    let dp = all_products(x.v, d_out, qkv, at_v, d_outs, at_out);
    x = answer(p, x, s, dp, queries, d_out, first, key);
    if (wide) {
      below = answer(p, below, products(below.k, queries), products(below.v, d_out), queries, d_out, first, key + 4u);
    }
  }
  finish_keys(p, x, key);
  if (wide) { finish_keys(p, below, key + 4u); }
}
