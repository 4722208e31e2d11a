// Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) without its T×T matrix,
// after FlashAttention (Dao et al. 2022, arXiv:2205.14135, algorithms 1 and 4), for graphics processors:
//
//   S = scale·Q·Kᵀ + mask,  P = softmax(S),  out = (P∘M)·V,  log_sum_exp = log Σ exp S
//
// with M the dropout's factors, and its gradient, which finds P again as exp(S - log_sum_exp):
//
//   delta = Σ_d d_out·out        dS = P∘(M∘(d_out·Vᵀ) - delta)·scale
//   dQ = dS·K        dK = dSᵀ·Q        dV = (P∘M)ᵀ·d_out
//
// from the same textures as attention.wgsl.
//
// A workgroup of `teams` teams of eight lanes owns 4·teams queries (`forward`, `queries`) or keys
// (`keys`) of one head, four to a team. It walks the others by 32, which its lanes bring into workgroup
// memory together. Of these a lane scores four with its team's four: one 4×4 matrix. The team's pattern
// is then laid into workgroup memory, and each lane mixes its share of the channels by it: texel `lane`
// of a head, and texel `lane` + 8 if there are so many. So nothing but these sums lives in registers.
// What one invocation of attention.wgsl does with a head of 64 numbers takes a thousand registers.
//
// Lane c has the others c, c + 8, c + 16 and c + 24, and rows lie an odd number of texels apart: so
// neighbouring lanes read from different banks of workgroup memory.
//
// qkv, outs, d_outs: textures of four numbers to a texel, rows of `chunks` texels, at most 16: row
// ((b·time + t)·3 + part)·heads + h of qkv, with q, k, v as parts 0, 1, 2. result: out of `forward`, the
// gradient of qkv of the others. log_sum_exp, delta: (batch, heads, time). mask: as in attention.wgsl.

/// result: f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape {
  batch: u32, heads: u32, time: u32, scale: f32,
  mask_batch: u32, mask_head: u32, mask_query: u32,
  probability: f32, place: u32, step: u32, seed: u32,
}

override chunks: u32 = 16;
override causal: bool = true;
override has_mask: bool = false;
override has_dropout: bool = false;
override teams: u32 = 8;
/// Texels from one row to the next in workgroup memory: `chunks`, or one more, so that it is odd.
override stride: u32 = 17;

const LOWEST = -3e38;
const MASKED = -1e38;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var qkv: texture_2d<f32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var outs: texture_2d<f32>;
@group(0) @binding(4) var<storage, read_write> log_sum_exp: array<f32>;
@group(0) @binding(5) var d_outs: texture_2d<f32>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<vec4<real>>;

// The workgroup's own rows: queries or keys, and what goes with them in the backward pass.
var<workgroup> own: array<vec4f, 4u * teams * stride>;
var<workgroup> own_too: array<vec4f, 4u * teams * stride>;
var<workgroup> others: array<vec4f, 32u * stride>;
/// Row i of a team, lane c: the weights of the others c, c + 8, c + 16, c + 24.
var<workgroup> pattern: array<vec4f, 32u * teams>;
/// What each lane has found of its team's four rows.
var<workgroup> found: array<vec4f, 8u * teams>;

/// Where a workgroup works: batch entry, head, its first row, the length of all.
struct Place { b: u32, h: u32, first: u32, time: u32 }
/// Texels of row 0 of a head, and from row to row.
struct Rows { at: u32, step: u32 }

/// Heads along x, blocks of rows along y, the last first: under a causal mask it has most to do.
fn place_of(group: vec3u, groups: vec3u) -> Place {
  return Place(group.x / shape.heads, group.x % shape.heads, (groups.y - 1u - group.y) * 4u * teams, shape.time);
}

/// All rows of q (part 0), k (1) or v (2).
fn rows_of(p: Place, part: u32) -> Rows {
  return Rows(((p.b * p.time * 3u + part) * shape.heads + p.h) * chunks, 3u * shape.heads * chunks);
}

/// The same of out and of its gradient.
fn out_rows_of(p: Place) -> Rows { return Rows((p.b * p.time * shape.heads + p.h) * chunks, shape.heads * chunks); }

fn texel(source: texture_2d<f32>, i: u32) -> vec4f { return textureLoad(source, vec2u(i & 2047u, i >> 11u), 0); }

/// Texel i of rows first.. as they lie behind each other. Rows past the end are the last again.
fn texel_of(source: texture_2d<f32>, rows: Rows, first: u32, i: u32) -> vec4f {
  return texel(source, rows.at + min(first + i / chunks, shape.time - 1u) * rows.step + i % chunks);
}
fn slot(i: u32) -> u32 { return i / chunks * stride + i % chunks; }

fn bring_own(source: texture_2d<f32>, rows: Rows, first: u32, lane: u32) {
  for (var i = lane; i < 4u * teams * chunks; i += 8u * teams) { own[slot(i)] = texel_of(source, rows, first, i); }
}
fn bring_own_too(source: texture_2d<f32>, rows: Rows, first: u32, lane: u32) {
  for (var i = lane; i < 4u * teams * chunks; i += 8u * teams) { own_too[slot(i)] = texel_of(source, rows, first, i); }
}
fn bring_others(source: texture_2d<f32>, rows: Rows, first: u32, lane: u32) {
  for (var i = lane; i < 32u * chunks; i += 8u * teams) { others[slot(i)] = texel_of(source, rows, first, i); }
}

fn four_others(at: u32) -> mat4x4f {
  return mat4x4f(others[at], others[at + 8u * stride], others[at + 16u * stride], others[at + 24u * stride]);
}

/// Element (j, i), in column i: row i of this team's own times other j of this lane.
fn products(team: u32, column: u32) -> mat4x4f {
  var s = mat4x4f();
  for (var d = 0u; d < chunks; d++) {
    let i = 4u * team * stride + d;
    s += transpose(four_others(column * stride + d)) * mat4x4f(own[i], own[i + stride], own[i + 2u * stride], own[i + 3u * stride]);
  }
  return s;
}
fn products_too(team: u32, column: u32) -> mat4x4f {
  var s = mat4x4f();
  for (var d = 0u; d < chunks; d++) {
    let i = 4u * team * stride + d;
    s += transpose(four_others(column * stride + d)) * mat4x4f(own_too[i], own_too[i + stride], own_too[i + 2u * stride], own_too[i + 3u * stride]);
  }
  return s;
}

fn lay_pattern(team: u32, column: u32, w: mat4x4f) {
  let i = 32u * team + column;
  pattern[i] = w[0];  pattern[i + 8u] = w[1];  pattern[i + 16u] = w[2];  pattern[i + 24u] = w[3];
}

/// Texel d of this team's four rows: the others, weighed by its pattern.
fn mixed(team: u32, d: u32) -> mat4x4f {
  var sum = mat4x4f();
  if (d >= chunks) { return sum; }
  for (var c = 0u; c < 8u; c++) {
    let i = 32u * team + c;
    sum += four_others(c * stride + d) * mat4x4f(pattern[i], pattern[i + 8u], pattern[i + 16u], pattern[i + 24u]);
  }
  return sum;
}

/// Writes texel d of this team's rows, as far as there are such.
fn write_rows(p: Place, rows: Rows, team: u32, d: u32, x: mat4x4f) {
  if (d >= chunks) { return; }
  for (var i = 0u; i < 4u; i++) {
    let t = p.first + 4u * team + i;
    if (t < p.time) { result[rows.at + t * rows.step + d] = vec4<real>(x[i]); }
  }
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
  let i = ((p.b * shape.heads + p.h) * p.time + query) * p.time + key;
  let u = f32(pcg4d(vec4u(i, shape.place, shape.step, shape.seed)).x >> 8u) * 0x1p-24;
  return select(0.0, 1.0 / (1.0 - shape.probability), u >= shape.probability);
}

/// The dropout's factors of four pairs of a query and a key; ones without dropout.
fn factors(p: Place, q: vec4u, k: vec4u) -> vec4f {
  if (!has_dropout) { return vec4f(1.0); }
  return vec4f(kept(p, q.x, k.x), kept(p, q.y, k.y), kept(p, q.z, k.z), kept(p, q.w, k.w));
}

/// Scaled and masked scores of four pairs; LOWEST where the query does not see the key.
fn score(p: Place, product: vec4f, q: vec4u, k: vec4u) -> vec4f {
  var s = product * shape.scale;
  if (has_mask) {
    let i = p.b * shape.mask_batch + p.h * shape.mask_head + min(q, vec4u(p.time - 1u)) * shape.mask_query + min(k, vec4u(p.time - 1u));
    s += vec4f(mask[i.x], mask[i.y], mask[i.z], mask[i.w]);
  }
  // Asked in the negative, so that a score that is no number stays one and is not taken for a hidden one.
  var hidden = (k >= vec4u(p.time)) | (q >= vec4u(p.time)) | (s <= vec4f(MASKED));
  if (causal) { hidden = hidden | (k > q); }
  return select(s, vec4f(LOWEST), hidden);
}

/// exp(s - most), zero where the key is not seen.
fn weights(s: vec4f, most: vec4f) -> vec4f { return select(exp(s - most), vec4f(), s <= vec4f(MASKED)); }

fn largest(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn total(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }
fn times(x: mat4x4f, f: vec4f) -> mat4x4f { return mat4x4f(x[0] * f.x, x[1] * f.y, x[2] * f.z, x[3] * f.w); }

/// The places of a lane's others.
fn places(first: u32, column: u32) -> vec4u { return first + column + vec4u(0u, 8u, 16u, 24u); }

/// The sum of what a team's lanes have found, or the largest of it.
fn sum_found(team: u32) -> vec4f {
  var sum = vec4f();
  for (var c = 0u; c < 8u; c++) { sum += found[8u * team + c]; }
  return sum;
}
fn largest_found(team: u32, least: vec4f) -> vec4f {
  var most = least;
  for (var c = 0u; c < 8u; c++) { most = max(most, found[8u * team + c]); }
  return most;
}

@compute @workgroup_size(8, teams)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let p = place_of(group, groups);
  let team = lane / 8u;
  let column = lane % 8u;
  let query = p.first + 4u * team;
  bring_own(qkv, rows_of(p, 0u), p.first, lane);
  var most = vec4f(LOWEST);
  var sum = vec4f();
  var near = mat4x4f();
  var far = mat4x4f();
  let end = select(p.time, min(p.time, p.first + 4u * teams), causal);
  for (var first = 0u; first < end; first += 32u) {
    workgroupBarrier();
    bring_others(qkv, rows_of(p, 1u), first, lane);
    workgroupBarrier();
    let raw = products(team, column);
    let k = places(first, column);
    let s0 = score(p, raw[0], vec4u(query), k);
    let s1 = score(p, raw[1], vec4u(query + 1u), k);
    let s2 = score(p, raw[2], vec4u(query + 2u), k);
    let s3 = score(p, raw[3], vec4u(query + 3u), k);
    found[lane] = vec4f(largest(s0), largest(s1), largest(s2), largest(s3));
    workgroupBarrier();
    let before = most;
    most = largest_found(team, before);
    let shrink = exp(before - most);
    let w = mat4x4f(weights(s0, vec4f(most.x)), weights(s1, vec4f(most.y)), weights(s2, vec4f(most.z)), weights(s3, vec4f(most.w)));
    // Of this lane's keys alone: the sums are added up behind the loop.
    sum = sum * shrink + vec4f(total(w[0]), total(w[1]), total(w[2]), total(w[3]));
    lay_pattern(team, column, mat4x4f(
      w[0] * factors(p, vec4u(query), k),
      w[1] * factors(p, vec4u(query + 1u), k),
      w[2] * factors(p, vec4u(query + 2u), k),
      w[3] * factors(p, vec4u(query + 3u), k),
    ));
    bring_others(qkv, rows_of(p, 2u), first, lane);
    workgroupBarrier();
    near = times(near, shrink) + mixed(team, column);
    if (chunks > 8u) { far = times(far, shrink) + mixed(team, column + 8u); }
  }
  workgroupBarrier();
  found[lane] = sum;
  workgroupBarrier();
  sum = sum_found(team);
  let none = sum <= vec4f();
  let ends = select(most + log(sum), vec4f(), none);
  let whole = select(1.0 / sum, vec4f(), none);
  let rows = out_rows_of(p);
  write_rows(p, rows, team, column, times(near, whole));
  write_rows(p, rows, team, column + 8u, times(far, whole));
  if (column < 4u && query + column < p.time) {
    log_sum_exp[(p.b * shape.heads + p.h) * p.time + query + column] = ends[column];
  }
}

/// Four weights P∘M, and four gradients dS.
struct Pairs { w: vec4f, ds: vec4f }

fn pairs(p: Place, product: vec4f, d_product: vec4f, q: vec4u, k: vec4u, ends: vec4f, d: vec4f) -> Pairs {
  let w = weights(score(p, product, q, k), ends);
  let factor = factors(p, q, k);
  return Pairs(w * factor, w * (factor * d_product - d) * shape.scale);
}

/// Places of the statistics of four queries.
fn statistics_of(p: Place, q: vec4u) -> vec4u {
  return (p.b * shape.heads + p.h) * p.time + min(q, vec4u(p.time - 1u));
}

/// Σ_d d_out·out of this team's four queries, over a lane's share of the channels.
fn share_of_delta(p: Place, query: u32, column: u32) -> vec4f {
  let rows = out_rows_of(p);
  var share = vec4f();
  for (var i = 0u; i < 4u; i++) {
    let at = rows.at + min(query + i, p.time - 1u) * rows.step;
    for (var d = column; d < chunks; d += 8u) { share[i] += dot(texel(d_outs, at + d), texel(outs, at + d)); }
  }
  return share;
}

@compute @workgroup_size(8, teams)
fn queries(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let p = place_of(group, groups);
  let team = lane / 8u;
  let column = lane % 8u;
  let query = p.first + 4u * team;
  bring_own(qkv, rows_of(p, 0u), p.first, lane);
  bring_own_too(d_outs, out_rows_of(p), p.first, lane);
  found[lane] = share_of_delta(p, query, column);
  workgroupBarrier();
  let d = sum_found(team);
  let i = statistics_of(p, query + vec4u(0u, 1u, 2u, 3u));
  let ends = vec4f(log_sum_exp[i.x], log_sum_exp[i.y], log_sum_exp[i.z], log_sum_exp[i.w]);
  if (column < 4u && query + column < p.time) { delta[i[column]] = d[column]; }
  var near = mat4x4f();
  var far = mat4x4f();
  let end = select(p.time, min(p.time, p.first + 4u * teams), causal);
  for (var first = 0u; first < end; first += 32u) {
    workgroupBarrier();
    bring_others(qkv, rows_of(p, 1u), first, lane);
    workgroupBarrier();
    let s = products(team, column);
    workgroupBarrier();
    bring_others(qkv, rows_of(p, 2u), first, lane);
    workgroupBarrier();
    let dp = products_too(team, column);
    let k = places(first, column);
    lay_pattern(team, column, mat4x4f(
      pairs(p, s[0], dp[0], vec4u(query), k, vec4f(ends.x), vec4f(d.x)).ds,
      pairs(p, s[1], dp[1], vec4u(query + 1u), k, vec4f(ends.y), vec4f(d.y)).ds,
      pairs(p, s[2], dp[2], vec4u(query + 2u), k, vec4f(ends.z), vec4f(d.z)).ds,
      pairs(p, s[3], dp[3], vec4u(query + 3u), k, vec4f(ends.w), vec4f(d.w)).ds,
    ));
    // The keys again: three blocks of them at once would be more than many adapters have room for.
    workgroupBarrier();
    bring_others(qkv, rows_of(p, 1u), first, lane);
    workgroupBarrier();
    near += mixed(team, column);
    if (chunks > 8u) { far += mixed(team, column + 8u); }
  }
  write_rows(p, rows_of(p, 0u), team, column, near);
  write_rows(p, rows_of(p, 0u), team, column + 8u, far);
}

@compute @workgroup_size(8, teams)
fn keys(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let p = place_of(group, groups);
  let team = lane / 8u;
  let column = lane % 8u;
  let key = p.first + 4u * team;
  bring_own(qkv, rows_of(p, 1u), p.first, lane);
  bring_own_too(qkv, rows_of(p, 2u), p.first, lane);
  var near_k = mat4x4f();
  var far_k = mat4x4f();
  var near_v = mat4x4f();
  var far_v = mat4x4f();
  for (var first = select(0u, p.first, causal); first < p.time; first += 32u) {
    workgroupBarrier();
    bring_others(qkv, rows_of(p, 0u), first, lane);
    workgroupBarrier();
    let s = products(team, column);
    workgroupBarrier();
    bring_others(d_outs, out_rows_of(p), first, lane);
    workgroupBarrier();
    let dp = products_too(team, column);
    let q = places(first, column);
    let i = statistics_of(p, q);
    let ends = vec4f(log_sum_exp[i.x], log_sum_exp[i.y], log_sum_exp[i.z], log_sum_exp[i.w]);
    let d = vec4f(delta[i.x], delta[i.y], delta[i.z], delta[i.w]);
    let k0 = pairs(p, s[0], dp[0], q, vec4u(key), ends, d);
    let k1 = pairs(p, s[1], dp[1], q, vec4u(key + 1u), ends, d);
    let k2 = pairs(p, s[2], dp[2], q, vec4u(key + 2u), ends, d);
    let k3 = pairs(p, s[3], dp[3], q, vec4u(key + 3u), ends, d);
    lay_pattern(team, column, mat4x4f(k0.w, k1.w, k2.w, k3.w));
    workgroupBarrier();
    near_v += mixed(team, column);
    if (chunks > 8u) { far_v += mixed(team, column + 8u); }
    workgroupBarrier();
    lay_pattern(team, column, mat4x4f(k0.ds, k1.ds, k2.ds, k3.ds));
    bring_others(qkv, rows_of(p, 0u), first, lane);
    workgroupBarrier();
    near_k += mixed(team, column);
    if (chunks > 8u) { far_k += mixed(team, column + 8u); }
  }
  write_rows(p, rows_of(p, 1u), team, column, near_k);
  write_rows(p, rows_of(p, 1u), team, column + 8u, far_k);
  write_rows(p, rows_of(p, 2u), team, column, near_v);
  write_rows(p, rows_of(p, 2u), team, column + 8u, far_v);
}
