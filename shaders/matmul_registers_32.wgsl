// out = op(a) · op(b) [+ bias] [+ out], row-major: op(a) is (m, k), op(b) is (k, n), out is (m, n).
//
// One invocation computes a 32×32 tile of out, held in registers as 8×8 matrices of 4×4, straight
// from storage: for adapters that run on a processor, where each load costs far more than the
// arithmetic and workgroup memory is no faster than any other.
//
// mat4x4f lists columns, and a row of four numbers is what memory gives: so each matrix here holds
// the transpose of its block, and (A·B)ᵀ = Bᵀ·Aᵀ makes the step `c += b * a`.
//
// a: (m, k), or (k, m) if transpose_a.  b: (k, n), or (n, k) if transpose_b.  bias: (n).

struct Shape { m: u32, n: u32, k: u32 }

override transpose_a: bool = false;
override transpose_b: bool = false;
override has_bias: bool = false;
override accumulate: bool = false;
override lanes: u32 = 8;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

/// Four rows of out, 32 columns wide.
struct Strip { c0: mat4x4f, c1: mat4x4f, c2: mat4x4f, c3: mat4x4f, c4: mat4x4f, c5: mat4x4f, c6: mat4x4f, c7: mat4x4f }

fn four_a(i: u32) -> vec4f { return vec4f(a[i], a[i + 1], a[i + 2], a[i + 3]); }
fn four_b(i: u32) -> vec4f { return vec4f(b[i], b[i + 1], b[i + 2], b[i + 3]); }

/// Rows row..row+3 of op(a), columns k..k+3. What lies past the edges is never written to out.
fn block_a(row: u32, k: u32) -> mat4x4f {
  if (transpose_a) {
    let i = k * shape.m + row;
    return transpose(mat4x4f(four_a(i), four_a(i + shape.m), four_a(i + 2 * shape.m), four_a(i + 3 * shape.m)));
  }
  let i = row * shape.k + k;
  return mat4x4f(four_a(i), four_a(i + shape.k), four_a(i + 2 * shape.k), four_a(i + 3 * shape.k));
}

/// Rows k..k+3 of op(b), columns column..column+3.
fn block_b(k: u32, column: u32) -> mat4x4f {
  if (transpose_b) {
    let i = column * shape.k + k;
    return transpose(mat4x4f(four_b(i), four_b(i + shape.k), four_b(i + 2 * shape.k), four_b(i + 3 * shape.k)));
  }
  let i = k * shape.n + column;
  return mat4x4f(four_b(i), four_b(i + shape.n), four_b(i + 2 * shape.n), four_b(i + 3 * shape.n));
}

/// The last block of the inner dimension: what lies beyond k is zero, whatever the memory holds.
fn last_a(row: u32, k: u32) -> mat4x4f {
  let inside = vec4u(k, k + 1, k + 2, k + 3) < vec4u(shape.k);
  let t = block_a(row, k);
  let zero = vec4f();
  return mat4x4f(select(zero, t[0], inside), select(zero, t[1], inside), select(zero, t[2], inside), select(zero, t[3], inside));
}
fn last_b(k: u32, column: u32) -> mat4x4f {
  let t = block_b(k, column);
  let zero = vec4f();
  return mat4x4f(t[0], select(zero, t[1], k + 1 < shape.k), select(zero, t[2], k + 2 < shape.k), select(zero, t[3], k + 3 < shape.k));
}

fn strip_b(k: u32, column: u32) -> Strip {
  return Strip(block_b(k, column), block_b(k, column + 4), block_b(k, column + 8), block_b(k, column + 12), block_b(k, column + 16), block_b(k, column + 20), block_b(k, column + 24), block_b(k, column + 28));
}
fn last_strip_b(k: u32, column: u32) -> Strip {
  return Strip(last_b(k, column), last_b(k, column + 4), last_b(k, column + 8), last_b(k, column + 12), last_b(k, column + 16), last_b(k, column + 20), last_b(k, column + 24), last_b(k, column + 28));
}

fn multiply_add(c: Strip, b: Strip, a: mat4x4f) -> Strip {
  return Strip(c.c0 + b.c0 * a, c.c1 + b.c1 * a, c.c2 + b.c2 * a, c.c3 + b.c3 * a, c.c4 + b.c4 * a, c.c5 + b.c5 * a, c.c6 + b.c6 * a, c.c7 + b.c7 * a);
}

fn write_four(row: u32, column: u32, value: vec4f) {
  for (var j = 0u; j < min(4u, shape.n - min(column, shape.n)); j++) {
    let i = row * shape.n + column + j;
    var v = value[j];
    if (has_bias) { v += bias[column + j]; }
    if (accumulate) { v += out[i]; }
    out[i] = v;
  }
}

fn write_block(row: u32, column: u32, value: mat4x4f) {
  if (row < shape.m) { write_four(row, column, value[0]); }
  if (row + 1 < shape.m) { write_four(row + 1, column, value[1]); }
  if (row + 2 < shape.m) { write_four(row + 2, column, value[2]); }
  if (row + 3 < shape.m) { write_four(row + 3, column, value[3]); }
}

fn write_strip(row: u32, column: u32, c: Strip) {
  write_block(row, column, c.c0);
  write_block(row, column + 4, c.c1);
  write_block(row, column + 8, c.c2);
  write_block(row, column + 12, c.c3);
  write_block(row, column + 16, c.c4);
  write_block(row, column + 20, c.c5);
  write_block(row, column + 24, c.c6);
  write_block(row, column + 28, c.c7);
}

@compute @workgroup_size(lanes)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = group.y * 32u;
  let column = (group.x * lanes + local.x) * 32u;
  if (column >= shape.n) { return; }
  var c0 = Strip();
  var c1 = Strip();
  var c2 = Strip();
  var c3 = Strip();
  var c4 = Strip();
  var c5 = Strip();
  var c6 = Strip();
  var c7 = Strip();
  let whole = shape.k & ~3u;
  for (var k = 0u; k < whole; k += 4) {
    let strip = strip_b(k, column);
    c0 = multiply_add(c0, strip, block_a(row, k));
    c1 = multiply_add(c1, strip, block_a(row + 4, k));
    c2 = multiply_add(c2, strip, block_a(row + 8, k));
    c3 = multiply_add(c3, strip, block_a(row + 12, k));
    c4 = multiply_add(c4, strip, block_a(row + 16, k));
    c5 = multiply_add(c5, strip, block_a(row + 20, k));
    c6 = multiply_add(c6, strip, block_a(row + 24, k));
    c7 = multiply_add(c7, strip, block_a(row + 28, k));
  }
  if (whole < shape.k) {
    let strip = last_strip_b(whole, column);
    c0 = multiply_add(c0, strip, last_a(row, whole));
    c1 = multiply_add(c1, strip, last_a(row + 4, whole));
    c2 = multiply_add(c2, strip, last_a(row + 8, whole));
    c3 = multiply_add(c3, strip, last_a(row + 12, whole));
    c4 = multiply_add(c4, strip, last_a(row + 16, whole));
    c5 = multiply_add(c5, strip, last_a(row + 20, whole));
    c6 = multiply_add(c6, strip, last_a(row + 24, whole));
    c7 = multiply_add(c7, strip, last_a(row + 28, whole));
  }
  write_strip(row, column, c0);
  write_strip(row + 4, column, c1);
  write_strip(row + 8, column, c2);
  write_strip(row + 12, column, c3);
  write_strip(row + 16, column, c4);
  write_strip(row + 20, column, c5);
  write_strip(row + 24, column, c6);
  write_strip(row + 28, column, c7);
}
