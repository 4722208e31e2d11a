// Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) that never stores the
// T×T matrix, after FlashAttention (Dao et al. 2022, arXiv:2205.14135, algorithm 1):
//
//   S = scale·Q·Kᵀ + mask,  P = softmax(S),  out = dropout(P)·V,  log_sum_exp = log Σ exp S
//
// One invocation computes 8 queries of one head. It walks the keys in blocks of 8 and keeps, for each
// query, the largest score so far and the sum of exponentials relative to it; when a larger score
// comes, what lies in out is scaled down (the online softmax). Blocks are 2×2 matrices of 4×4, held
// transposed as in matmul_registers_16.wgsl: column i of a score matrix is query i, over 4 keys.
//
// qkv: (batch, time, 3·channels), q then k then v, head h at columns h·head_size.
// mask: added to the scores; its strides in batch, head and query say how it repeats.
// out: (batch, time, channels). log_sum_exp: (batch, heads, time).

struct Shape {
  batch: u32,
  heads: u32,
  time: u32,
  head_size: u32,
  scale: f32,
  mask_batch: u32,
  mask_head: u32,
  mask_query: u32,
  probability: f32,
  place: u32,
  step: u32,
  seed: u32,
}

override causal: bool = true;
override has_mask: bool = false;
override has_dropout: bool = false;
override lanes: u32 = 64;

const SIDE = 8u;
const LOWEST = -3e38;
const MASKED = -1e38;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_sum_exp: array<f32>;

/// Where an invocation works: its batch entry, its head and the first row of its block.
struct Place { b: u32, h: u32, first: u32 }

fn place_of(i: u32) -> Place {
  let blocks = (shape.time + SIDE - 1) / SIDE;
  return Place(i / blocks / shape.heads, i / blocks % shape.heads, i % blocks * SIDE);
}

/// Where a row of q (part 0), k (1) or v (2) begins. Rows past the end are the last one over again.
fn row_of(p: Place, t: u32, part: u32) -> u32 {
  let channels = shape.heads * shape.head_size;
  return (p.b * shape.time + min(t, shape.time - 1)) * 3 * channels + part * channels + p.h * shape.head_size;
}

/// Four numbers of a row from channel d on; zeros past the end of the head.
fn four(i: u32, d: u32) -> vec4f {
  if (d + 4 <= shape.head_size) { return vec4f(qkv[i + d], qkv[i + d + 1], qkv[i + d + 2], qkv[i + d + 3]); }
  return vec4f(
    qkv[i + d],
    select(0.0, qkv[i + d + 1], d + 1 < shape.head_size),
    select(0.0, qkv[i + d + 2], d + 2 < shape.head_size),
    0,
  );
}

fn four_rows(p: Place, t: u32, part: u32, d: u32) -> mat4x4f {
  return mat4x4f(
    four(row_of(p, t, part), d),
    four(row_of(p, t + 1, part), d),
    four(row_of(p, t + 2, part), d),
    four(row_of(p, t + 3, part), d),
  );
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
  let i = ((p.b * shape.heads + p.h) * shape.time + query) * shape.time + key;
  let u = f32(pcg4d(vec4u(i, shape.place, shape.step, shape.seed)).x >> 8u) * 0x1p-24;
  return select(0.0, 1 / (1 - shape.probability), u >= shape.probability);
}

fn allowed(p: Place, query: u32, key: u32) -> bool {
  return key < shape.time && query < shape.time && !(causal && key > query);
}

fn mask_at(p: Place, query: u32, key: u32) -> f32 {
  if (!has_mask) { return 0; }
  return mask[p.b * shape.mask_batch + p.h * shape.mask_head + query * shape.mask_query + key];
}

/// Adds the mask to the scores of one query against keys key..key+3.
fn masked(p: Place, scores: vec4f, query: u32, key: u32) -> vec4f {
  if (!has_mask && query < shape.time && key + 3 < shape.time && !(causal && key + 3 > query)) {
    return scores * shape.scale;
  }
  var s = vec4f(LOWEST);
  if (allowed(p, query, key)) { s.x = scores.x * shape.scale + mask_at(p, query, key); }
  if (allowed(p, query, key + 1)) { s.y = scores.y * shape.scale + mask_at(p, query, key + 1); }
  if (allowed(p, query, key + 2)) { s.z = scores.z * shape.scale + mask_at(p, query, key + 2); }
  if (allowed(p, query, key + 3)) { s.w = scores.w * shape.scale + mask_at(p, query, key + 3); }
  return s;
}

fn masked_block(p: Place, s: mat4x4f, query: u32, key: u32) -> mat4x4f {
  return mat4x4f(
    masked(p, s[0], query, key),
    masked(p, s[1], query + 1, key),
    masked(p, s[2], query + 2, key),
    masked(p, s[3], query + 3, key),
  );
}

fn largest(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn largest_of(a: mat4x4f, b: mat4x4f) -> vec4f {
  return vec4f(largest(max(a[0], b[0])), largest(max(a[1], b[1])), largest(max(a[2], b[2])), largest(max(a[3], b[3])));
}
fn total(v: vec4f) -> f32 { return dot(v, vec4f(1)); }
fn total_of(a: mat4x4f) -> vec4f { return vec4f(total(a[0]), total(a[1]), total(a[2]), total(a[3])); }

fn weights_of(s: vec4f, most: f32) -> vec4f {
  return select(vec4f(0), exp(s - most), s > vec4f(MASKED));
}
fn weights(s: mat4x4f, most: vec4f) -> mat4x4f {
  return mat4x4f(weights_of(s[0], most.x), weights_of(s[1], most.y), weights_of(s[2], most.z), weights_of(s[3], most.w));
}

fn kept_four(p: Place, query: u32, key: u32) -> vec4f {
  return vec4f(kept(p, query, key), kept(p, query, key + 1), kept(p, query, key + 2), kept(p, query, key + 3));
}
fn dropped(p: Place, w: mat4x4f, query: u32, key: u32) -> mat4x4f {
  if (!has_dropout) { return w; }
  return mat4x4f(
    w[0] * kept_four(p, query, key),
    w[1] * kept_four(p, query + 1, key),
    w[2] * kept_four(p, query + 2, key),
    w[3] * kept_four(p, query + 3, key),
  );
}

fn out_of(p: Place, t: u32) -> u32 {
  return ((p.b * shape.time + t) * shape.heads + p.h) * shape.head_size;
}

/// out = out·shrink + value for one query; the first block overwrites.
fn gather_row(p: Place, t: u32, d: u32, value: vec4f, shrink: f32, overwrite: bool) {
  if (t >= shape.time) { return; }
  let i = out_of(p, t) + d;
  out[i] = select(out[i] * shrink, 0.0, overwrite) + value.x;
  if (d + 1 < shape.head_size) { out[i + 1] = select(out[i + 1] * shrink, 0.0, overwrite) + value.y; }
  if (d + 2 < shape.head_size) { out[i + 2] = select(out[i + 2] * shrink, 0.0, overwrite) + value.z; }
  if (d + 3 < shape.head_size) { out[i + 3] = select(out[i + 3] * shrink, 0.0, overwrite) + value.w; }
}

/// The same for four queries.
fn gather(p: Place, t: u32, d: u32, values: mat4x4f, shrink: vec4f, overwrite: bool) {
  gather_row(p, t, d, values[0], shrink.x, overwrite);
  gather_row(p, t + 1, d, values[1], shrink.y, overwrite);
  gather_row(p, t + 2, d, values[2], shrink.z, overwrite);
  gather_row(p, t + 3, d, values[3], shrink.w, overwrite);
}

fn finish(p: Place, t: u32, most: vec4f, sum: vec4f) {
  for (var r = 0u; r < min(4u, shape.time - min(t, shape.time)); r++) {
    let some = sum[r] > 0;
    let scale = select(0.0, 1 / sum[r], some);
    for (var d = 0u; d < shape.head_size; d++) { out[out_of(p, t + r) + d] *= scale; }
    log_sum_exp[(p.b * shape.heads + p.h) * shape.time + t + r] = select(0.0, most[r] + log(sum[r]), some);
  }
}

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let p = place_of(id.x);
  if (p.b >= shape.batch) { return; }
  let q = p.first;
  var most0 = vec4f(LOWEST);
  var most1 = vec4f(LOWEST);
  var sum0 = vec4f();
  var sum1 = vec4f();
  let end = select(shape.time, min(shape.time, q + SIDE), causal);
  for (var key = 0u; key < end; key += SIDE) {
    var s00 = mat4x4f();
    var s01 = mat4x4f();
    var s10 = mat4x4f();
    var s11 = mat4x4f();
    for (var d = 0u; d < shape.head_size; d += 4) {
      let q0 = four_rows(p, q, 0, d);
      let q1 = four_rows(p, q + 4, 0, d);
      let k0 = transpose(four_rows(p, key, 1, d));
      let k1 = transpose(four_rows(p, key + 4, 1, d));
      s00 += k0 * q0;
      s01 += k1 * q0;
      s10 += k0 * q1;
      s11 += k1 * q1;
    }
    s00 = masked_block(p, s00, q, key);
    s01 = masked_block(p, s01, q, key + 4);
    s10 = masked_block(p, s10, q + 4, key);
    s11 = masked_block(p, s11, q + 4, key + 4);
    let next0 = max(most0, largest_of(s00, s01));
    let next1 = max(most1, largest_of(s10, s11));
    s00 = weights(s00, next0);
    s01 = weights(s01, next0);
    s10 = weights(s10, next1);
    s11 = weights(s11, next1);
    let shrink0 = exp(most0 - next0);
    let shrink1 = exp(most1 - next1);
    sum0 = sum0 * shrink0 + total_of(s00) + total_of(s01);
    sum1 = sum1 * shrink1 + total_of(s10) + total_of(s11);
    most0 = next0;
    most1 = next1;
    s00 = dropped(p, s00, q, key);
    s01 = dropped(p, s01, q, key + 4);
    s10 = dropped(p, s10, q + 4, key);
    s11 = dropped(p, s11, q + 4, key + 4);
    for (var d = 0u; d < shape.head_size; d += 4) {
      let v0 = four_rows(p, key, 2, d);
      let v1 = four_rows(p, key + 4, 2, d);
      gather(p, q, d, v0 * s00 + v1 * s01, shrink0, key == 0);
      gather(p, q + 4, d, v0 * s10 + v1 * s11, shrink1, key == 0);
    }
  }
  finish(p, q, most0, sum0);
  finish(p, q + 4, most1, sum1);
}
