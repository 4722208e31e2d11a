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
// thousand numbers, which the caches hold while it is read some eight times. The lanes of a workgroup share
// a longer one, `lanes` above one, each a run of neighbours, so that the first of equals are those of the
// first lanes; a workgroup has one row then, because a search is as long as its row wants it. forward_odd
// serves columns that are no multiple of four. In `backward` one invocation computes four elements, past the
// end lies padding; in `ages` it looks down one column from row `first` up to `end`, and an age of 0 behind
// the first row says that the column fired above. x, out, d_out, d_x: (rows, columns). age: (columns).

struct Shape { rows: u32, columns: u32, fours: u32, k: u32, limit: u32, first: u32, end: u32 }

override only_old: bool = false;
override accumulate: bool = false;
override lanes: u32 = 64;
override rows: u32 = 1;
override slots: u32 = lanes * rows;

var<workgroup> partial: array<vec4u, slots>;

/// The sums of four numbers over the lanes of a row, known to each of them.
fn row_sum(value: vec4u, slot: u32) -> vec4u {
  if (lanes == 1) { return value; }
  partial[slot] = value;
  workgroupBarrier();
  for (var s = lanes / 2; s > 0; s /= 2) {
    if (slot < s) { partial[slot] += partial[slot + s]; }
    workgroupBarrier();
  }
  let total = partial[0];
  workgroupBarrier();
  return total;
}

/// The largest of the lanes' values.
fn row_max(value: u32, slot: u32) -> u32 {
  if (lanes == 1) { return value; }
  partial[slot].x = value;
  workgroupBarrier();
  for (var s = lanes / 2; s > 0; s /= 2) {
    if (slot < s) { partial[slot].x = max(partial[slot].x, partial[slot + s].x); }
    workgroupBarrier();
  }
  let most = partial[0].x;
  workgroupBarrier();
  return most;
}

/// The sum of the values of the lanes before this one.
fn before(value: u32, slot: u32) -> u32 {
  if (lanes == 1) { return 0; }
  partial[slot].x = value;
  workgroupBarrier();
  var sum = 0u;
  for (var s = 0u; s < slot; s++) { sum += partial[s].x; }
  return sum;
}

/// The row of an invocation, and which of its `size` elements are the lane's own.
struct Run { row: u32, slot: u32, begin: u32, end: u32, inside: bool }

fn run_of(group: vec3u, slot: u32, groups: vec3u, size: u32) -> Run {
  let own = (group.x + group.y * groups.x) * rows + slot / lanes;
  let row = min(own, shape.rows - 1);
  let length = (size + lanes - 1) / lanes;
  let begin = min(slot % lanes * length, size);
  return Run(row, slot, begin, min(begin + length, size), own < shape.rows);
}

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

fn above(run: Run, guesses: vec4u) -> vec4u {
  var counts = vec4u();
  for (var i = run.begin; i < run.end; i++) { counts += passing(key(run.row, i), guesses); }
  return row_sum(counts, run.slot);
}

fn above_odd(run: Run, guesses: vec4u) -> vec4u {
  var counts = vec4u();
  for (var i = run.begin; i < run.end; i++) {
    counts += select(vec4u(), vec4u(1), vec4u(key_odd(run.row, i)) > guesses);
  }
  return row_sum(counts, run.slot);
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

@compute @workgroup_size(slots)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let run = run_of(group, local.x, groups, shape.columns / 4);
  var most = vec4u();
  var positive = vec4u();
  for (var i = run.begin; i < run.end; i++) {
    let keys = key(run.row, i);
    most = max(most, keys);
    positive += min(keys, vec4u(1));
  }
  positive = row_sum(positive, run.slot);
  var search = begun(
    positive.x + positive.y + positive.z + positive.w,
    row_max(max(max(most.x, most.y), max(most.z, most.w)), run.slot),
  );
  while (searching(search)) {
    let guesses = guesses_of(search);
    search = narrowed(search, guesses, above(run, guesses));
  }
  if (lanes > 1) {
    var equal = vec4u();
    for (var i = run.begin; i < run.end; i++) {
      equal += select(vec4u(), vec4u(1), key(run.row, i) == vec4u(search.high));
    }
    search.taken += before(equal.x + equal.y + equal.z + equal.w, run.slot);
  }
  if (!run.inside) { return; }
  for (var i = run.begin; i < run.end; i++) {
    let keys = key(run.row, i);
    var keep = keys > vec4u(search.high);
    if (search.high > 0) {
      for (var j = 0u; j < 4 && search.taken < shape.k; j++) {
        if (keys[j] == search.high) {
          keep[j] = true;
          search.taken++;
        }
      }
    }
    out[run.row * (shape.columns / 4) + i] = bitcast<vec4f>(select(vec4u(), keys, keep));
  }
}

@compute @workgroup_size(slots)
fn forward_odd(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let run = run_of(group, local.x, groups, shape.columns);
  var most = 0u;
  var positive = 0u;
  for (var i = run.begin; i < run.end; i++) {
    let bits = key_odd(run.row, i);
    most = max(most, bits);
    positive += min(bits, 1u);
  }
  var search = begun(row_sum(vec4u(positive), run.slot).x, row_max(most, run.slot));
  while (searching(search)) {
    let guesses = guesses_of(search);
    search = narrowed(search, guesses, above_odd(run, guesses));
  }
  if (lanes > 1) {
    var equal = 0u;
    for (var i = run.begin; i < run.end; i++) {
      equal += select(0u, 1u, key_odd(run.row, i) == search.high);
    }
    search.taken += before(equal, run.slot);
  }
  if (!run.inside) { return; }
  for (var i = run.begin; i < run.end; i++) {
    let bits = key_odd(run.row, i);
    var keep = bits > search.high;
    if (bits == search.high && search.high > 0 && search.taken < shape.k) {
      keep = true;
      search.taken++;
    }
    out_odd[run.row * shape.columns + i] = bitcast<f32>(select(0u, bits, keep));
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
  let age = ages_out[id.x];
  var fired = shape.first > 0 && age == 0;
  for (var row = shape.first; row < shape.end; row++) {
    fired = fired || out_odd[row * shape.columns + id.x] > 0;
  }
  ages_out[id.x] = select(age + shape.end - shape.first, 0u, fired);
}
