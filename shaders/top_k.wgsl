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
// order of their bits, so t is sought between 0 and the row's largest, which four guesses at a time cut
// into fifths: reading a row costs more than comparing it. It ends as soon as exactly k lie above. If
// numbers equal to t are among the k largest, the first of them fill up.
//
// In `forward` one invocation owns a row: rows come in thousands here, and a row is no longer than some
// thousand numbers, which the caches hold while it is read some eight times. forward_odd serves columns
// that are no multiple of four. In `backward` one invocation computes four elements, past the end lies
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

/// How many of four keys lie above each of four guesses.
fn passing(keys: vec4u, guesses: vec4u) -> vec4u {
  return select(vec4u(), vec4u(1), vec4u(keys.x) > guesses) +
    select(vec4u(), vec4u(1), vec4u(keys.y) > guesses) +
    select(vec4u(), vec4u(1), vec4u(keys.z) > guesses) +
    select(vec4u(), vec4u(1), vec4u(keys.w) > guesses);
}

fn above(row: u32, guesses: vec4u) -> vec4u {
  var counts = vec4u();
  for (var i = 0u; i < shape.columns / 4; i++) { counts += passing(key(row, i), guesses); }
  return counts;
}

fn above_odd(row: u32, guesses: vec4u) -> vec4u {
  var counts = vec4u();
  for (var i = 0u; i < shape.columns; i++) {
    counts += select(vec4u(), vec4u(1), vec4u(key_odd(row, i)) > guesses);
  }
  return counts;
}

/// More than k numbers lie above `low`, and `taken`, which is no more than k, above `high`.
struct Search { low: u32, high: u32, taken: u32 }

/// Four places that cut what is left to search into fifths.
fn guesses_of(search: Search) -> vec4u {
  return search.low + vec4u(1, 2, 3, 4) * max((search.high - search.low) / 5, 1u);
}

fn narrowed(search: Search, guesses: vec4u, counts: vec4u) -> Search {
  var next = search;
  for (var j = 0u; j < 4 && guesses[j] < search.high; j++) {
    if (counts[j] <= shape.k) {
      next.high = guesses[j];
      next.taken = counts[j];
      break;
    }
    next.low = guesses[j];
  }
  return next;
}

fn searching(search: Search) -> bool {
  return search.high - search.low > 1 && search.taken != shape.k;
}

/// Where a search begins: at its end, if no more than k numbers are positive at all.
fn begun(positive: u32, most: u32) -> Search {
  if (positive <= shape.k) { return Search(0, 0, positive); }
  return Search(0, most, 0);
}

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * lanes;
  if (row >= shape.rows) { return; }
  var most = vec4u();
  var positive = vec4u();
  for (var i = 0u; i < shape.columns / 4; i++) {
    let keys = key(row, i);
    most = max(most, keys);
    positive += min(keys, vec4u(1));
  }
  var search = begun(
    positive.x + positive.y + positive.z + positive.w,
    max(max(most.x, most.y), max(most.z, most.w)),
  );
  while (searching(search)) {
    let guesses = guesses_of(search);
    search = narrowed(search, guesses, above(row, guesses));
  }
  for (var i = 0u; i < shape.columns / 4; i++) {
    let keys = key(row, i);
    var keep = keys > vec4u(search.high);
    if (search.high > 0) {
      for (var j = 0u; j < 4 && search.taken < shape.k; j++) {
        if (keys[j] == search.high) {
          keep[j] = true;
          search.taken++;
        }
      }
    }
    out[row * (shape.columns / 4) + i] = bitcast<vec4f>(select(vec4u(), keys, keep));
  }
}

@compute @workgroup_size(lanes)
fn forward_odd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * lanes;
  if (row >= shape.rows) { return; }
  var most = 0u;
  var positive = 0u;
  for (var i = 0u; i < shape.columns; i++) {
    let bits = key_odd(row, i);
    most = max(most, bits);
    positive += min(bits, 1u);
  }
  var search = begun(positive, most);
  while (searching(search)) {
    let guesses = guesses_of(search);
    search = narrowed(search, guesses, above_odd(row, guesses));
  }
  for (var i = 0u; i < shape.columns; i++) {
    let bits = key_odd(row, i);
    var keep = bits > search.high;
    if (bits == search.high && search.high > 0 && search.taken < shape.k) {
      keep = true;
      search.taken++;
    }
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
