// One token a sequence from its logits, without leaving the device:
//
//   l ← l/penalty if l > 0, else l·penalty, for ids already seen   (Keskar et al. 2019, section 4.1)
//   l ← l/temperature
//   keep the top_k largest; of these the fewest whose probabilities reach top_p (Holtzman et al.
//   2020); of these all with p ≥ min_p·max p (Nguyen et al. 2024); draw from what is kept.
//
// A temperature of zero takes the largest, the lowest id among equals. Nothing is sorted: a threshold
// is found bit by bit on the numbers' order-preserving integers, so equals stay or go together.
//
// A row with a logit that is NaN or infinite draws nothing: tokens gets NOT_FINITE, ids gets 0. Logits of
// -infinity are ids that are hidden, unless `all_finite` says that none is.
//
// One workgroup handles one sequence. logits: (batch, vocabulary), overwritten. seen: the same shape,
// SEEN for ids that occurred, BANNED for ids that must not be drawn. ids: (batch), the token drawn. tokens:
// (batch, capacity), of which it fills one column. Rows `sources` apart continue one prompt: the random numbers of a row depend on its
// number among these, and not on the other prompts.

struct Shape {
  vocabulary: u32,
  capacity: u32,
  position: u32,
  top_k: u32,
  top_p: f32,
  log_min_p: f32,
  temperature: f32,
  penalty: f32,
  seed: u32,
  sources: u32,
  column: u32,
}

override lanes: u32 = 64;
override all_finite: bool = false;

const SEEN = 1u;
const BANNED = 2u;
const NOT_FINITE = 0xffffffffu;
const INFINITY = 0x7f800000u;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> seen: array<u32>;
@group(0) @binding(3) var<storage, read_write> ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> tokens: array<u32>;

var<workgroup> partial: array<f32, lanes>;
var<workgroup> chosen: u32;

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

/// Whether a logit says that something went wrong. Asked of its bits: compilers take numbers to be finite.
fn is_fault(l: f32) -> bool {
  let bits = bitcast<u32>(l);
  return (bits & INFINITY) == INFINITY && (all_finite || bits != (INFINITY | 0x80000000u));
}

/// An integer that orders as the number does.
fn order(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

/// The largest threshold at which the numbers not below it still number, or weigh, `enough`.
fn threshold(at: u32, lane: u32, floor: u32, most: f32, by_weight: bool, enough: f32) -> u32 {
  var t = 0u;
  for (var bit = 0x80000000u; bit > 0; bit >>= 1u) {
    let candidate = t | bit;
    var sum = 0.0;
    for (var i = lane; i < shape.vocabulary; i += lanes) {
      let l = logits[at + i];
      let o = order(l);
      if (o >= candidate && o >= floor) { sum += select(1.0, exp(l - most), by_weight); }
    }
    if (lane_sum(sum, lane) >= enough) { t = candidate; }
  }
  return max(t, floor);
}

fn pcg4d(seed: vec4u) -> vec4u {
  var v = seed * 1664525u + 1013904223u;
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  v = v ^ (v >> vec4u(16u));
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  return v;
}

@compute @workgroup_size(lanes)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let b = group.x;
  let at = b * shape.vocabulary;
  let greedy = shape.temperature == 0;
  var most = -3e38;
  var fault = 0.0;
  for (var i = lane; i < shape.vocabulary; i += lanes) {
    var l = logits[at + i];
    if (is_fault(l)) { fault = 1.0; }
    let marks = seen[at + i];
    if ((marks & SEEN) != 0) { l = select(l * shape.penalty, l / shape.penalty, l > 0); }
    if (!greedy) { l /= shape.temperature; }
    if ((marks & BANNED) != 0) { l = -3e38; }
    logits[at + i] = l;
    most = max(most, l);
  }
  most = lane_max(most, lane);
  if (lane_max(fault, lane) > 0) {
    if (lane == 0) {
      ids[b] = 0u;
      tokens[b * shape.capacity + shape.column] = NOT_FINITE;
    }
    return;
  }
  var kept = order(most);
  if (!greedy) {
    kept = 0u;
    if (shape.top_k > 0 && shape.top_k < shape.vocabulary) {
      kept = threshold(at, lane, kept, most, false, f32(shape.top_k));
    }
    if (shape.top_p < 1) {
      var sum = 0.0;
      for (var i = lane; i < shape.vocabulary; i += lanes) {
        sum += select(0.0, exp(logits[at + i] - most), order(logits[at + i]) >= kept);
      }
      kept = threshold(at, lane, kept, most, true, shape.top_p * lane_sum(sum, lane));
    }
    kept = min(max(kept, order(most + shape.log_min_p)), order(most));
  }
  // Each lane owns a run of neighbouring ids, so that the draw walks the vocabulary in order.
  let run = (shape.vocabulary + lanes - 1) / lanes;
  let begin = min(lane * run, shape.vocabulary);
  let end = min(begin + run, shape.vocabulary);
  var own = 0.0;
  for (var i = begin; i < end; i++) {
    own += select(0.0, exp(logits[at + i] - most), order(logits[at + i]) >= kept);
  }
  partial[lane] = own;
  workgroupBarrier();
  if (lane == 0) {
    var total = 0.0;
    for (var i = 0u; i < lanes; i++) { total += partial[i]; }
    let u = f32(pcg4d(vec4u(b / shape.sources, shape.position, 0x5eed, shape.seed)).x >> 8u) * 0x1p-24;
    // Greedy draws the first of what is kept: the largest, with the lowest id among equals.
    var left = select(u * total, 0.0, greedy);
    var owner = 0u;
    var last = 0u;
    var found = false;
    for (var i = 0u; i < lanes; i++) {
      if (partial[i] > 0 && !found) {
        owner = i;
        if (left < partial[i]) { found = true; } else { left -= partial[i]; }
      }
    }
    found = false;
    let stop = min((owner + 1) * run, shape.vocabulary);
    for (var i = owner * run; i < stop; i++) {
      if (order(logits[at + i]) >= kept && !found) {
        let weight = exp(logits[at + i] - most);
        if (weight > 0) { last = i; }
        if (left < weight) { found = true; } else { left -= weight; }
      }
    }
    ids[b] = last;
    seen[at + last] |= SEEN;
    tokens[b * shape.capacity + shape.column] = last;
  }
}
