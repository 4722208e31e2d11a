// out[n] = token[ids[n]] + position[offset + n mod time], and its backward without atomics:
//
//   d_token[v] += Σ_{n: ids[n] = v} d_out[n]        d_position[t] += Σ_b d_out[b·time + t]
//
// So that the sum has one order, `sorted` has the positions by ascending id, see argsort.wgsl. In
// `backward_token` one invocation adds up one channel of a run of them. An id's sum goes to its row if the
// id's first position lies in the run, else into partial[run]; `backward_token_join` adds these to the row, in
// the invocation of the run where the id began. No loop is longer than a run or than there are runs, even if
// all ids are one. `backward_position` adds the sequences from `first` up to `end`.
// An id that is not in the table has a row of NaN. The id `padding` gets no gradient, as with PyTorch's padding_idx.
// ids: (count). token: (vocabulary, channels). position: (context, channels). out: (count, channels).
// sorted: (count). partial: (runs, channels).

/// What `forward` writes or `backward` adds to, and what `backward` reads: f32, or f16 (src/gpu/kernel.ts).
alias result = f32;
alias real = f32;

struct Shape {
  count: u32,
  channels: u32,
  time: u32,
  offset: u32,
  vocabulary: u32,
  padding: u32,
  run_size: u32,
  first: u32,
  end: u32,
}

override has_position: bool = true;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> token: array<f32>;
@group(0) @binding(3) var<storage, read> position: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<result>;
@group(0) @binding(5) var<storage, read> sorted: array<u32>;
@group(0) @binding(6) var<storage, read_write> partial: array<f32>;
@group(0) @binding(7) var<storage, read> d_out: array<real>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.y + id.z * groups.y;
  if (id.x >= shape.channels || n >= shape.count) { return; }
  var v = token[ids[n] * shape.channels + id.x];
  if (has_position) { v += position[(shape.offset + n % shape.time) * shape.channels + id.x]; }
  // From the sizes' bits, so that no compiler folds it away.
  if (ids[n] >= shape.vocabulary) { v = bitcast<f32>(0x7fc00000u | (shape.vocabulary & 1)); }
  out[n * shape.channels + id.x] = result(v);
}

/// Adds up what one id got in a run, if it begins there; else leaves it to `backward_token_join`.
fn put(own: u32, sum: f32, run: u32, channel: u32, begun_before: bool) {
  if (own == shape.padding) { return; }
  if (begun_before) {
    partial[run * shape.channels + channel] = sum;
    return;
  }
  let at = own * shape.channels + channel;
  out[at] = result(f32(out[at]) + sum);
}

/// The id at place i of the sorted order.
fn id_at(i: u32) -> u32 {
  let n = sorted[i];
  return ids[n];
}

/// Whether place i of the sorted order has the id of the place before it.
fn goes_on(i: u32) -> bool {
  if (i == 0 || i >= shape.count) { return false; }
  return id_at(i) == id_at(i - 1);
}

@compute @workgroup_size(lanes)
fn backward_token(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let run = id.y + id.z * groups.y;
  let begin = run * shape.run_size;
  if (id.x >= shape.channels || begin >= shape.count) { return; }
  let end = min(begin + shape.run_size, shape.count);
  var own = id_at(begin);
  var begun_before = goes_on(begin);
  var sum = 0.0;
  for (var i = begin; i < end; i++) {
    let n = sorted[i];
    if (ids[n] != own) {
      put(own, sum, run, id.x, begun_before);
      own = ids[n];
      begun_before = false;
      sum = 0;
    }
    sum += f32(d_out[n * shape.channels + id.x]);
  }
  put(own, sum, run, id.x, begun_before);
}

@compute @workgroup_size(lanes)
fn backward_token_join(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let run = id.y + id.z * groups.y;
  let begin = run * shape.run_size;
  let end = begin + shape.run_size;
  if (id.x >= shape.channels || !goes_on(end)) { return; }
  let own = id_at(end);
  if (own == shape.padding || (goes_on(begin) && id_at(begin) == own)) { return; }
  var sum = 0.0;
  for (var i = end; goes_on(i) && id_at(i) == own; i += shape.run_size) {
    sum += partial[i / shape.run_size * shape.channels + id.x];
  }
  let at = own * shape.channels + id.x;
  out[at] = result(f32(out[at]) + sum);
}

@compute @workgroup_size(lanes)
fn backward_position(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let t = id.y + id.z * groups.y;
  if (id.x >= shape.channels || t >= shape.time) { return; }
  var sum = 0.0;
  for (var b = shape.first; b < shape.end; b++) {
    sum += f32(d_out[(b * shape.time + t) * shape.channels + id.x]);
  }
  let at = (shape.offset + t) * shape.channels + id.x;
  out[at] = result(f32(out[at]) + sum);
}
