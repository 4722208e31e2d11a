// The three products of attention with the pattern kept: the unfused twin of attention.wgsl, and what
// generation runs for one query against a cache of keys and values. For each batch entry and head:
//
//   scores:          out[i, j] = scale·Σ_d x[i, d]·y[j, d]      (Q·Kᵀ; and d_out·Vᵀ)
//   mix:             out[i, d] = scale·Σ_j w[i, j]·y[j, d]      (P·V; and dS·K)
//   mix_transposed:  out[j, d] = scale·Σ_i w[i, j]·x[i, d]      (Pᵀ·d_out; and dSᵀ·Q)
//
// The sums of both mixes go from `first` up to `end`, so that a long one may be made of several dispatches, of
// which all but the first add to `out`. In `scores` keys past the query's own place, `past` + i, are masked if `causal`, and mask is added.
// One invocation computes one number. A matrix of rows lies at offset + b·batch stride + t·row stride
// + h·head_size + d, so that a part of a packed (B, T, 3C) tensor is read where it lies.
// w: (batch, heads, queries, keys).

struct Shape {
  heads: u32,
  queries: u32,
  keys: u32,
  head_size: u32,
  scale: f32,
  past: u32,
  x_offset: u32,
  x_batch: u32,
  x_row: u32,
  y_offset: u32,
  y_batch: u32,
  y_row: u32,
  out_offset: u32,
  out_batch: u32,
  out_row: u32,
  mask_batch: u32,
  mask_head: u32,
  mask_query: u32,
  first: u32,
  end: u32,
}

override causal: bool = false;
override has_mask: bool = false;
override accumulate: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(lanes)
fn scores(@builtin(global_invocation_id) id: vec3u) {
  let j = id.x;
  let i = id.y;
  let b = id.z / shape.heads;
  let h = id.z % shape.heads;
  if (j >= shape.keys) { return; }
  let at = (id.z * shape.queries + i) * shape.keys + j;
  if (causal && j > shape.past + i) {
    out[at] = -3e38;
    return;
  }
  let xi = shape.x_offset + b * shape.x_batch + i * shape.x_row + h * shape.head_size;
  let yj = shape.y_offset + b * shape.y_batch + j * shape.y_row + h * shape.head_size;
  var sum = 0.0;
  for (var d = 0u; d < shape.head_size; d++) { sum += x[xi + d] * y[yj + d]; }
  sum *= shape.scale;
  if (has_mask) { sum += mask[b * shape.mask_batch + h * shape.mask_head + i * shape.mask_query + j]; }
  out[at] = select(sum, -3e38, sum < -3e38);
}

fn put(at: u32, value: f32) {
  var v = value;
  if (accumulate) { v += out[at]; }
  out[at] = v;
}

@compute @workgroup_size(lanes)
fn mix(@builtin(global_invocation_id) id: vec3u) {
  let d = id.x % shape.head_size;
  let h = id.x / shape.head_size;
  let i = id.y;
  let b = id.z;
  if (h >= shape.heads) { return; }
  let at = ((b * shape.heads + h) * shape.queries + i) * shape.keys;
  let yd = shape.y_offset + b * shape.y_batch + h * shape.head_size + d;
  var sum = 0.0;
  for (var j = shape.first; j < shape.end; j++) { sum += w[at + j] * y[yd + j * shape.y_row]; }
  put(shape.out_offset + b * shape.out_batch + i * shape.out_row + id.x, sum * shape.scale);
}

@compute @workgroup_size(lanes)
fn mix_transposed(@builtin(global_invocation_id) id: vec3u) {
  let d = id.x % shape.head_size;
  let h = id.x / shape.head_size;
  let j = id.y;
  let b = id.z;
  if (h >= shape.heads) { return; }
  let at = (b * shape.heads + h) * shape.queries * shape.keys + j;
  let xd = shape.x_offset + b * shape.x_batch + h * shape.head_size + d;
  var sum = 0.0;
  for (var i = shape.first; i < shape.end; i++) { sum += w[at + i * shape.keys] * x[xd + i * shape.x_row]; }
  put(shape.out_offset + b * shape.out_batch + j * shape.out_row + id.x, sum * shape.scale);
}
