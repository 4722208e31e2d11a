// out = x · W [+ bias] [+ out], with a W (k, n) whose numbers are packed into words; and W itself, or
// rows of its transpose, as f32.
//
//   W[i][j] = scale[i / group][j] · q[i][j]        q: integers of 4 or 8 bits, or f16 and no scale
//
// Neighbours along k share a word, the first in the lowest bits. Rows of words hold n columns, filled
// up to a multiple of four, so that one load brings four columns' worth of k; k is filled up to a
// multiple of eight. Scales are bfloat16, two columns to a word: their bits are the upper half of an
// f32. No shader-f16 is needed: unpack2x16float is part of WGSL.
//
// forward: one invocation computes four neighbouring columns of one row of out, or of four if rows_each
// says so, over its part of the groups: a workgroup has lanes / splits fours side by side, in `splits`
// parts, which are added up in one order.
// unpack: one invocation writes eight rows of four columns. lookup: one writes one number of
// out[i] = W[:, ids[i]] + position[offset + i mod time], which is the embedding of a tied table.
// A k that is no multiple of 8 sets odd_k; for an n that is none of 4 there is unpack_odd.
//
// x: (m, k), as vectors or, if odd_k, as numbers.  words: (⌈k/8⌉·bits/4, ⌈n/4⌉·4).
// scales: (⌈k/group⌉, ⌈n/4⌉·4) halves of words.
// bias: (n).  out: (m, n), (k, n) or (m, k).  ids: (m).  position: (context, k).

struct Shape { m: u32, n: u32, k: u32, group: u32, time: u32, offset: u32 }

override bits: u32 = 8;
override has_bias: bool = false;
override accumulate: bool = false;
override has_position: bool = false;
override rows_each: u32 = 1;
override odd_k: bool = false;
override lanes: u32 = 64;
override splits: u32 = 1;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> words: array<vec4u>;
@group(0) @binding(3) var<storage, read> scales: array<vec2u>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> position: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> out_fours: array<vec4f>;
@group(0) @binding(6) var<storage, read> ids: array<u32>;
@group(0) @binding(7) var<storage, read> x_odd: array<f32>;

/// Eight neighbours along k of four columns: the first four and the last four, a column each.
struct Block { low: mat4x4f, high: mat4x4f }

/// Bytes as numbers from -128 to 127; shifting up and down again brings the sign along.
fn bytes(w: u32) -> vec4f { return vec4f(vec4i(vec4u(w) << vec4u(24, 16, 8, 0)) >> vec4u(24)); }
/// The lower four nibbles as numbers from -8 to 7.
fn nibbles(w: u32) -> vec4f { return vec4f(vec4i(vec4u(w) << vec4u(28, 24, 20, 16)) >> vec4u(28)); }
fn halves(a: u32, b: u32) -> vec4f { return vec4f(unpack2x16float(a), unpack2x16float(b)); }

fn four_bytes(w: vec4u) -> mat4x4f { return mat4x4f(bytes(w.x), bytes(w.y), bytes(w.z), bytes(w.w)); }
fn four_nibbles(w: vec4u) -> mat4x4f { return mat4x4f(nibbles(w.x), nibbles(w.y), nibbles(w.z), nibbles(w.w)); }
fn four_halves(a: vec4u, b: vec4u) -> mat4x4f {
  return mat4x4f(halves(a.x, b.x), halves(a.y, b.y), halves(a.z, b.z), halves(a.w, b.w));
}

/// Block i of four columns, without its scale.
fn eight(i: u32, column: u32, columns: u32) -> Block {
  let at = i * (bits / 4) * columns + column;
  if (bits == 4) {
    let w = words[at];
    return Block(four_nibbles(w), four_nibbles(w >> vec4u(16)));
  }
  if (bits == 8) { return Block(four_bytes(words[at]), four_bytes(words[at + columns])); }
  return Block(
    four_halves(words[at], words[at + columns]),
    four_halves(words[at + 2 * columns], words[at + 3 * columns]));
}

fn scale(group: u32, column: u32, columns: u32) -> vec4f {
  if (bits == 16) { return vec4f(1); }
  let s = scales[group * columns + column];
  return bitcast<vec4f>(vec4u(s.x << 16, s.x & 0xffff0000, s.y << 16, s.y & 0xffff0000));
}

fn write_four(row: u32, column: u32, size: Shape, value: vec4f) {
  if (row >= size.m) { return; }
  for (var j = 0u; j < min(4u, size.n - column); j++) {
    let i = row * size.n + column + j;
    var v = value[j];
    if (has_bias) { v += bias[column + j]; }
    if (accumulate) { v += out[i]; }
    out[i] = v;
  }
}

/// Four numbers of a row of x, with zeros past its end: what lies there may be NaN, and 0 · NaN too.
fn four(row: u32, k: u32, size: Shape) -> vec4f {
  if (!odd_k) { return x[(row * size.k + k) / 4]; }
  var v = vec4f();
  for (var j = 0u; j < 4; j++) { if (k + j < size.k) { v[j] = x_odd[row * size.k + k + j]; } }
  return v;
}

var<workgroup> parts: array<mat4x4f, lanes>;

@compute @workgroup_size(lanes)
fn forward(@builtin(workgroup_id) place: vec3u, @builtin(local_invocation_index) lane: u32) {
  let size = shape;
  let side = lanes / splits;
  let columns = (size.n + 3) / 4;
  let four_columns = place.x * side + lane % side;
  // What is past the end is the last one over again, and is not written: a barrier needs all lanes.
  let column = min(four_columns, columns - 1);
  let row = place.y * rows_each;
  let rows = min(row + vec4u(0, 1, 2, 3), vec4u(size.m - 1));
  let blocks = (size.k + 7) / 8;
  let along = size.group / 8;
  var sum = mat4x4f();
  for (var first = lane / side * along; first < blocks; first += splits * along) {
    var part = mat4x4f();
    for (var i = first; i < min(first + along, blocks); i++) {
      let w = eight(i, column, columns);
      part[0] += four(rows.x, 8 * i, size) * w.low + four(rows.x, 8 * i + 4, size) * w.high;
      if (rows_each > 1) {
        part[1] += four(rows.y, 8 * i, size) * w.low + four(rows.y, 8 * i + 4, size) * w.high;
        part[2] += four(rows.z, 8 * i, size) * w.low + four(rows.z, 8 * i + 4, size) * w.high;
        part[3] += four(rows.w, 8 * i, size) * w.low + four(rows.w, 8 * i + 4, size) * w.high;
      }
    }
    let s = scale(first / along, column, columns);
    sum += mat4x4f(part[0] * s, part[1] * s, part[2] * s, part[3] * s);
  }
  if (splits > 1) {
    parts[lane] = sum;
    workgroupBarrier();
    if (lane >= side) { return; }
    for (var other = lane + side; other < lanes; other += side) { sum += parts[other]; }
  }
  if (four_columns >= columns) { return; }
  write_four(row, 4 * column, size, sum[0]);
  if (rows_each > 1) {
    write_four(row + 1, 4 * column, size, sum[1]);
    write_four(row + 2, 4 * column, size, sum[2]);
    write_four(row + 3, 4 * column, size, sum[3]);
  }
}

/// Rows 8·i..8·i+7 of four columns, scaled: each matrix lists four rows.
fn scaled_rows(i: u32, column: u32, size: Shape) -> Block {
  let columns = (size.n + 3) / 4;
  let w = eight(i, column, columns);
  let s = scale(8 * i / size.group, column, columns);
  let low = transpose(w.low);
  let high = transpose(w.high);
  return Block(
    mat4x4f(low[0] * s, low[1] * s, low[2] * s, low[3] * s),
    mat4x4f(high[0] * s, high[1] * s, high[2] * s, high[3] * s));
}

fn write_row(k: u32, column: u32, size: Shape, row: vec4f) {
  if (k < size.k) { out_fours[k * (size.n / 4) + column] = row; }
}

@compute @workgroup_size(lanes)
fn unpack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let size = shape;
  let i = id.y + id.z * groups.y;
  if (4 * id.x >= size.n || 8 * i >= size.k) { return; }
  let rows = scaled_rows(i, id.x, size);
  write_row(8 * i, id.x, size, rows.low[0]);
  write_row(8 * i + 1, id.x, size, rows.low[1]);
  write_row(8 * i + 2, id.x, size, rows.low[2]);
  write_row(8 * i + 3, id.x, size, rows.low[3]);
  write_row(8 * i + 4, id.x, size, rows.high[0]);
  write_row(8 * i + 5, id.x, size, rows.high[1]);
  write_row(8 * i + 6, id.x, size, rows.high[2]);
  write_row(8 * i + 7, id.x, size, rows.high[3]);
}

@compute @workgroup_size(lanes)
fn unpack_odd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let size = shape;
  let i = id.y + id.z * groups.y;
  if (4 * id.x >= size.n || 8 * i >= size.k) { return; }
  let rows = scaled_rows(i, id.x, size);
  for (var r = 0u; r < min(8u, size.k - 8 * i); r++) {
    let row = select(rows.low[r & 3], rows.high[r & 3], r >= 4);
    for (var j = 0u; j < min(4u, size.n - 4 * id.x); j++) {
      out[(8 * i + r) * size.n + 4 * id.x + j] = row[j];
    }
  }
}

@compute @workgroup_size(lanes)
fn lookup(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let size = shape;
  let n = id.y + id.z * groups.y;
  let k = id.x;
  if (k >= size.k || n >= size.m) { return; }
  let columns = (size.n + 3) / 4;
  let own = ids[n];
  let per_word = 32 / bits;
  let word = words[(k / per_word) * columns + own / 4][own % 4] >> (k % per_word * bits);
  var v = 0.0;
  if (bits == 16) { v = unpack2x16float(word).x; }
  else { v = f32(bitcast<i32>(word << (32 - bits)) >> (32 - bits)) * scale(k / size.group, own / 4, columns)[own % 4]; }
  if (has_position) { v += position[(size.offset + n % size.time) * size.k + k]; }
  if (own >= size.n) { v = bitcast<f32>(0x7fc00000u | (size.n & 1)); }
  out[n * size.k + k] = v;
}
