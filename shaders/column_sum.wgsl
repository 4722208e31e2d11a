// Sums over rows, in one fixed order: the gradients of biases and of layer norm's weights.
//
//   sum:         out[c] = Σ_r d_out[r, c]
//   normalized:  out[c] = Σ_r d_out[r, c]·(x[r, c] - mean[r])·rstd[r]
//
// In `sum` and `normalized` one invocation adds `chunk` rows of one column into partial[chunk, c];
// `finish` adds the chunks into out. d_out, x: (rows, columns). out: (columns).

struct Shape { rows: u32, columns: u32, chunk: u32, chunks: u32 }

override accumulate: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> d_out: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> rstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(lanes)
fn sum(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.columns) { return; }
  let end = min((id.y + 1) * shape.chunk, shape.rows);
  var total = 0.0;
  for (var r = id.y * shape.chunk; r < end; r++) { total += d_out[r * shape.columns + id.x]; }
  partial[id.y * shape.columns + id.x] = total;
}

@compute @workgroup_size(lanes)
fn normalized(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.columns) { return; }
  let end = min((id.y + 1) * shape.chunk, shape.rows);
  var total = 0.0;
  for (var r = id.y * shape.chunk; r < end; r++) {
    let i = r * shape.columns + id.x;
    total += d_out[i] * (x[i] - mean[r]) * rstd[r];
  }
  partial[id.y * shape.columns + id.x] = total;
}

@compute @workgroup_size(lanes)
fn finish(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.columns) { return; }
  var total = 0.0;
  for (var c = 0u; c < shape.chunks; c++) { total += partial[c * shape.columns + id.x]; }
  if (accumulate) { total += out[id.x]; }
  out[id.x] = total;
}
