// What a sequence has of tokens so far decides which it may not have next, and which are less likely:
//
//   mark:    SEEN for each id that occurred; BANNED for each that would complete an n-gram which the
//            sequence has already (Paulus et al. 2017, arXiv:1705.04304, section 2.5)
//   ban:     BANNED for each of some ids, such as those that end a text before it is long enough
//   append:  the newest id of each sequence goes to the end of its history
//
// The marks are cleared before. A sequence has `length − pads[b]` tokens, of which the last are its newest.
//
// In `mark` one invocation looks at one place of one sequence; in `ban` it bans one id of one; in `append` it
// writes one id. history: (batch, capacity). seen: (batch, vocabulary). pads: (batch). ids: (batch).
// banned: (count).

struct Shape { vocabulary: u32, capacity: u32, length: u32, ngram: u32, batch: u32, count: u32 }

override lanes: u32 = 64;

const SEEN = 1u;
const BANNED = 2u;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> pads: array<u32>;
@group(0) @binding(2) var<storage, read_write> history: array<u32>;
@group(0) @binding(3) var<storage, read_write> seen: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read> ids: array<u32>;
@group(0) @binding(5) var<storage, read> banned: array<u32>;

@compute @workgroup_size(lanes)
fn mark(@builtin(global_invocation_id) id: vec3u) {
  let b = id.y;
  let t = id.x;
  let length = min(shape.length - pads[b], shape.capacity);
  if (t >= length) { return; }
  let at = b * shape.capacity;
  var marks = SEEN;
  // The n-gram that ends here is as the last n − 1 tokens would be with this one behind them.
  if (shape.ngram > 0 && t + 1 >= shape.ngram && length + 1 >= shape.ngram) {
    var same = true;
    for (var i = 1u; i < shape.ngram; i++) {
      same = same && history[at + t - i] == history[at + length - i];
    }
    if (same) { marks |= BANNED; }
  }
  atomicOr(&seen[b * shape.vocabulary + history[at + t]], marks);
}

@compute @workgroup_size(lanes)
fn ban(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.count) { return; }
  atomicOr(&seen[id.y * shape.vocabulary + banned[id.x]], BANNED);
}

@compute @workgroup_size(lanes)
fn append(@builtin(global_invocation_id) id: vec3u) {
  let b = id.x;
  if (b >= shape.batch) { return; }
  let t = shape.length - pads[b];
  if (t < shape.capacity) { history[b * shape.capacity + t] = ids[b]; }
}
