// out = a · op(b) [+ bias], as matmul_registers_16.wgsl has it, for an `a` of few rows: generation
// multiplies one row per sequence by every weight, and a tile of sixteen would be mostly waste.
//
// One invocation computes four neighbouring columns of one row.
//
// a: (m, k).  b: (k, n), or (n, k) if transpose_b.  bias: (n).  out: (m, n).

struct Shape { m: u32, n: u32, k: u32 }

override transpose_b: bool = false;
override has_bias: bool = false;
override accumulate: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

fn four_a(i: u32) -> vec4f { return vec4f(a[i], a[i + 1], a[i + 2], a[i + 3]); }
fn four_b(i: u32) -> vec4f { return vec4f(b[i], b[i + 1], b[i + 2], b[i + 3]); }

/// a[k..k+3] times the four columns of op(b) that begin at `column`.
fn four_products(at: u32, k: u32, column: u32) -> vec4f {
  if (transpose_b) {
    let i = column * shape.k + k;
    return four_a(at + k) * mat4x4f(four_b(i), four_b(i + shape.k), four_b(i + 2 * shape.k), four_b(i + 3 * shape.k));
  }
  let i = k * shape.n + column;
  return mat4x4f(four_b(i), four_b(i + shape.n), four_b(i + 2 * shape.n), four_b(i + 3 * shape.n)) * four_a(at + k);
}

/// The same for a single k.
fn product(at: u32, k: u32, column: u32) -> vec4f {
  if (transpose_b) {
    let i = column * shape.k + k;
    return a[at + k] * vec4f(b[i], b[i + shape.k], b[i + 2 * shape.k], b[i + 3 * shape.k]);
  }
  return a[at + k] * four_b(k * shape.n + column);
}

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x * 4;
  if (column >= shape.n) { return; }
  let at = id.y * shape.k;
  var sum = vec4f();
  let whole = shape.k & ~3u;
  for (var k = 0u; k < whole; k += 4) { sum += four_products(at, k, column); }
  for (var k = whole; k < shape.k; k++) { sum += product(at, k, column); }
  for (var j = 0u; j < min(4u, shape.n - column); j++) {
    let i = id.y * shape.n + column + j;
    var v = sum[j];
    if (has_bias) { v += bias[column + j]; }
    if (accumulate) { v += out[i]; }
    out[i] = v;
  }
}
