// Layer norm (see layer_norm.wgsl) in its three parts, for those who look at what lies between them or
// put something else there. Over each row of length columns, with mean its mean:
//
//   scale:               scale = √(mean((x - mean)²) + epsilon)
//   scale_backward:      d_x   = d_scale·(x - mean)/(columns·scale)
//   divide:              out   = (x - mean)/scale
//   divide_backward:     d_x   = (d_out - mean(d_out))/scale,  d_scale = -Σ d_out·(x - mean)/scale²
//   affine:              out   = x·weight + bias; without bias, its own backward: d_x = d_out·weight
//
// In all but `affine` one invocation owns a row; in `affine` it computes one number.
// x, out, d_out, d_x: (row_count, columns). scale, d_scale: (row_count). weight, bias: (columns).

/// f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { row_count: u32, columns: u32, epsilon: f32 }

override has_bias: bool = true;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<real>;
@group(0) @binding(2) var<storage, read_write> scale_out: array<f32>;
@group(0) @binding(2) var<storage, read> scale_in: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<real>;
@group(0) @binding(4) var<storage, read> d_out: array<real>;
@group(0) @binding(4) var<storage, read> d_scale_in: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_x: array<real>;
@group(0) @binding(6) var<storage, read_write> d_scale_out: array<f32>;
@group(0) @binding(5) var<storage, read> weight: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;

/// The mean of the row that begins at `at`. The sum begins at the row's first element, or a row far from
/// zero would lose precision.
fn mean_of(at: u32) -> f32 {
  let origin = f32(x[at]);
  var sum = 0.0;
  for (var c = 0u; c < shape.columns; c++) { sum += f32(x[at + c]) - origin; }
  return origin + sum / f32(shape.columns);
}

@compute @workgroup_size(lanes)
fn scale(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * lanes;
  if (row >= shape.row_count) { return; }
  let at = row * shape.columns;
  let mean = mean_of(at);
  var squares = 0.0;
  for (var c = 0u; c < shape.columns; c++) {
    let d = f32(x[at + c]) - mean;
    squares += d * d;
  }
  scale_out[row] = sqrt(squares / f32(shape.columns) + shape.epsilon);
}

@compute @workgroup_size(lanes)
fn scale_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * lanes;
  if (row >= shape.row_count) { return; }
  let at = row * shape.columns;
  let mean = mean_of(at);
  let factor = d_scale_in[row] / (f32(shape.columns) * scale_in[row]);
  for (var c = 0u; c < shape.columns; c++) { d_x[at + c] = real(factor * (f32(x[at + c]) - mean)); }
}

@compute @workgroup_size(lanes)
fn divide(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * lanes;
  if (row >= shape.row_count) { return; }
  let at = row * shape.columns;
  let mean = mean_of(at);
  for (var c = 0u; c < shape.columns; c++) { out[at + c] = real((f32(x[at + c]) - mean) / scale_in[row]); }
}

@compute @workgroup_size(lanes)
fn divide_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * lanes;
  if (row >= shape.row_count) { return; }
  let at = row * shape.columns;
  let mean = mean_of(at);
  let scale = scale_in[row];
  var sum = 0.0;
  var product = 0.0;
  for (var c = 0u; c < shape.columns; c++) {
    let d = f32(d_out[at + c]);
    sum += d;
    product += d * (f32(x[at + c]) - mean);
  }
  let mean_d = sum / f32(shape.columns);
  for (var c = 0u; c < shape.columns; c++) {
    d_x[at + c] = real((f32(d_out[at + c]) - mean_d) / scale);
  }
  d_scale_out[row] = -product / (scale * scale);
}

@compute @workgroup_size(lanes)
fn affine(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.row_count * shape.columns) { return; }
  let c = i % shape.columns;
  var v = f32(x[i]) * weight[c];
  if (has_bias) { v += bias[c]; }
  out[i] = real(v);
}
