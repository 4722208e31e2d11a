// A block of neighbouring columns of a matrix: taken out, or added to, times a factor.
//
//   take:        out[r, c]            = factor·x[r·stride + offset + c]
//   accumulate:  out[r·stride + offset + c] += factor·x[r, c]
//
// One invocation moves one element. The dense side is (rows, columns); the other has `stride` elements
// from one row to the next, and its block begins `offset` elements after the beginning of each row.

/// f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { rows: u32, columns: u32, stride: u32, offset: u32, factor: f32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<real>;
@group(0) @binding(2) var<storage, read_write> out: array<real>;

@compute @workgroup_size(lanes)
fn take(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.rows * shape.columns) { return; }
  let row = i / shape.columns;
  out[i] = real(shape.factor * f32(x[row * shape.stride + shape.offset + i - row * shape.columns]));
}

@compute @workgroup_size(lanes)
fn accumulate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.rows * shape.columns) { return; }
  let row = i / shape.columns;
  let at = row * shape.stride + shape.offset + i - row * shape.columns;
  out[at] = real(f32(out[at]) + shape.factor * f32(x[i]));
}
