// out[n] = token[ids[n]] + position[offset + n mod time], and its backward without atomics:
//
//   d_token[v] += Σ_{n: ids[n] = v} d_out[n]        d_position[t] += Σ_b d_out[b·time + t]
//
// So that the sum has one order, `link` threads the places of equal ids into lists: next[n] is the
// next place with the same id, and first[n] is 1 where a list begins. In `backward_token` the
// invocation of a list's first place walks it; all others leave at once.
// The id `padding` gets no gradient, as with PyTorch's padding_idx.
// ids: (count). token: (vocabulary, channels). position: (context, channels). out: (count, channels).

/// What `forward` writes or `backward` adds to, and what `backward` reads: f32, or f16 (src/gpu/kernel.ts).
alias result = f32;
alias real = f32;

struct Shape { count: u32, channels: u32, time: u32, offset: u32, batch: u32, padding: u32 }

override has_position: bool = true;
override lanes: u32 = 64;

const NONE = 0xffffffffu;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> token: array<f32>;
@group(0) @binding(3) var<storage, read> position: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<result>;
@group(0) @binding(5) var<storage, read_write> next: array<u32>;
@group(0) @binding(6) var<storage, read_write> first: array<u32>;
@group(0) @binding(7) var<storage, read> d_out: array<real>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.y + id.z * groups.y;
  if (id.x >= shape.channels || n >= shape.count) { return; }
  var v = token[ids[n] * shape.channels + id.x];
  if (has_position) { v += position[(shape.offset + n % shape.time) * shape.channels + id.x]; }
  out[n * shape.channels + id.x] = result(v);
}

@compute @workgroup_size(lanes)
fn link(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x;
  if (n >= shape.count) { return; }
  let own = ids[n];
  if (own == shape.padding) {
    first[n] = 0u;
    return;
  }
  var earlier = 0u;
  while (earlier < n && ids[earlier] != own) { earlier++; }
  first[n] = select(0u, 1u, earlier == n);
  var later = n + 1;
  while (later < shape.count && ids[later] != own) { later++; }
  next[n] = select(NONE, later, later < shape.count);
}

@compute @workgroup_size(lanes)
fn backward_token(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let head = id.y + id.z * groups.y;
  if (id.x >= shape.channels || head >= shape.count) { return; }
  if (first[head] == 0) { return; }
  var sum = 0.0;
  for (var n = head; n != NONE; n = next[n]) { sum += f32(d_out[n * shape.channels + id.x]); }
  let at = ids[head] * shape.channels + id.x;
  out[at] = result(f32(out[at]) + sum);
}

@compute @workgroup_size(lanes)
fn backward_position(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.channels) { return; }
  var sum = 0.0;
  for (var b = 0u; b < shape.batch; b++) {
    sum += f32(d_out[(b * shape.time + id.y) * shape.channels + id.x]);
  }
  let at = (shape.offset + id.y) * shape.channels + id.x;
  out[at] = result(f32(out[at]) + sum);
}
