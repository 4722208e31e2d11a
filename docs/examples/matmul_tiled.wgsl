// out = a · b, with a (m, k), b (k, n) and out (m, n), all row by row; m, n and k are multiples of 4.
//
// One invocation computes a tile of 4×4 numbers of out, so that each number it reads is used four
// times. A mat4x4f consists of columns; here they are the rows of the tile, and a product of tiles is
// written the other way round.

struct Shape { m: u32, n: u32, k: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let across = shape.n / 4u; // tiles in a row of b and of out
  let along = shape.k / 4u; // tiles in a row of a
  if (id.x >= across || id.y >= shape.m / 4u) { return; }
  let top = id.y * 4u;
  var tile = mat4x4f();
  for (var i = 0u; i < along; i++) {
    let left = mat4x4f(
      a[top * along + i],
      a[(top + 1u) * along + i],
      a[(top + 2u) * along + i],
      a[(top + 3u) * along + i],
    );
    let right = mat4x4f(
      b[4u * i * across + id.x],
      b[(4u * i + 1u) * across + id.x],
      b[(4u * i + 2u) * across + id.x],
      b[(4u * i + 3u) * across + id.x],
    );
    tile += right * left;
  }
  for (var row = 0u; row < 4u; row++) {
    out[(top + row) * across + id.x] = tile[row];
  }
}
