// Sums over rows, in one fixed order: the gradients of biases and of layer norm's parameters.
//
//   sum:         out[c] = Σ_r d_out[r, c]
//   normalized:  the same, and scaled[c] = Σ_r d_out[r, c]·(x[r, c] - mean[r])·rstd[r]
//
// In `sum` and `normalized` one invocation adds `chunk` rows of four columns into partial[chunk, c],
// of one column in those that end in _odd, which serve columns that are no multiple of four. Scaled
// sums lie behind the plain ones: partial[chunk, columns + c]. `finish` and, for two sums, `finish_both`
// add the chunks of one column.
//
// chunk is a multiple of four: rows are added by fours, because a pass through a loop costs a processor
// as much as what is done in it. d_out, x: (rows, columns). out, scaled: (columns).

/// d_out and x: f32, or f16 (see src/gpu/kernel.ts); sums are f32.
alias real = f32;

struct Shape { rows: u32, columns: u32, chunk: u32, chunks: u32 }

override accumulate: bool = false;
override accumulate_scaled: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> d_out: array<vec4<real>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<real>>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> rstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
@group(0) @binding(7) var<storage, read_write> scaled: array<f32>;

@group(0) @binding(1) var<storage, read> d_out_odd: array<real>;
@group(0) @binding(2) var<storage, read> x_odd: array<real>;
@group(0) @binding(5) var<storage, read_write> partial_odd: array<f32>;

/// Row r of d_out, zero past the end.
fn row(r: u32, column: u32, end: u32) -> vec4f {
  let i = min(r, end - 1) * (shape.columns / 4) + column;
  return select(vec4f(), vec4f(d_out[i]), r < end);
}

/// d_out·x̂ where `d` is row r of d_out.
fn scale(d: vec4f, r: u32, column: u32, end: u32) -> vec4f {
  let inside = min(r, end - 1);
  return d * (vec4f(x[inside * (shape.columns / 4) + column]) - mean[inside]) * rstd[inside];
}

@compute @workgroup_size(lanes)
fn sum(@builtin(global_invocation_id) id: vec3u) {
  let columns = shape.columns / 4;
  if (id.x >= columns) { return; }
  let end = min((id.y + 1) * shape.chunk, shape.rows);
  var total = vec4f();
  for (var r = id.y * shape.chunk; r < end; r += 4) {
    total += (row(r, id.x, end) + row(r + 1, id.x, end)) +
      (row(r + 2, id.x, end) + row(r + 3, id.x, end));
  }
  partial[id.y * columns + id.x] = total;
}

@compute @workgroup_size(lanes)
fn normalized(@builtin(global_invocation_id) id: vec3u) {
  let columns = shape.columns / 4;
  if (id.x >= columns) { return; }
  let end = min((id.y + 1) * shape.chunk, shape.rows);
  var total = vec4f();
  var products = vec4f();
  for (var r = id.y * shape.chunk; r < end; r += 4) {
    let d0 = row(r, id.x, end);
    let d1 = row(r + 1, id.x, end);
    let d2 = row(r + 2, id.x, end);
    let d3 = row(r + 3, id.x, end);
    total += (d0 + d1) + (d2 + d3);
    products += (scale(d0, r, id.x, end) + scale(d1, r + 1, id.x, end)) +
      (scale(d2, r + 2, id.x, end) + scale(d3, r + 3, id.x, end));
  }
  let at = id.y * 2 * columns + id.x;
  partial[at] = total;
  partial[at + columns] = products;
}

@compute @workgroup_size(lanes)
fn sum_odd(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.columns) { return; }
  let end = min((id.y + 1) * shape.chunk, shape.rows);
  var total = 0.0;
  for (var r = id.y * shape.chunk; r < end; r++) { total += f32(d_out_odd[r * shape.columns + id.x]); }
  partial_odd[id.y * shape.columns + id.x] = total;
}

@compute @workgroup_size(lanes)
fn normalized_odd(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.columns) { return; }
  let end = min((id.y + 1) * shape.chunk, shape.rows);
  var total = 0.0;
  var products = 0.0;
  for (var r = id.y * shape.chunk; r < end; r++) {
    let i = r * shape.columns + id.x;
    total += f32(d_out_odd[i]);
    products += f32(d_out_odd[i]) * (f32(x_odd[i]) - mean[r]) * rstd[r];
  }
  let at = id.y * 2 * shape.columns + id.x;
  partial_odd[at] = total;
  partial_odd[at + shape.columns] = products;
}

/// The sum of what all chunks have at `column`.
fn all_chunks(column: u32, width: u32) -> f32 {
  var total = 0.0;
  for (var c = 0u; c < shape.chunks; c++) { total += partial_odd[c * width + column]; }
  return total;
}

fn put(column: u32, sum: f32) {
  var total = sum;
  if (accumulate) { total += out[column]; }
  out[column] = total;
}

@compute @workgroup_size(lanes)
fn finish(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < shape.columns) { put(id.x, all_chunks(id.x, shape.columns)); }
}

@compute @workgroup_size(lanes)
fn finish_both(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= 2 * shape.columns) { return; }
  var total = all_chunks(id.x, 2 * shape.columns);
  if (id.x < shape.columns) {
    put(id.x, total);
  } else {
    let i = id.x - shape.columns;
    if (accumulate_scaled) { total += scaled[i]; }
    scaled[i] = total;
  }
}
