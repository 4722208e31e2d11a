// TopK (Gao et al. 2024, arXiv:2406.04093, section 2.3): of each row the k largest numbers above zero, in
// their places, and zeros elsewhere. Of equal numbers the first count.
//
//   forward:   out[r, f] = x[r, f] if it is among them, 0 if not
//   backward:  d_x[r, f] = d_out[r, f] if out[r, f] > 0, 0 if not
//   ages:      age[f] = 0 if out[r, f] > 0 for some row r, or age[f] + rows
//
// With `only_old`, forward sees the columns of age `limit` or more alone: features that no longer fire.
//
// The k largest lie above a threshold t that no more than k numbers exceed. Positive floats have the
// order of their bits, so t is found by bisection between 0 and the row's largest, which ends as soon as
// exactly k lie above. If numbers equal to t are among the k largest, the first of them fill up.
//
// In `forward` one invocation owns a row: rows come in thousands here, and a row is no longer than some
// thousand numbers, which the caches hold while it is read some twenty times. forward_odd serves columns that
// are no multiple of four. In `backward` one invocation computes four elements, past the end lies
// padding; in `ages` it looks down one column. x, out, d_out, d_x: (rows, columns). age: (columns).

struct Shape { rows: u32, columns: u32, fours: u32, k: u32, limit: u32 }

override only_old: bool = false;
override accumulate: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(3) var<storage, read> age: array<vec4u>;
@group(0) @binding(4) var<storage, read> d_out: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> d_x: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> ages_out: array<u32>;

@group(0) @binding(1) var<storage, read> x_odd: array<f32>;
@group(0) @binding(2) var<storage, read_write> out_odd: array<f32>;
@group(0) @binding(3) var<storage, read> age_odd: array<u32>;

/// What numbers are ordered by: their bits; 0 for those that are never taken.
fn key(row: u32, i: u32) -> vec4u {
  let v = x[row * (shape.columns / 4) + i];
  var keys = select(vec4u(), bitcast<vec4u>(v), v > vec4f());
  if (only_old) { keys = select(vec4u(), keys, age[i] >= vec4u(shape.limit)); }
  return keys;
}

fn key_odd(row: u32, i: u32) -> u32 {
  let v = x_odd[row * shape.columns + i];
  var taken = v > 0;
  if (only_old) { taken = taken && age_odd[i] >= shape.limit; }
  return select(0u, bitcast<u32>(v), taken);
}

fn above(row: u32, threshold: u32) -> u32 {
  var count = vec4u();
  for (var i = 0u; i < shape.columns / 4; i++) {
    count += select(vec4u(), vec4u(1), key(row, i) > vec4u(threshold));
  }
  return count.x + count.y + count.z + count.w;
}

fn above_odd(row: u32, threshold: u32) -> u32 {
  var count = 0u;
  for (var i = 0u; i < shape.columns; i++) { count += select(0u, 1u, key_odd(row, i) > threshold); }
  return count;
}

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * lanes;
  if (row >= shape.rows) { return; }
  var most = vec4u();
  for (var i = 0u; i < shape.columns / 4; i++) { most = max(most, key(row, i)); }
  // No more than k lie above `high`, and more than k above `low`, unless that is zero.
  var low = 0u;
  var high = max(max(most.x, most.y), max(most.z, most.w));
  var taken = above(row, 0);
  if (taken <= shape.k) { high = 0; } else { taken = 0; }
  while (high - low > 1 && taken != shape.k) {
    let middle = low + (high - low) / 2;
    let count = above(row, middle);
    if (count > shape.k) { low = middle; } else { high = middle; taken = count; }
  }
  for (var i = 0u; i < shape.columns / 4; i++) {
    let keys = key(row, i);
    var keep = keys > vec4u(high);
    if (taken < shape.k && high > 0) {
      for (var j = 0u; j < 4 && taken < shape.k; j++) {
        if (keys[j] == high) { keep[j] = true; taken++; }
      }
    }
    out[row * (shape.columns / 4) + i] = bitcast<vec4f>(select(vec4u(), keys, keep));
  }
}

@compute @workgroup_size(lanes)
fn forward_odd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * lanes;
  if (row >= shape.rows) { return; }
  var low = 0u;
  var high = 0u;
  for (var i = 0u; i < shape.columns; i++) { high = max(high, key_odd(row, i)); }
  var taken = above_odd(row, 0);
  if (taken <= shape.k) { high = 0; } else { taken = 0; }
  while (high - low > 1 && taken != shape.k) {
    let middle = low + (high - low) / 2;
    let count = above_odd(row, middle);
    if (count > shape.k) { low = middle; } else { high = middle; taken = count; }
  }
  for (var i = 0u; i < shape.columns; i++) {
    let bits = key_odd(row, i);
    var keep = bits > high;
    if (bits == high && high > 0 && taken < shape.k) { keep = true; taken++; }
    out_odd[row * shape.columns + i] = bitcast<f32>(select(0u, bits, keep));
  }
}

@compute @workgroup_size(lanes)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.fours) { return; }
  var d = select(vec4f(), d_out[i], out[i] > vec4f());
  if (accumulate) { d += d_x[i]; }
  d_x[i] = d;
}

@compute @workgroup_size(lanes)
fn ages(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.columns) { return; }
  var fired = false;
  for (var row = 0u; row < shape.rows; row++) {
    fired = fired || out_odd[row * shape.columns + id.x] > 0;
  }
  ages_out[id.x] = select(ages_out[id.x] + shape.rows, 0u, fired);
}
