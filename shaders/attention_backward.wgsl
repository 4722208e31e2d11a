// The gradient of attention.wgsl, which recomputes P from Q, K and log_sum_exp (FlashAttention,
// arXiv:2205.14135, algorithm 4). With M the dropout's factors (ones without it):
//
//   P = exp(S - log_sum_exp)        delta = Σ_d d_out·out
//   dS = P∘(M∘(d_out·Vᵀ) - delta)·scale
//   dQ = dS·K        dK = dSᵀ·Q        dV = (P∘M)ᵀ·d_out
//
// `queries`: one invocation computes dQ for 8 queries of one head, and their delta.
// `keys`: one invocation computes dK and dV for 8 keys of one head; it reads what `queries` left in
// delta. No sum crosses invocations. Layouts as in attention.wgsl; d_qkv as qkv.

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
@group(0) @binding(3) var<storage, read> out: array<f32>;
@group(0) @binding(4) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(5) var<storage, read> d_out: array<f32>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;
@group(0) @binding(7) var<storage, read_write> d_qkv: array<f32>;

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

fn mask_at(p: Place, query: u32, key: u32) -> f32 {
  if (!has_mask) { return 0; }
  return mask[p.b * shape.mask_batch + p.h * shape.mask_head + query * shape.mask_query + key];
}

fn out_of(p: Place, t: u32) -> u32 {
  return ((p.b * shape.time + min(t, shape.time - 1)) * shape.heads + p.h) * shape.head_size;
}
fn four_d_out(i: u32, d: u32) -> vec4f {
  return vec4f(
    d_out[i + d],
    select(0.0, d_out[i + d + 1], d + 1 < shape.head_size),
    select(0.0, d_out[i + d + 2], d + 2 < shape.head_size),
    select(0.0, d_out[i + d + 3], d + 3 < shape.head_size),
  );
}
fn four_rows_d_out(p: Place, t: u32, d: u32) -> mat4x4f {
  return mat4x4f(
    four_d_out(out_of(p, t), d),
    four_d_out(out_of(p, t + 1), d),
    four_d_out(out_of(p, t + 2), d),
    four_d_out(out_of(p, t + 3), d),
  );
}

fn statistic(p: Place, t: u32) -> u32 {
  return (p.b * shape.heads + p.h) * shape.time + min(t, shape.time - 1);
}

fn four_statistics(p: Place, t: u32) -> vec4u {
  let at = (p.b * shape.heads + p.h) * shape.time;
  return at + min(vec4u(t, t + 1, t + 2, t + 3), vec4u(shape.time - 1));
}

/// Four weights P, and four gradients dS.
struct Pairs { w: vec4f, ds: vec4f }

fn pairs(p: Place, product: vec4f, d_product: vec4f, query: vec4u, key: vec4u, total: vec4f, d: vec4f) -> Pairs {
  var s = product * shape.scale;
  if (has_mask) {
    s += vec4f(
      mask_at(p, query.x, key.x),
      mask_at(p, query.y, key.y),
      mask_at(p, query.z, key.z),
      mask_at(p, query.w, key.w),
    );
  }
  var seen = (key < vec4u(shape.time)) & (query < vec4u(shape.time)) & (s > vec4f(MASKED));
  if (causal) { seen = seen & (key <= query); }
  let w = select(vec4f(), exp(s - total), seen);
  var factor = vec4f(1);
  if (has_dropout) {
    factor = vec4f(
      kept(p, query.x, key.x),
      kept(p, query.y, key.y),
      kept(p, query.z, key.z),
      kept(p, query.w, key.w),
    );
  }
  return Pairs(w * factor, w * (factor * d_product - d) * shape.scale);
}

fn add_row(p: Place, t: u32, part: u32, d: u32, value: vec4f) {
  if (t >= shape.time) { return; }
  let i = row_of(p, t, part) + d;
  d_qkv[i] += value.x;
  if (d + 1 < shape.head_size) { d_qkv[i + 1] += value.y; }
  if (d + 2 < shape.head_size) { d_qkv[i + 2] += value.z; }
  if (d + 3 < shape.head_size) { d_qkv[i + 3] += value.w; }
}

fn add_rows(p: Place, t: u32, part: u32, d: u32, values: mat4x4f) {
  add_row(p, t, part, d, values[0]);
  add_row(p, t + 1, part, d, values[1]);
  add_row(p, t + 2, part, d, values[2]);
  add_row(p, t + 3, part, d, values[3]);
}

fn clear_rows(p: Place, part: u32) {
  for (var t = p.first; t < min(p.first + SIDE, shape.time); t++) {
    for (var d = 0u; d < shape.head_size; d++) { d_qkv[row_of(p, t, part) + d] = 0; }
  }
}

/// dS of one query against four keys.
fn query_row(p: Place, s: vec4f, ds: vec4f, query: u32, key: u32) -> vec4f {
  let i = statistic(p, query);
  let four_keys = vec4u(key, key + 1, key + 2, key + 3);
  return pairs(p, s, ds, vec4u(query), four_keys, vec4f(log_sum_exp[i]), vec4f(delta[i])).ds;
}

fn query_block(p: Place, s: mat4x4f, ds: mat4x4f, query: u32, key: u32) -> mat4x4f {
  return mat4x4f(
    query_row(p, s[0], ds[0], query, key),
    query_row(p, s[1], ds[1], query + 1, key),
    query_row(p, s[2], ds[2], query + 2, key),
    query_row(p, s[3], ds[3], query + 3, key),
  );
}

/// P and dS of four keys (columns) against four queries.
struct KeyBlock { w: mat4x4f, ds: mat4x4f }

fn key_block(p: Place, s: mat4x4f, ds: mat4x4f, query: u32, key: u32) -> KeyBlock {
  let i = four_statistics(p, query);
  let total = vec4f(log_sum_exp[i.x], log_sum_exp[i.y], log_sum_exp[i.z], log_sum_exp[i.w]);
  let d = vec4f(delta[i.x], delta[i.y], delta[i.z], delta[i.w]);
  let q = vec4u(query, query + 1, query + 2, query + 3);
  let k0 = pairs(p, s[0], ds[0], q, vec4u(key), total, d);
  let k1 = pairs(p, s[1], ds[1], q, vec4u(key + 1), total, d);
  let k2 = pairs(p, s[2], ds[2], q, vec4u(key + 2), total, d);
  let k3 = pairs(p, s[3], ds[3], q, vec4u(key + 3), total, d);
  return KeyBlock(mat4x4f(k0.w, k1.w, k2.w, k3.w), mat4x4f(k0.ds, k1.ds, k2.ds, k3.ds));
}

@compute @workgroup_size(lanes)
fn queries(@builtin(global_invocation_id) id: vec3u) {
  let p = place_of(id.x);
  if (p.b >= shape.batch) { return; }
  let q = p.first;
  clear_rows(p, 0);
  for (var t = q; t < min(q + SIDE, shape.time); t++) {
    var sum = 0.0;
    for (var d = 0u; d < shape.head_size; d++) { sum += d_out[out_of(p, t) + d] * out[out_of(p, t) + d]; }
    delta[statistic(p, t)] = sum;
  }
  let end = select(shape.time, min(shape.time, q + SIDE), causal);
  for (var key = 0u; key < end; key += 4) {
    var s0 = mat4x4f();
    var s1 = mat4x4f();
    var ds0 = mat4x4f();
    var ds1 = mat4x4f();
    for (var d = 0u; d < shape.head_size; d += 4) {
      let k = transpose(four_rows(p, key, 1, d));
      let v = transpose(four_rows(p, key, 2, d));
      s0 += k * four_rows(p, q, 0, d);
      s1 += k * four_rows(p, q + 4, 0, d);
      ds0 += v * four_rows_d_out(p, q, d);
      ds1 += v * four_rows_d_out(p, q + 4, d);
    }
    let g0 = query_block(p, s0, ds0, q, key);
    let g1 = query_block(p, s1, ds1, q + 4, key);
    for (var d = 0u; d < shape.head_size; d += 4) {
      let k = four_rows(p, key, 1, d);
      add_rows(p, q, 0, d, k * g0);
      add_rows(p, q + 4, 0, d, k * g1);
    }
  }
}

@compute @workgroup_size(lanes)
fn keys(@builtin(global_invocation_id) id: vec3u) {
  let p = place_of(id.x);
  if (p.b >= shape.batch) { return; }
  let key = p.first;
  clear_rows(p, 1);
  clear_rows(p, 2);
  for (var q = select(0u, key, causal); q < shape.time; q += 4) {
    // Column i of these is key i, over four queries.
    var s0 = mat4x4f();
    var s1 = mat4x4f();
    var ds0 = mat4x4f();
    var ds1 = mat4x4f();
    for (var d = 0u; d < shape.head_size; d += 4) {
      let queries = transpose(four_rows(p, q, 0, d));
      let d_outs = transpose(four_rows_d_out(p, q, d));
      s0 += queries * four_rows(p, key, 1, d);
      s1 += queries * four_rows(p, key + 4, 1, d);
      ds0 += d_outs * four_rows(p, key, 2, d);
      ds1 += d_outs * four_rows(p, key + 4, 2, d);
    }
    let near = key_block(p, s0, ds0, q, key);
    let far = key_block(p, s1, ds1, q, key + 4);
    for (var d = 0u; d < shape.head_size; d += 4) {
      let queries = four_rows(p, q, 0, d);
      let d_outs = four_rows_d_out(p, q, d);
      add_rows(p, key, 1, d, queries * near.ds);
      add_rows(p, key + 4, 1, d, queries * far.ds);
      add_rows(p, key, 2, d, d_outs * near.w);
      add_rows(p, key + 4, 2, d, d_outs * far.w);
    }
  }
}
