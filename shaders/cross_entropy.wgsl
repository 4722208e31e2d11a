// Softmax cross-entropy, fused with the mean over the rows whose target is not ignored:
//
//   loss = (1/n)·Σ_r (logSumExp(logits[r]) - logits[r, target[r]])
//   d_logits[r, v] = scale/n·(softmax(logits[r])[v] - [v = target[r]]), times loss_scale if there is one
//
// `forward` leaves a loss and a logSumExp per row; `mean` is one workgroup that adds the losses in a
// fixed order and writes (loss, n) into result, of which `count` writes n alone, before there are
// losses. Lanes share a row as in layer_norm.wgsl, in vectors of four of which the first and the last
// may belong to the neighbours in part. `backward_odd` is for vocabularies that are no multiple of
// four. With `in_place`, d_logits holds the logits before; what is bound to logits is not looked at.
// A target that is neither a class nor ignored makes its loss and gradients NaN.
// logits, d_logits: (rows, vocabulary). targets, losses, log_sum_exp: (rows). result: (2).

/// logits and their gradient: f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { row_count: u32, columns: u32, ignore: i32, scale: f32 }

override has_loss_scale: bool = false;
override lanes: u32 = 32;
override rows: u32 = 2;
override slots: u32 = lanes * rows;
override in_place: bool = false;

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
@group(0) @binding(1) var<storage, read> logits: array<vec4<real>>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_sum_exp: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_logits: array<vec4<real>>;

@group(0) @binding(7) var<storage, read> loss_scale: array<f32>;

@group(0) @binding(1) var<storage, read> logits_odd: array<real>;
@group(0) @binding(6) var<storage, read_write> d_logits_odd: array<real>;

/// Which elements of vector i lie in [begin, end).
fn inside(i: u32, begin: u32, end: u32) -> vec4<bool> {
  let at = vec4u(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3);
  return (at >= vec4u(begin)) & (at < vec4u(end));
}

/// NaN for a target that is no class, and has no loss; else 0. A compiler may not fold it away, as it comes
/// from the sizes' bits.
fn fault(target_id: i32) -> f32 {
  if (target_id == shape.ignore || (target_id >= 0 && u32(target_id) < shape.columns)) { return 0; }
  return bitcast<f32>(0x7fc00000u | (shape.columns & 1));
}

@compute @workgroup_size(slots)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let begin = min(row, shape.row_count - 1) * shape.columns;
  let end = begin + shape.columns;
  var peaks = vec4f(-3e38);
  for (var i = begin / 4 + lane; i * 4 < end; i += lanes) {
    peaks = max(peaks, select(vec4f(-3e38), vec4f(logits[i]), inside(i, begin, end)));
  }
  let most = row_max(max(max(peaks.x, peaks.y), max(peaks.z, peaks.w)), slot, lane);
  var sums = vec4f();
  for (var i = begin / 4 + lane; i * 4 < end; i += lanes) {
    sums += select(vec4f(), exp(vec4f(logits[i]) - most), inside(i, begin, end));
  }
  let sum = row_sum(sums.x + sums.y + sums.z + sums.w, slot, lane);
  if (row >= shape.row_count || lane != 0) { return; }
  let target_id = targets[row];
  log_sum_exp[row] = most + log(sum);
  if (target_id == shape.ignore) { losses[row] = 0; }
  else {
    let i = begin + u32(target_id);
    // In this order large logits cancel before they cost precision.
    losses[row] = log(sum) - (f32(logits[i / 4][i % 4]) - most) + fault(target_id);
  }
}

@compute @workgroup_size(slots)
fn mean(@builtin(local_invocation_id) local: vec3u) {
  let slot = local.x;
  let lane = slot % lanes;
  var sum = 0.0;
  var count = 0.0;
  for (var r = lane; r < shape.row_count; r += lanes) {
    sum += losses[r];
    count += select(1.0, 0.0, targets[r] == shape.ignore);
  }
  sum = row_sum(sum, slot, lane);
  count = row_sum(count, slot, lane);
  if (slot == 0) {
    result[0] = sum / max(count, 1);
    result[1] = count;
  }
}

/// The factor of a row that counts.
fn scale_of() -> f32 {
  let scale = shape.scale / max(result[1], 1);
  if (has_loss_scale) { return scale * loss_scale[0]; }
  return scale;
}

@compute @workgroup_size(slots)
fn count(@builtin(local_invocation_id) local: vec3u) {
  let slot = local.x;
  let lane = slot % lanes;
  var count = 0.0;
  for (var r = lane; r < shape.row_count; r += lanes) {
    count += select(1.0, 0.0, targets[r] == shape.ignore);
  }
  count = row_sum(count, slot, lane);
  if (slot == 0) { result[1] = count; }
}

fn logits_at(i: u32) -> vec4f {
  if (in_place) { return vec4f(d_logits[i]); }
  return vec4f(logits[i]);
}

fn logit_at(i: u32) -> f32 {
  if (in_place) { return f32(d_logits_odd[i]); }
  return f32(logits_odd[i]);
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
  if (row >= shape.row_count) { return; }
  let target_id = targets[row];
  let scale = select(scale_of() + fault(target_id), 0.0, target_id == shape.ignore);
  let total = log_sum_exp[row];
  let fours = shape.columns / 4;
  let at = row * fours;
  for (var i = lane; i < fours; i += lanes) {
    let column = vec4i(i32(4 * i)) + vec4i(0, 1, 2, 3);
    let hit = select(vec4f(), vec4f(1), column == vec4i(target_id));
    d_logits[at + i] = vec4<real>(scale * (exp(logits_at(at + i) - total) - hit));
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
  if (row >= shape.row_count) { return; }
  let target_id = targets[row];
  let scale = select(scale_of() + fault(target_id), 0.0, target_id == shape.ignore);
  let total = log_sum_exp[row];
  let at = row * shape.columns;
  for (var i = lane; i < shape.columns; i += lanes) {
    let hit = select(0.0, 1.0, i32(i) == target_id);
    d_logits_odd[at + i] = real(scale * (exp(logit_at(at + i) - total) - hit));
  }
}
