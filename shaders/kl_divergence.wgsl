// The Kullback-Leibler divergence from the softmax p of a teacher's logits to the softmax q of one's own:
//
//   losses[r] = Σ_v p[v]·(ln p[v] - ln q[v]),   p = softmax(teacher[r]), q = softmax(logits[r])
//   d_logits[r, v] = scale·(q[v] - p[v])
//
// The teacher gets no gradient. `forward` leaves a loss and both log Σ exp per row, `backward` reads the
// latter: one's own in the first half of log_sum_exp, the teacher's in the second. Lanes share a row as in
// cross_entropy.wgsl. A logit of -Infinity is a token that is ruled out: where p is 0, nothing is added.
// logits, teacher, d_logits: (rows, columns). losses: (rows). log_sum_exp: (2, rows).

struct Shape { row_count: u32, columns: u32, scale: f32 }

override lanes: u32 = 32;
override rows: u32 = 2;
override slots: u32 = lanes * rows;

var<workgroup> partial: array<vec2f, slots>;

/// The sums of both numbers over the lanes of a row, known to each of them.
fn row_sum(value: vec2f, slot: u32, lane: u32) -> vec2f {
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

/// The same for the maxima.
fn row_max(value: vec2f, slot: u32, lane: u32) -> vec2f {
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
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> teacher: array<f32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_sum_exp: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_logits: array<f32>;

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
  var most = vec2f(-3e38);
  for (var i = begin + lane; i < end; i += lanes) {
    most = max(most, vec2f(logits[i], teacher[i]));
  }
  most = row_max(most, slot, lane);
  var sums = vec2f();
  for (var i = begin + lane; i < end; i += lanes) {
    sums += exp(vec2f(logits[i], teacher[i]) - most);
  }
  let log_sums = log(row_sum(sums, slot, lane));
  var loss = 0.0;
  for (var i = begin + lane; i < end; i += lanes) {
    // Large logits cancel before they cost precision.
    let logs = vec2f(logits[i], teacher[i]) - most - log_sums;
    let p = exp(logs.y);
    if (p > 0) { loss += p * (logs.y - logs.x); }
  }
  loss = row_sum(vec2f(loss, 0), slot, lane).x;
  if (row >= shape.row_count || lane != 0) { return; }
  losses[row] = loss;
  log_sum_exp[row] = most.x + log_sums.x;
  log_sum_exp[shape.row_count + row] = most.y + log_sums.y;
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
  let totals = vec2f(log_sum_exp[row], log_sum_exp[shape.row_count + row]);
  let begin = row * shape.columns;
  let end = begin + shape.columns;
  for (var i = begin + lane; i < end; i += lanes) {
    let qp = exp(vec2f(logits[i], teacher[i]) - totals);
    d_logits[i] = shape.scale * (qp.x - qp.y);
  }
}
