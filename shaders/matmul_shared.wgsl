// out = op(a) · op(b) [+ bias] [+ out], as matmul_texels.wgsl has it, for graphics processors.
//
// A workgroup of 8×8 invocations computes a 64×64 tile of out. It walks the inner dimension in
// slices of 16, which all invocations bring into workgroup memory together; each then multiplies
// its own 8×8 tile in registers, as 2×2 matrices of 4×4 in which `c += b * a` (the transposes).
//
// a: (m, k), or (k, m) if transpose_a.  b: (k, n), or (n, k) if transpose_b.  bias: (n).

/// Both operands, and out: f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias operand = f32;
alias real = f32;

struct Shape { m: u32, n: u32, k: u32 }

override transpose_a: bool = false;
override transpose_b: bool = false;
override has_bias: bool = false;
override accumulate: bool = false;

const TILE = 64u;
const SLICE = 16u;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<operand>;
@group(0) @binding(2) var<storage, read> b: array<operand>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<real>;

// Four neighbours of the inner dimension side by side: slice_a[k / 4][row] and slice_b[k][column / 4].
var<workgroup> slice_a: array<vec4f, SLICE / 4 * TILE>;
var<workgroup> slice_b: array<vec4f, SLICE * TILE / 4>;

fn element_a(row: u32, k: u32) -> f32 {
  if (row >= shape.m || k >= shape.k) { return 0; }
  if (transpose_a) { return f32(a[k * shape.m + row]); }
  return f32(a[row * shape.k + k]);
}

fn element_b(k: u32, column: u32) -> f32 {
  if (column >= shape.n || k >= shape.k) { return 0; }
  if (transpose_b) { return f32(b[column * shape.k + k]); }
  return f32(b[k * shape.n + column]);
}

fn bring(row: u32, column: u32, k: u32, local: u32) {
  for (var i = local; i < SLICE / 4 * TILE; i += 64u) {
    // Neighbouring invocations read neighbouring memory, whichever way round the operand lies.
    let ar = select(i / (SLICE / 4), i % TILE, transpose_a);
    let ak = select(i % (SLICE / 4), i / TILE, transpose_a);
    slice_a[ak * TILE + ar] = vec4f(
      element_a(row + ar, k + 4 * ak), element_a(row + ar, k + 4 * ak + 1),
      element_a(row + ar, k + 4 * ak + 2), element_a(row + ar, k + 4 * ak + 3));
    let bk = select(i / (TILE / 4), i % SLICE, transpose_b);
    let bc = select(i % (TILE / 4), i / SLICE, transpose_b);
    slice_b[bk * (TILE / 4) + bc] = vec4f(
      element_b(k + bk, column + 4 * bc), element_b(k + bk, column + 4 * bc + 1),
      element_b(k + bk, column + 4 * bc + 2), element_b(k + bk, column + 4 * bc + 3));
  }
}

fn block_a(k: u32, row: u32) -> mat4x4f {
  let i = k / 4 * TILE + row;
  return mat4x4f(slice_a[i], slice_a[i + 1], slice_a[i + 2], slice_a[i + 3]);
}

fn block_b(k: u32, column: u32) -> mat4x4f {
  let i = k * (TILE / 4) + column / 4;
  return mat4x4f(slice_b[i], slice_b[i + 16], slice_b[i + 32], slice_b[i + 48]);
}

fn write_block(row: u32, column: u32, value: mat4x4f) {
  for (var r = 0u; r < min(4u, shape.m - min(row, shape.m)); r++) {
    for (var j = 0u; j < min(4u, shape.n - min(column, shape.n)); j++) {
      let i = (row + r) * shape.n + column + j;
      var v = value[r][j];
      if (has_bias) { v += bias[column + j]; }
      if (accumulate) { v += f32(out[i]); }
      out[i] = real(v);
    }
  }
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group.y * TILE;
  let column = group.x * TILE;
  let own_row = local / 8 * 8;
  let own_column = local % 8 * 8;
  var c00 = mat4x4f();
  var c01 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();
  for (var k = 0u; k < shape.k; k += SLICE) {
    bring(row, column, k, local);
    workgroupBarrier();
    for (var s = 0u; s < SLICE; s += 4u) {
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
  write_block(row + own_row, column + own_column, c00);
  write_block(row + own_row, column + own_column + 4, c01);
  write_block(row + own_row + 4, column + own_column, c10);
  write_block(row + own_row + 4, column + own_column + 4, c11);
}
