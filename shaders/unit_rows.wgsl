// Rows of length one, such as the directions of a dictionary, and gradients that leave their length alone:
//
//   normalize:  weight[r] ← weight[r]/‖weight[r]‖
//   project:    gradient[r] ← gradient[r] - (gradient[r]·weight[r])·weight[r]
//
// of which the second (Bricken et al. 2023, Gao et al. 2024, appendix A.1) takes away the part of a gradient
// that the first would undo. A row of zeros stays. Lanes share a row as in layer_norm.wgsl.
// weight, gradient: (rows, columns).

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

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(slots)
fn normalize(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let begin = min(row, shape.row_count - 1) * shape.columns;
  let end = begin + shape.columns;
  var sum = 0.0;
  for (var i = begin + lane; i < end; i += lanes) { sum += weight[i] * weight[i]; }
  sum = row_sum(sum, slot, lane);
  if (row >= shape.row_count) { return; }
  let factor = select(0.0, 1 / sqrt(sum), sum > 0);
  for (var i = begin + lane; i < end; i += lanes) { weight[i] *= factor; }
}

@compute @workgroup_size(slots)
fn project(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let begin = min(row, shape.row_count - 1) * shape.columns;
  let end = begin + shape.columns;
  var along = 0.0;
  for (var i = begin + lane; i < end; i += lanes) { along += gradient[i] * weight[i]; }
  along = row_sum(along, slot, lane);
  if (row >= shape.row_count) { return; }
  for (var i = begin + lane; i < end; i += lanes) { gradient[i] -= along * weight[i]; }
}
