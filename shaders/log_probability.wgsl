// out[b, column] = logits[b, id] − log Σ_v exp(logits[b, v]), the logarithm of the probability that the
// model gave to the token that was drawn, before temperature, penalties and filters.
//
// One workgroup handles one sequence. logits: (batch, vocabulary). ids: (batch). out: (batch, capacity).

struct Shape { vocabulary: u32, capacity: u32, column: u32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<f32, lanes>;

@compute @workgroup_size(lanes)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let b = group.x;
  let at = b * shape.vocabulary;
  var own = -3e38;
  for (var i = lane; i < shape.vocabulary; i += lanes) { own = max(own, logits[at + i]); }
  partial[lane] = own;
  workgroupBarrier();
  for (var s = lanes / 2; s > 0; s /= 2) {
    if (lane < s) { partial[lane] = max(partial[lane], partial[lane + s]); }
    workgroupBarrier();
  }
  let most = partial[0];
  workgroupBarrier();
  var sum = 0.0;
  for (var i = lane; i < shape.vocabulary; i += lanes) { sum += exp(logits[at + i] - most); }
  partial[lane] = sum;
  workgroupBarrier();
  for (var s = lanes / 2; s > 0; s /= 2) {
    if (lane < s) { partial[lane] += partial[lane + s]; }
    workgroupBarrier();
  }
  if (lane == 0) {
    out[b * shape.capacity + shape.column] = logits[at + ids[b]] - most - log(partial[0]);
  }
}
