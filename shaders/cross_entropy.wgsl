// Softmax cross-entropy, fused with the mean over the rows whose target is not ignored:
//
//   loss = (1/n)·Σ_r (logSumExp(logits[r]) - logits[r, target[r]])
//   d_logits[r, v] = scale/n·(softmax(logits[r])[v] - [v = target[r]])
//
// `forward` leaves a loss and a logSumExp per row; `mean` is one workgroup that adds the losses in a
// fixed order and writes (loss, n) into result. Lanes share a row as in layer_norm.wgsl, in vectors
// of four of which the first and the last may belong to the neighbours in part. In `backward` one
// invocation computes four elements, whatever rows they belong to.
// logits, d_logits: (rows, vocabulary). targets, losses, log_sum_exp: (rows). result: (2).

struct Shape { row_count: u32, columns: u32, ignore: i32, scale: f32 }

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
@group(0) @binding(1) var<storage, read> logits: array<vec4f>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_sum_exp: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_logits: array<vec4f>;

/// Which elements of vector i lie in [begin, end).
fn inside(i: u32, begin: u32, end: u32) -> vec4<bool> {
  let at = vec4u(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3);
  return (at >= vec4u(begin)) & (at < vec4u(end));
}

@compute @workgroup_size(lanes, rows)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let row = (group.x + group.y * groups.x) * rows + local.y;
  let slot = local.y * lanes + local.x;
  let begin = min(row, shape.row_count - 1) * shape.columns;
  let end = begin + shape.columns;
  var peaks = vec4f(-3e38);
  for (var i = begin / 4 + local.x; i * 4 < end; i += lanes) {
    peaks = max(peaks, select(vec4f(-3e38), logits[i], inside(i, begin, end)));
  }
  let most = row_max(max(max(peaks.x, peaks.y), max(peaks.z, peaks.w)), slot, local.x);
  var sums = vec4f();
  for (var i = begin / 4 + local.x; i * 4 < end; i += lanes) {
    sums += select(vec4f(), exp(logits[i] - most), inside(i, begin, end));
  }
  let sum = row_sum(sums.x + sums.y + sums.z + sums.w, slot, local.x);
  if (row >= shape.row_count || local.x != 0) { return; }
  let target_id = targets[row];
  let total = most + log(sum);
  log_sum_exp[row] = total;
  if (target_id == shape.ignore) { losses[row] = 0; }
  else {
    let i = begin + u32(target_id);
    losses[row] = total - logits[i / 4][i % 4];
  }
}

@compute @workgroup_size(lanes, rows)
fn mean(@builtin(local_invocation_id) local: vec3u) {
  var sum = 0.0;
  var count = 0.0;
  for (var r = local.x; r < shape.row_count; r += lanes) {
    sum += losses[r];
    count += select(1.0, 0.0, targets[r] == shape.ignore);
  }
  let slot = local.y * lanes + local.x;
  sum = row_sum(sum, slot, local.x);
  count = row_sum(count, slot, local.x);
  if (slot == 0) {
    result[0] = sum / max(count, 1);
    result[1] = count;
  }
}

/// What the gradient of a row needs: scale/n or zero, the logSumExp and the target.
struct Row { scale: f32, total: f32, target_id: i32 }

fn row_at(r: u32, scale: f32) -> Row {
  let target_id = targets[r];
  return Row(select(scale, 0.0, target_id == shape.ignore), log_sum_exp[r], target_id);
}

@compute @workgroup_size(lanes)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  let columns = shape.columns;
  let last = shape.row_count - 1;
  let at = vec4u(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3);
  if (at.x >= (last + 1) * columns) { return; }
  let scale = shape.scale / max(result[1], 1);
  let r = min(at / columns, vec4u(last));
  let r0 = row_at(r.x, scale);
  var r1 = r0;
  var r2 = r0;
  var r3 = r0;
  if (r.w != r.x) {
    r1 = row_at(r.y, scale);
    r2 = row_at(r.z, scale);
    r3 = row_at(r.w, scale);
  }
  let target_ids = vec4i(r0.target_id, r1.target_id, r2.target_id, r3.target_id);
  let hit = vec4i(at - r * columns) == target_ids;
  let p = exp(logits[i] - vec4f(r0.total, r1.total, r2.total, r3.total));
  d_logits[i] = vec4f(r0.scale, r1.scale, r2.scale, r3.scale) * (p - select(vec4f(), vec4f(1), hit));
}
