// out = act(op(a) · op(b) [+ bias] [+ out]), row-major: op(a) is (m, k), op(b) is (k, n), out is (m, n).
// act is GELU or nothing; what it is applied to goes into before (m, n), where a backward pass asks for it.
//
// One invocation computes a tile of out, 4·strips rows by 4·blocks columns, 16×16 at most, held in
// registers as matrices of 4×4. The operands are textures of four numbers to a texel: on adapters that
// run on a processor a texel comes by straight vector code, where a load from a buffer is a loop with
// a branch for each lane.
//
// mat4x4f lists columns, and a texel is four numbers of a row: so each matrix here holds the
// transpose of its block, and (A·B)ᵀ = Bᵀ·Aᵀ makes the step `c += b * a`.
//
// a: (m, k), or (k, m) if transpose_a; b: (k, n), or (n, k) if transpose_b; their rows lie a_stride
// and b_stride texels apart. bias: (n). A ragged k sets odd_k; for a ragged n there is forward_odd.
// A workgroup has lanes_x tiles side by side, lanes in all: a number of the call and no override, since
// each override is compiled for itself. It is laid out in one dimension, because llvmpipe fills its vectors
// along x only. Workgroups along z share out the inner dimension, k_part of it (a multiple of four) each:
// part z of their products lies m·n numbers after part z - 1.

/// out and before: f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { m: u32, n: u32, k: u32, k_part: u32, a_stride: u32, b_stride: u32, lanes_x: u32 }

override transpose_a: bool = false;
override transpose_b: bool = false;
override odd_k: bool = false;
override has_bias: bool = false;
override accumulate: bool = false;
override gelu: bool = false;
override exact: bool = false;
override has_before: bool = false;
override strips: u32 = 4;
override blocks: u32 = 4;
override lanes: u32 = 8;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var a: texture_2d<f32>;
@group(0) @binding(2) var b: texture_2d<f32>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<real>>;
@group(0) @binding(5) var<storage, read_write> before: array<vec4<real>>;
@group(0) @binding(3) var<storage, read> bias_odd: array<f32>;
@group(0) @binding(4) var<storage, read_write> out_odd: array<real>;
@group(0) @binding(5) var<storage, read_write> before_odd: array<real>;

/// Four rows of out, 16 columns wide at most.
struct Strip { c0: mat4x4f, c1: mat4x4f, c2: mat4x4f, c3: mat4x4f }
/// 16 rows at most.
struct Tile { s0: Strip, s1: Strip, s2: Strip, s3: Strip }

fn texel_a(i: u32) -> vec4f { return textureLoad(a, vec2u(i & 2047u, i >> 11u), 0); }
fn texel_b(i: u32) -> vec4f { return textureLoad(b, vec2u(i & 2047u, i >> 11u), 0); }

/// Rows row..row+3 of op(a), columns k..k+3. What lies past the edges is never written to out.
fn block_a(row: u32, k: u32, size: Shape) -> mat4x4f {
  let stride = size.a_stride;
  let zero = vec4f();
  if (transpose_a) {
    let i = k * stride + row / 4u;
    var t = mat4x4f(texel_a(i), texel_a(i + stride), texel_a(i + 2u * stride), texel_a(i + 3u * stride));
    // Rows beyond k hold whatever was there before, and 0 · NaN would be NaN.
    if (odd_k) { t = mat4x4f(t[0], select(zero, t[1], k + 1u < size.k), select(zero, t[2], k + 2u < size.k), select(zero, t[3], k + 3u < size.k)); }
    return transpose(t);
  }
  let i = row * stride + k / 4u;
  return mat4x4f(texel_a(i), texel_a(i + stride), texel_a(i + 2u * stride), texel_a(i + 3u * stride));
}

/// Rows k..k+3 of op(b), columns column..column+3.
fn block_b(k: u32, column: u32, size: Shape) -> mat4x4f {
  let stride = size.b_stride;
  let zero = vec4f();
  if (transpose_b) {
    let i = column * stride + k / 4u;
    return transpose(mat4x4f(texel_b(i), texel_b(i + stride), texel_b(i + 2u * stride), texel_b(i + 3u * stride)));
  }
  let i = k * stride + column / 4u;
  let t = mat4x4f(texel_b(i), texel_b(i + stride), texel_b(i + 2u * stride), texel_b(i + 3u * stride));
  if (odd_k) { return mat4x4f(t[0], select(zero, t[1], k + 1u < size.k), select(zero, t[2], k + 2u < size.k), select(zero, t[3], k + 3u < size.k)); }
  return t;
}

/// Four rows of op(b), as wide as the tile.
fn strip_b(k: u32, column: u32, size: Shape) -> Strip {
  var strip = Strip();
  strip.c0 = block_b(k, column, size);
  if (blocks > 1u) { strip.c1 = block_b(k, column + 4u, size); }
  if (blocks > 2u) { strip.c2 = block_b(k, column + 8u, size); }
  if (blocks > 3u) { strip.c3 = block_b(k, column + 12u, size); }
  return strip;
}

fn multiply_add(c: Strip, b: Strip, a: mat4x4f) -> Strip {
  var sum = c;
  sum.c0 += b.c0 * a;
  if (blocks > 1u) { sum.c1 += b.c1 * a; }
  if (blocks > 2u) { sum.c2 += b.c2 * a; }
  if (blocks > 3u) { sum.c3 += b.c3 * a; }
  return sum;
}

fn product(row: u32, column: u32, part: u32, size: Shape) -> Tile {
  var c = Tile();
  let begin = part * size.k_part;
  let end = min(size.k, begin + size.k_part);
  for (var k = begin; k < end; k += 4u) {
    let strip = strip_b(k, column, size);
    c.s0 = multiply_add(c.s0, strip, block_a(row, k, size));
    if (strips > 1u) { c.s1 = multiply_add(c.s1, strip, block_a(row + 4u, k, size)); }
    if (strips > 2u) { c.s2 = multiply_add(c.s2, strip, block_a(row + 8u, k, size)); }
    if (strips > 3u) { c.s3 = multiply_add(c.s3, strip, block_a(row + 12u, k, size)); }
  }
  return c;
}

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

fn write_four(row: u32, column: u32, part: u32, size: Shape, value: vec4f) {
  if (row >= size.m) { return; }
  let i = ((part * size.m + row) * size.n + column) / 4u;
  var v = value;
  if (has_bias) { v += bias[column / 4u]; }
  if (accumulate) { v += vec4f(out[i]); }
  if (has_before) { before[i] = vec4<real>(v); }
  out[i] = vec4<real>(activation(v));
}
fn write_block(row: u32, column: u32, part: u32, size: Shape, t: mat4x4f) {
  write_four(row, column, part, size, t[0]);
  write_four(row + 1u, column, part, size, t[1]);
  write_four(row + 2u, column, part, size, t[2]);
  write_four(row + 3u, column, part, size, t[3]);
}
/// One block is written at a time, and the others move up: a compiler then makes code for one block, where
/// 16 of them written out take Mesa 25 eleven seconds and a dynamic index takes Mesa 22 four.
fn write_strip(row: u32, column: u32, part: u32, size: Shape, strip: Strip) {
  var s = strip;
  let end = min(size.n, column + 4u * blocks);
  for (var at = column; at < end; at += 4u) {
    write_block(row, at, part, size, s.c0);
    s.c0 = s.c1; s.c1 = s.c2; s.c2 = s.c3;
  }
}

@compute @workgroup_size(lanes)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let size = shape;
  let row = (group.y * (lanes / size.lanes_x) + local.x / size.lanes_x) * 4u * strips;
  let column = (group.x * size.lanes_x + local.x % size.lanes_x) * 4u * blocks;
  if (row >= size.m || column >= size.n) { return; }
  var c = product(row, column, group.z, size);
  let end = min(size.m, row + 4u * strips);
  for (var at = row; at < end; at += 4u) {
    write_strip(at, column, group.z, size, c.s0);
    c.s0 = c.s1; c.s1 = c.s2; c.s2 = c.s3;
  }
}

fn write_four_odd(row: u32, column: u32, part: u32, size: Shape, value: vec4f) {
  if (row >= size.m) { return; }
  for (var j = 0u; j < min(4u, size.n - column); j++) {
    let i = (part * size.m + row) * size.n + column + j;
    var v = value[j];
    if (has_bias) { v += bias_odd[column + j]; }
    if (accumulate) { v += f32(out_odd[i]); }
    if (has_before) { before_odd[i] = real(v); }
    out_odd[i] = real(activation(vec4f(v)).x);
  }
}
fn write_block_odd(row: u32, column: u32, part: u32, size: Shape, t: mat4x4f) {
  for (var i = 0u; i < 4u; i++) { write_four_odd(row + i, column, part, size, t[i]); }
}
fn write_strip_odd(row: u32, column: u32, part: u32, size: Shape, strip: Strip) {
  var s = strip;
  let end = min(size.n, column + 4u * blocks);
  for (var at = column; at < end; at += 4u) {
    write_block_odd(row, at, part, size, s.c0);
    s.c0 = s.c1; s.c1 = s.c2; s.c2 = s.c3;
  }
}

@compute @workgroup_size(lanes)
fn forward_odd(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let size = shape;
  let row = (group.y * (lanes / size.lanes_x) + local.x / size.lanes_x) * 4u * strips;
  let column = (group.x * size.lanes_x + local.x % size.lanes_x) * 4u * blocks;
  if (row >= size.m || column >= size.n) { return; }
  var c = product(row, column, group.z, size);
  let end = min(size.m, row + 4u * strips);
  for (var at = row; at < end; at += 4u) {
    write_strip_odd(at, column, group.z, size, c.s0);
    c.s0 = c.s1; c.s1 = c.s2; c.s2 = c.s3;
  }
}
