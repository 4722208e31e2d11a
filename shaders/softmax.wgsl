// Softmax of each row: out = exp(x - max)/Σ exp(x - max), and its backward
//   d_x = out·(d_out - Σ out·d_out).
//
// An entry of -1e38 or less counts as masked and gets zero; a row that is masked throughout gets
// zeros. Lanes share a row as in layer_norm.wgsl. x, out, d_out, d_x: (rows, columns).

struct Shape { row_count: u32, columns: u32 }

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

/// The same for the maximum.
fn row_max(value: f32, slot: u32, lane: u32) -> f32 {
  if (lanes == 1) { return value; }
  partial[slot] = value;
  workgroupBarrier();
  for (var s = lanes / 2; s > 0; s /= 2) {
    if (lane < s) { partial[slot] = max(partial[slot], partial[slot + s]); }
    workgroupBarrier();
  }
  let most = partial[slot - lane];
  workgroupBarrier();
  return most;
}

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read> d_out: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_x: array<f32>;

const MASKED = -1e38;

@compute @workgroup_size(slots)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let at = min(row, shape.row_count - 1) * shape.columns;
  var most = -3e38;
  for (var i = lane; i < shape.columns; i += lanes) { most = max(most, x[at + i]); }
  most = row_max(most, slot, lane);
  var sum = 0.0;
  for (var i = lane; i < shape.columns; i += lanes) {
    sum += select(exp(x[at + i] - most), 0.0, x[at + i] <= MASKED);
  }
  sum = row_sum(sum, slot, lane);
  if (row >= shape.row_count) { return; }
  let scale = select(1 / sum, 0.0, sum <= 0);
  for (var i = lane; i < shape.columns; i += lanes) {
    out[at + i] = select(exp(x[at + i] - most) * scale, 0.0, x[at + i] <= MASKED);
  }
}

@compute @workgroup_size(slots)
fn backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let at = min(row, shape.row_count - 1) * shape.columns;
  var product = 0.0;
  for (var i = lane; i < shape.columns; i += lanes) { product += out[at + i] * d_out[at + i]; }
  product = row_sum(product, slot, lane);
  if (row >= shape.row_count) { return; }
  for (var i = lane; i < shape.columns; i += lanes) {
    d_x[at + i] = out[at + i] * (d_out[at + i] - product);
  }
}
