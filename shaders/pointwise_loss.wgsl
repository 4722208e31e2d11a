// Losses that look at one number at a time, with their mean over the n targets that are not NaN:
//
//   squared:   l = (x - y)²                              d_x = scale/n·2(x - y)
//   logistic:  l = max(x, 0) - x·y + log(1 + exp(-|x|))  d_x = scale/n·(σ(x) - y)
//
// the second being binary cross-entropy of a logit x, in the form that overflows nowhere. A target of
// NaN is not asked for. In `forward` a workgroup adds up `each` elements per lane into partial[workgroup];
// `finish`, one workgroup, adds those in a fixed order and writes (mean, n) into result; in `backward` one
// invocation computes one element. x, y, d_x: (size). partial: (groups, 2). result: (2).

struct Shape { size: u32, each: u32, groups: u32, scale: f32 }

override logistic: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_x: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<vec2f>;

var<workgroup> sums: array<vec2f, lanes>;

/// Compilers may take x == x for true, so NaN is told by its bits.
fn asked(y: f32) -> bool { return (bitcast<u32>(y) & 0x7fffffffu) <= 0x7f800000u; }

/// The sum over the lanes, known to the first of them.
fn lane_sum(value: vec2f, lane: u32) -> vec2f {
  sums[lane] = value;
  workgroupBarrier();
  var sum = value;
  if (lane == 0) {
    for (var i = 1u; i < lanes; i++) { sum += sums[i]; }
  }
  return sum;
}

@compute @workgroup_size(lanes)
fn forward(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let begin = group.x * lanes * shape.each;
  let end = min(begin + lanes * shape.each, shape.size);
  var sum = vec2f();
  for (var i = begin + local.x; i < end; i += lanes) {
    if (!asked(y[i])) { continue; }
    let d = x[i] - y[i];
    var loss = d * d;
    if (logistic) { loss = max(x[i], 0) - x[i] * y[i] + log(1 + exp(-abs(x[i]))); }
    sum += vec2f(loss, 1);
  }
  sum = lane_sum(sum, local.x);
  if (local.x == 0) { partial[group.x] = sum; }
}

@compute @workgroup_size(lanes)
fn finish(@builtin(local_invocation_id) local: vec3u) {
  var sum = vec2f();
  for (var i = local.x; i < shape.groups; i += lanes) { sum += partial[i]; }
  sum = lane_sum(sum, local.x);
  if (local.x != 0) { return; }
  result[0] = sum.x / max(sum.y, 1);
  result[1] = sum.y;
}

@compute @workgroup_size(lanes)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.size) { return; }
  var d = 2 * (x[i] - y[i]);
  if (logistic) { d = 1 / (1 + exp(-clamp(x[i], -80, 80))) - y[i]; }
  d_x[i] = select(0, d * shape.scale / max(result[1], 1), asked(y[i]));
}
