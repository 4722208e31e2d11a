// One step of a beam search: of all that the beams of a prompt could go on with, those that score best.
//
//   candidates:  score(b, v) = scores[b] + log softmax(l[b])_v, the logarithm times `penalty` for ids that
//                occurred (Keskar et al. 2019, section 4.1), and no id that is banned; of each beam the `keep`
//                best
//   choose:      of the candidates of all beams of a prompt, the `best` best in their order, and the beams
//                that go on: the first of these that do not end
//   follow:      what belongs to a beam goes to where the beam went, with what is new at its end
//
// Of equals the lower beam and the lower id come first. Nothing is sorted in `candidates`: a threshold is
// found bit by bit on the numbers' order-preserving integers, as in sample.wgsl.
//
// Row b of all tensors is beam b / prompts of prompt b mod prompts. In `candidates` one workgroup handles a
// beam, in `choose` a prompt, in `follow` one invocation an element.
// logits, scored: (batch, vocabulary). seen: as in sample.wgsl. scores: (batch).
// found: (batch, keep, 3): id, score and log softmax. results: (chunk, prompts, best, 4): id, beam, score and
// log softmax; the id is NOT_FINITE where a logit was not finite. ids, parents: (batch). stops: (count).
// before, after: (batch, capacity).

struct Shape {
  vocabulary: u32,
  prompts: u32,
  beams: u32,
  keep: u32,
  best: u32,
  column: u32,
  count: u32,
  capacity: u32,
  length: u32,
  penalty: f32,
}

override lanes: u32 = 64;
/// What is new at the end of a row: the number of the row, or the token that was chosen for it.
override own_row: bool = false;
override ragged: bool = false;

const SEEN = 1u;
const BANNED = 2u;
const NOT_FINITE = 0xffffffffu;
const INFINITY = 0x7f800000u;
/// Scores of what must not be chosen.
const LOWEST = -3e38;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> seen: array<u32>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;
@group(0) @binding(4) var<storage, read_write> found: array<u32>;
@group(0) @binding(5) var<storage, read_write> scored: array<f32>;

@group(0) @binding(5) var<storage, read_write> results: array<u32>;
@group(0) @binding(6) var<storage, read_write> ids: array<u32>;
@group(0) @binding(7) var<storage, read_write> parents: array<u32>;
@group(0) @binding(8) var<storage, read> stops: array<u32>;

@group(0) @binding(1) var<storage, read> before: array<u32>;
@group(0) @binding(2) var<storage, read_write> after: array<u32>;
@group(0) @binding(3) var<storage, read> pads: array<u32>;

var<workgroup> partial: array<f32, lanes>;
var<workgroup> above: array<u32, lanes>;
var<workgroup> equal: array<u32, lanes>;

fn lane_sum(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var s = lanes / 2; s > 0; s /= 2) {
    if (lane < s) { partial[lane] += partial[lane + s]; }
    workgroupBarrier();
  }
  let total = partial[0];
  workgroupBarrier();
  return total;
}

fn lane_max(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var s = lanes / 2; s > 0; s /= 2) {
    if (lane < s) { partial[lane] = max(partial[lane], partial[lane + s]); }
    workgroupBarrier();
  }
  let most = partial[0];
  workgroupBarrier();
  return most;
}

/// An integer that orders as the number does.
fn order(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

@compute @workgroup_size(lanes)
fn candidates(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let b = group.x;
  let at = b * shape.vocabulary;
  let out = b * shape.keep * 3;
  var own = LOWEST;
  var fault = 0.0;
  for (var i = lane; i < shape.vocabulary; i += lanes) {
    let l = logits[at + i];
    if ((bitcast<u32>(l) & INFINITY) == INFINITY) { fault = 1.0; }
    own = max(own, l);
  }
  let most = lane_max(own, lane);
  if (lane_max(fault, lane) > 0) {
    if (lane == 0) { found[out] = NOT_FINITE; }
    return;
  }
  own = 0.0;
  for (var i = lane; i < shape.vocabulary; i += lanes) { own += exp(logits[at + i] - most); }
  let log_sum = most + log(lane_sum(own, lane));
  for (var i = lane; i < shape.vocabulary; i += lanes) {
    let marks = seen[at + i];
    var l = logits[at + i] - log_sum;
    if ((marks & SEEN) != 0) { l *= shape.penalty; }
    scored[at + i] = select(scores[b] + l, LOWEST, (marks & BANNED) != 0);
  }
  workgroupBarrier();
  storageBarrier();

  // The largest threshold that `keep` scores are not below.
  var threshold = 0u;
  for (var bit = 0x80000000u; bit > 0; bit >>= 1u) {
    let candidate = threshold | bit;
    var sum = 0.0;
    for (var i = lane; i < shape.vocabulary; i += lanes) {
      sum += select(0.0, 1.0, order(scored[at + i]) >= candidate);
    }
    if (lane_sum(sum, lane) >= f32(shape.keep)) { threshold = candidate; }
  }
  // Each lane owns a run of neighbouring ids, so that of equals the first are kept.
  let run = (shape.vocabulary + lanes - 1) / lanes;
  let begin = min(lane * run, shape.vocabulary);
  let end = min(begin + run, shape.vocabulary);
  above[lane] = 0u;
  equal[lane] = 0u;
  for (var i = begin; i < end; i++) {
    let o = order(scored[at + i]);
    if (o > threshold) { above[lane]++; }
    if (o == threshold) { equal[lane]++; }
  }
  workgroupBarrier();
  var total_above = 0u;
  var to_above = 0u;
  var to_equal = 0u;
  for (var i = 0u; i < lanes; i++) {
    if (i < lane) {
      to_above += above[i];
      to_equal += equal[i];
    }
    total_above += above[i];
  }
  to_equal += total_above;
  for (var i = begin; i < end; i++) {
    let score = scored[at + i];
    let o = order(score);
    if (o < threshold) { continue; }
    var slot = to_above;
    if (o > threshold) { to_above++; } else {
      slot = to_equal;
      to_equal++;
    }
    if (slot >= shape.keep) { continue; }
    found[out + 3 * slot] = i;
    found[out + 3 * slot + 1] = bitcast<u32>(score);
    found[out + 3 * slot + 2] = bitcast<u32>(logits[at + i] - log_sum);
  }
}

/// Whether the candidate of a slot comes before another; both are numbered beam by beam.
fn comes_first(a: vec3u, b: vec3u) -> bool {
  let x = bitcast<f32>(a.y);
  let y = bitcast<f32>(b.y);
  return x > y || (x == y && (a.z < b.z || (a.z == b.z && a.x < b.x)));
}

/// A candidate of a prompt: its id, its score and its beam.
fn candidate(prompt: u32, slot: u32) -> vec3u {
  let beam = slot / shape.keep;
  let at = ((beam * shape.prompts + prompt) * shape.keep + slot % shape.keep) * 3;
  return vec3u(found[at], found[at + 1], beam);
}

fn ends(id: u32) -> bool {
  for (var i = 0u; i < shape.count; i++) {
    if (stops[i] == id) { return true; }
  }
  return false;
}

@compute @workgroup_size(lanes)
fn choose(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let prompt = group.x;
  let out = (shape.column * shape.prompts + prompt) * shape.best * 4;
  let slots = shape.beams * shape.keep;
  var fault = false;
  for (var beam = 0u; beam < shape.beams; beam++) {
    fault = fault || found[(beam * shape.prompts + prompt) * shape.keep * 3] == NOT_FINITE;
  }
  for (var slot = lane; slot < slots; slot += lanes) {
    let own = candidate(prompt, slot);
    var rank = 0u;
    for (var other = 0u; other < slots; other++) {
      if (comes_first(candidate(prompt, other), own)) { rank++; }
    }
    if (rank < shape.best && !fault) {
      let at = ((own.z * shape.prompts + prompt) * shape.keep + slot % shape.keep) * 3;
      results[out + 4 * rank] = own.x;
      results[out + 4 * rank + 1] = own.z;
      results[out + 4 * rank + 2] = own.y;
      results[out + 4 * rank + 3] = found[at + 2];
    }
  }
  storageBarrier();
  workgroupBarrier();
  if (lane > 0) { return; }
  if (fault) { results[out] = NOT_FINITE; }
  var beam = 0u;
  for (var rank = 0u; rank < shape.best && beam < shape.beams; rank++) {
    let id = results[out + 4 * rank];
    if (fault || ends(id)) { continue; }
    let row = beam * shape.prompts + prompt;
    ids[row] = id;
    parents[row] = results[out + 4 * rank + 1] * shape.prompts + prompt;
    scores[row] = bitcast<f32>(results[out + 4 * rank + 2]);
    beam++;
  }
  // What cannot go on stays where it is, out of the running.
  for (; beam < shape.beams; beam++) {
    let row = beam * shape.prompts + prompt;
    ids[row] = 0u;
    parents[row] = row;
    scores[row] = LOWEST;
  }
}

@compute @workgroup_size(lanes)
fn follow(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  let row = id.y;
  if (t >= shape.capacity) { return; }
  var filled = shape.length;
  if (ragged) { filled -= pads[row]; }
  if (t > filled) { return; }
  let at = row * shape.capacity + t;
  if (t < filled) { after[at] = before[parents[row] * shape.capacity + t]; } else {
    after[at] = select(ids[row], row, own_row);
  }
}
