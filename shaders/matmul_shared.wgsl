// out = act(op(a) · op(b) [+ bias] [+ out]), as matmul_texels.wgsl has it, for graphics processors.
//
// A workgroup of lanes_x by lanes_y invocations computes a tile of out of eight times as many columns
// and rows. It walks the inner dimension in slices, which all invocations bring into workgroup memory
// together; each then multiplies its own 8×8 tile in registers, as 2×2 matrices of 4×4 in which
// `c += b * a` (the transposes). Workgroups along z share out the inner dimension, k_part of it (a
// multiple of the slice) each: part z of their products lies m·n numbers after part z - 1.
//
// a: (m, k), or (k, m) if transpose_a.  b: (k, n), or (n, k) if transpose_b.  bias: (n).  out, before: (m, n).

/// Both operands, and both results: f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias operand = f32;
alias real = f32;

struct Shape { m: u32, n: u32, k: u32, k_part: u32 }

override transpose_a: bool = false;
override transpose_b: bool = false;
override has_bias: bool = false;
override accumulate: bool = false;
override gelu: bool = false;
override exact: bool = false;
override has_before: bool = false;
/// The tile is 8·lanes_x columns by 8·lanes_y rows.
override lanes_x: u32 = 8;
override lanes_y: u32 = 8;
/// Steps of the inner dimension in workgroup memory: a multiple of four.
override slice: u32 = 16;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<operand>;
@group(0) @binding(2) var<storage, read> b: array<operand>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<real>;
@group(0) @binding(5) var<storage, read_write> before: array<real>;

// Four neighbours of the inner dimension side by side: slice_a[k / 4][row] and slice_b[k][column / 4].
var<workgroup> slice_a: array<vec4f, 2 * slice * lanes_y>;
var<workgroup> slice_b: array<vec4f, 2 * slice * lanes_x>;

fn element_a(row: u32, k: u32, end: u32) -> f32 {
  if (row >= shape.m || k >= end) { return 0; }
  if (transpose_a) { return f32(a[k * shape.m + row]); }
  return f32(a[row * shape.k + k]);
}

fn element_b(k: u32, column: u32, end: u32) -> f32 {
  if (column >= shape.n || k >= end) { return 0; }
  if (transpose_b) { return f32(b[column * shape.k + k]); }
  return f32(b[k * shape.n + column]);
}

// Neighbouring invocations read neighbouring memory, whichever way round an operand lies.
fn bring(row: u32, column: u32, k: u32, end: u32, local: u32) {
  let rows = 8 * lanes_y;
  for (var i = local; i < slice / 4 * rows; i += lanes_x * lanes_y) {
    let r = row + select(i / (slice / 4), i % rows, transpose_a);
    let s = select(i % (slice / 4), i / rows, transpose_a);
    let first = k + 4 * s;
    slice_a[s * rows + r - row] = vec4f(
      element_a(r, first, end), element_a(r, first + 1, end),
      element_a(r, first + 2, end), element_a(r, first + 3, end));
  }
  let fours = 2 * lanes_x;
  for (var i = local; i < slice * fours; i += lanes_x * lanes_y) {
    let s = select(i / fours, i % slice, transpose_b);
    let four = select(i % fours, i / slice, transpose_b);
    let c = column + 4 * four;
    slice_b[s * fours + four] = vec4f(
      element_b(k + s, c, end), element_b(k + s, c + 1, end),
      element_b(k + s, c + 2, end), element_b(k + s, c + 3, end));
  }
}

fn block_a(k: u32, row: u32) -> mat4x4f {
  let i = k / 4 * 8 * lanes_y + row;
  return mat4x4f(slice_a[i], slice_a[i + 1], slice_a[i + 2], slice_a[i + 3]);
}

fn block_b(k: u32, column: u32) -> mat4x4f {
  let fours = 2 * lanes_x;
  let i = k * fours + column / 4;
  return mat4x4f(slice_b[i], slice_b[i + fours], slice_b[i + 2 * fours], slice_b[i + 3 * fours]);
}

const INVERSE_SQRT_2 = 0.7071067811865476;
const SQRT_2_OVER_PI = 0.7978845608028654;

fn erfc_positive(z: f32) -> f32 {
  let t = 1 / (1 + 0.5 * z);
  let p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 +
    t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  return t * exp(-z * z + p);
}

/// GELU, as gelu.wgsl has it, where it is asked for.
fn activation(v: f32) -> f32 {
  if (!gelu) { return v; }
  if (exact) {
    let half_tail = 0.5 * erfc_positive(abs(v) * INVERSE_SQRT_2);
    return v * select(half_tail, 1 - half_tail, v > 0);
  }
  return v / (1 + exp(clamp(-2 * SQRT_2_OVER_PI * (v + 0.044715 * v * v * v), -80, 80)));
}

fn write_block(row: u32, column: u32, part: u32, value: mat4x4f) {
  for (var r = 0u; r < min(4u, shape.m - min(row, shape.m)); r++) {
    for (var j = 0u; j < min(4u, shape.n - min(column, shape.n)); j++) {
      let i = (part * shape.m + row + r) * shape.n + column + j;
      var v = value[r][j];
      if (has_bias) { v += bias[column + j]; }
      if (accumulate) { v += f32(out[i]); }
      if (has_before) { before[i] = real(v); }
      out[i] = real(activation(v));
    }
  }
}

@compute @workgroup_size(lanes_x, lanes_y)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group.y * 8 * lanes_y;
  let column = group.x * 8 * lanes_x;
  let own_row = local / lanes_x * 8;
  let own_column = local % lanes_x * 8;
  let begin = group.z * shape.k_part;
  let end = min(shape.k, begin + shape.k_part);
  var c00 = mat4x4f();
  var c01 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();
  for (var k = begin; k < end; k += slice) {
    bring(row, column, k, end, local);
    workgroupBarrier();
    for (var s = 0u; s < slice; s += 4u) {
      let a0 = block_a(s, own_row);
      let a1 = block_a(s, own_row + 4);
      let b0 = block_b(s, own_column);
      let b1 = block_b(s, own_column + 4);
      c00 += b0 * a0;
      c01 += b1 * a0;
      c10 += b0 * a1;
      c11 += b1 * a1;
    }
    workgroupBarrier();
  }
  write_block(row + own_row, column + own_column, group.z, c00);
  write_block(row + own_row, column + own_column + 4, group.z, c01);
  write_block(row + own_row + 4, column + own_column, group.z, c10);
  write_block(row + own_row + 4, column + own_column + 4, group.z, c11);
}
