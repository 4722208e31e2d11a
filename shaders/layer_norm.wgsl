// Layer norm (Ba, Kiros & Hinton 2016, arXiv:1607.06450, eq. 3-4), over each row of length columns:
//
//   out = (x - mean)·rstd·weight + bias,  rstd = 1/√(variance + epsilon)
//
// `added` normalizes residual = x + y, which it also keeps: a residual connection and the norm behind it in
// one pass over memory. A lane reads back only what it wrote itself, so the statistics are those of the
// sum as it is stored.
//
// `lanes` invocations share a row and `rows` rows share a workgroup: one lane suits a processor,
// where a barrier costs more than it gathers. A workgroup is laid out in one dimension, because
// llvmpipe fills its vectors along x only. x, y, residual, out: (rows, columns). mean, rstd: (rows).
// `forward`, `added` and `backward` take vectors of four; the others are for columns that are no multiple of it.

/// x, y, residual, out and their gradients: f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { row_count: u32, columns: u32, epsilon: f32 }

override accumulate: bool = false;

override lanes: u32 = 32;
override rows: u32 = 2;
override slots: u32 = lanes * rows;

var<workgroup> partial: array<f32, slots>;

/// The sum of `value` over the lanes of a row, known to each of them.
fn row_sum(value: f32, slot: u32, lane: u32) -> f32 {
  if (lanes == 1) { return value; }
  partial[slot] = value;
  workgroupBarrier();
  for (var s = lanes / 2; s > 0; s /= 2) {
    if (lane < s) { partial[slot] += partial[slot + s]; }
    workgroupBarrier();
  }
  let total = partial[slot - lane];
  workgroupBarrier();
  return total;
}

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<real>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<real>>;
@group(0) @binding(7) var<storage, read> y: array<vec4<real>>;
@group(0) @binding(8) var<storage, read_write> residual: array<vec4<real>>;
@group(0) @binding(7) var<storage, read> d_out: array<vec4<real>>;
@group(0) @binding(8) var<storage, read_write> d_x: array<vec4<real>>;

@group(0) @binding(1) var<storage, read> x_odd: array<real>;
@group(0) @binding(2) var<storage, read> weight_odd: array<f32>;
@group(0) @binding(3) var<storage, read> bias_odd: array<f32>;
@group(0) @binding(6) var<storage, read_write> out_odd: array<real>;
@group(0) @binding(7) var<storage, read> y_odd: array<real>;
@group(0) @binding(8) var<storage, read_write> residual_odd: array<real>;
@group(0) @binding(7) var<storage, read> d_out_odd: array<real>;
@group(0) @binding(8) var<storage, read_write> d_x_odd: array<real>;

fn total(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

@compute @workgroup_size(slots)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let columns = f32(shape.columns);
  let fours = shape.columns / 4;
  // A row past the end does the work of the last one and writes nothing: barriers need all lanes.
  let at = min(row, shape.row_count - 1) * fours;
  // Sums begin at the row's first element, or a row far from zero would lose precision.
  let origin = f32(x[at].x);
  var sum = vec4f();
  for (var i = lane; i < fours; i += lanes) { sum += vec4f(x[at + i]) - origin; }
  let m = origin + row_sum(total(sum), slot, lane) / columns;
  var squares = vec4f();
  for (var i = lane; i < fours; i += lanes) {
    let d = vec4f(x[at + i]) - m;
    squares += d * d;
  }
  let r = inverseSqrt(row_sum(total(squares), slot, lane) / columns + shape.epsilon);
  if (row >= shape.row_count) { return; }
  for (var i = lane; i < fours; i += lanes) {
    out[at + i] = vec4<real>((vec4f(x[at + i]) - m) * r * weight[i] + bias[i]);
  }
  if (lane == 0) {
    mean[row] = m;
    rstd[row] = r;
  }
}

@compute @workgroup_size(slots)
fn added(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let columns = f32(shape.columns);
  let fours = shape.columns / 4;
  // A row past the end reads the last one and writes nothing: barriers need all lanes.
  let inside = row < shape.row_count;
  let at = min(row, shape.row_count - 1) * fours;
  // Sums begin at the row's first element, or a row far from zero would lose precision.
  let origin = f32(x[at].x) + f32(y[at].x);
  var shifted = vec4f();
  for (var i = lane; i < fours; i += lanes) {
    let v = vec4<real>(vec4f(x[at + i]) + vec4f(y[at + i]));
    if (inside) { residual[at + i] = v; }
    shifted += vec4f(v) - origin;
  }
  let m = origin + row_sum(total(shifted), slot, lane) / columns;
  var squares = vec4f();
  if (inside) {
    for (var i = lane; i < fours; i += lanes) {
      let d = vec4f(residual[at + i]) - m;
      squares += d * d;
    }
  }
  let r = inverseSqrt(row_sum(total(squares), slot, lane) / columns + shape.epsilon);
  if (!inside) { return; }
  for (var i = lane; i < fours; i += lanes) {
    out[at + i] = vec4<real>((vec4f(residual[at + i]) - m) * r * weight[i] + bias[i]);
  }
  if (lane == 0) {
    mean[row] = m;
    rstd[row] = r;
  }
}

@compute @workgroup_size(slots)
fn added_odd(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let inside = row < shape.row_count;
  let at = min(row, shape.row_count - 1) * shape.columns;
  let origin = f32(x_odd[at]) + f32(y_odd[at]);
  var shifted = 0.0;
  for (var i = lane; i < shape.columns; i += lanes) {
    let v = real(f32(x_odd[at + i]) + f32(y_odd[at + i]));
    if (inside) { residual_odd[at + i] = v; }
    shifted += f32(v) - origin;
  }
  let m = origin + row_sum(shifted, slot, lane) / f32(shape.columns);
  var squares = 0.0;
  if (inside) {
    for (var i = lane; i < shape.columns; i += lanes) {
      let d = f32(residual_odd[at + i]) - m;
      squares += d * d;
    }
  }
  let r = inverseSqrt(row_sum(squares, slot, lane) / f32(shape.columns) + shape.epsilon);
  if (!inside) { return; }
  for (var i = lane; i < shape.columns; i += lanes) {
    out_odd[at + i] = real((f32(residual_odd[at + i]) - m) * r * weight_odd[i] + bias_odd[i]);
  }
  if (lane == 0) {
    mean[row] = m;
    rstd[row] = r;
  }
}

// With x̂ = (x - mean)·rstd and g = d_out·weight:  d_x = rstd·(g - mean(g) - x̂·mean(g·x̂))
@compute @workgroup_size(slots)
fn backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let columns = f32(shape.columns);
  let fours = shape.columns / 4;
  let inside = min(row, shape.row_count - 1);
  let at = inside * fours;
  let m = mean[inside];
  let r = rstd[inside];
  var sum = vec4f();
  var product = vec4f();
  for (var i = lane; i < fours; i += lanes) {
    let g = vec4f(d_out[at + i]) * weight[i];
    sum += g;
    product += g * (vec4f(x[at + i]) - m) * r;
  }
  let mean_g = row_sum(total(sum), slot, lane) / columns;
  let mean_gx = row_sum(total(product), slot, lane) / columns;
  if (row >= shape.row_count) { return; }
  for (var i = lane; i < fours; i += lanes) {
    var d = r * (vec4f(d_out[at + i]) * weight[i] - mean_g - (vec4f(x[at + i]) - m) * r * mean_gx);
    if (accumulate) { d += vec4f(d_x[at + i]); }
    d_x[at + i] = vec4<real>(d);
  }
}

@compute @workgroup_size(slots)
fn forward_odd(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  // A row past the end does the work of the last one and writes nothing: barriers need all lanes.
  let at = min(row, shape.row_count - 1) * shape.columns;
  var sum = 0.0;
  let origin = f32(x_odd[at]);
  for (var i = lane; i < shape.columns; i += lanes) { sum += f32(x_odd[at + i]) - origin; }
  let m = origin + row_sum(sum, slot, lane) / f32(shape.columns);
  var squares = 0.0;
  for (var i = lane; i < shape.columns; i += lanes) {
    let d = f32(x_odd[at + i]) - m;
    squares += d * d;
  }
  let r = inverseSqrt(row_sum(squares, slot, lane) / f32(shape.columns) + shape.epsilon);
  if (row >= shape.row_count) { return; }
  for (var i = lane; i < shape.columns; i += lanes) {
    out_odd[at + i] = real((f32(x_odd[at + i]) - m) * r * weight_odd[i] + bias_odd[i]);
  }
  if (lane == 0) {
    mean[row] = m;
    rstd[row] = r;
  }
}

@compute @workgroup_size(slots)
fn backward_odd(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let inside = min(row, shape.row_count - 1);
  let at = inside * shape.columns;
  let m = mean[inside];
  let r = rstd[inside];
  var sum = 0.0;
  var product = 0.0;
  for (var i = lane; i < shape.columns; i += lanes) {
    let g = f32(d_out_odd[at + i]) * weight_odd[i];
    sum += g;
    product += g * (f32(x_odd[at + i]) - m) * r;
  }
  let mean_g = row_sum(sum, slot, lane) / f32(shape.columns);
  let mean_gx = row_sum(product, slot, lane) / f32(shape.columns);
  if (row >= shape.row_count) { return; }
  for (var i = lane; i < shape.columns; i += lanes) {
    var d = r * (f32(d_out_odd[at + i]) * weight_odd[i] - mean_g - (f32(x_odd[at + i]) - m) * r * mean_gx);
    if (accumulate) { d += f32(d_x_odd[at + i]); }
    d_x_odd[at + i] = real(d);
  }
}
