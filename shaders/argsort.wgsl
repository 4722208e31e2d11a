// The positions of ids in ascending order of the ids, equal ids in the order in which they stand: one pass
// of a stable radix sort (Knuth, The Art of Computer Programming, volume 3, section 5.2.5).
//
//   sorted = order, reordered stably by the digit (ids[order[i]] >> shift) & (bins - 1)
//
// A pass is three dispatches. Positions are divided into `chunks` runs of `chunk`, and one invocation
// handles one run: `count` counts the digits of each run into places[digit, run]; `scan`, one workgroup,
// makes of these counts the place where each run's first position with each digit goes; `scatter` writes the
// positions there. Nothing is written by two invocations, so the order is always the same one.
// ids, order, sorted: (count). places: (bins, chunks). In the first pass the order is 0, 1, 2, …

struct Shape { count: u32, chunk: u32, chunks: u32, shift: u32, bins: u32 }

override has_order: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> places: array<u32>;
@group(0) @binding(4) var<storage, read_write> sorted: array<u32>;

var<workgroup> totals: array<u32, lanes>;

fn position(i: u32) -> u32 {
  if (has_order) { return order[i]; }
  return i;
}

/// Where the counter of position n lies for run c.
fn counter(n: u32, c: u32) -> u32 {
  return ((ids[n] >> shape.shift) & (shape.bins - 1)) * shape.chunks + c;
}

@compute @workgroup_size(lanes)
fn count(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c >= shape.chunks) { return; }
  for (var bin = 0u; bin < shape.bins; bin++) { places[bin * shape.chunks + c] = 0; }
  let end = min((c + 1) * shape.chunk, shape.count);
  for (var i = c * shape.chunk; i < end; i++) { places[counter(position(i), c)] += 1; }
}

@compute @workgroup_size(lanes)
fn scan(@builtin(local_invocation_id) local: vec3u) {
  let size = shape.bins * shape.chunks;
  let run = (size + lanes - 1) / lanes;
  let end = min((local.x + 1) * run, size);
  var total = 0u;
  for (var i = local.x * run; i < end; i++) { total += places[i]; }
  totals[local.x] = total;
  workgroupBarrier();
  var before = 0u;
  for (var lane = 0u; lane < local.x; lane++) { before += totals[lane]; }
  for (var i = local.x * run; i < end; i++) {
    let own = places[i];
    places[i] = before;
    before += own;
  }
}

@compute @workgroup_size(lanes)
fn scatter(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c >= shape.chunks) { return; }
  let end = min((c + 1) * shape.chunk, shape.count);
  for (var i = c * shape.chunk; i < end; i++) {
    let n = position(i);
    let at = counter(n, c);
    sorted[places[at]] = n;
    places[at] += 1;
  }
}
