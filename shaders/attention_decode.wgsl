// Attention of one query a head to the places of a cache and to its own (the newest), as in generation:
//
//   out = Σ_t p_t·v_t,  p = softmax(scale·q·k_t),  over t < past and the query's own place
//
// in one dispatch, by tiles of places whose maximum and sum are carried on (Milakov & Gimelshein 2018,
// arXiv:1805.02867), so that no score leaves the workgroup. It begins from the query's own place, which
// comes from qkv: the cache is a texture, and no dispatch may read and write one.
//
//   append:   writes the keys and values of qkv into the cache. One invocation writes one texel of each.
//   forward:  one workgroup computes one head of one sequence. For scores a lane takes four neighbouring
//             places at a time; for the mix, four channels of every `teams`-th four places.
//
// qkv: (batch, time, 3·heads·head_size) for each layer, layer_stride numbers apart; one layer of time 1 in
// `forward`. head_size is filled up to `quads` vectors of four. The cache has a slot for each head of each sequence of each layer:
//   keys:    texel (slot·quads + d)·capacity + t, so that lanes, which differ in t, read neighbours
//   values:  texel (slot·capacity + t)·quads + d, so that lanes, which differ in d, do
// Their texels are four f32, or four f16 (see src/gpu/kernel.ts): textureLoad gives f32 of both.
// capacity is a multiple of four. A batch of one qkv may fill several sequences (`sources`).
// pads: (batch), if `ragged`: how many positions fewer than `past` a sequence has filled.
// rows: (batch, capacity), if `indirect`: whose keys and values stand for a sequence's at each position, so
// that beams can change places without moving what they have in the cache.
// out: (batch, heads·head_size).

struct Shape {
  batch: u32,
  sources: u32,
  heads: u32,
  head_size: u32,
  time: u32,
  capacity: u32,
  past: u32,
  layer: u32,
  layers: u32,
  layer_stride: u32,
  scale: f32,
}

override quads: u32 = 16;
override lanes: u32 = 64;
override teams: u32 = lanes / quads;
/// Places in a tile.
override tile: u32 = 256;
/// Whether texels are written as f16.
override half: bool = false;
override ragged: bool = false;
override indirect: bool = false;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var keys: texture_2d<f32>;
@group(0) @binding(3) var values: texture_2d<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@group(0) @binding(5) var<storage, read> pads: array<u32>;
@group(0) @binding(6) var<storage, read> rows: array<u32>;

@group(0) @binding(2) var new_keys: texture_storage_2d<rgba32float, write>;
@group(0) @binding(3) var new_values: texture_storage_2d<rgba32float, write>;

fn place(i: u32) -> vec2u { return vec2u(i & 2047u, i >> 11u); }

fn key(i: u32) -> vec4f { return textureLoad(keys, place(i), 0); }
fn value(i: u32) -> vec4f { return textureLoad(values, place(i), 0); }

/// Positions that sequence b has filled, of a cache in which the longest has filled `past`.
fn filled(b: u32, past: u32) -> u32 {
  if (!ragged) { return past; }
  return past - pads[b];
}

/// The slots in which the keys and values of sequence b lie at four positions.
fn slots(b: u32, head: u32, t: vec4u, size: Shape) -> vec4u {
  var row = vec4u(b);
  if (indirect) {
    let i = b * size.capacity + t;
    row = vec4u(rows[i.x], rows[i.y], rows[i.z], rows[i.w]);
  }
  return (size.layer * size.batch + row) * size.heads + head;
}

/// Channels 4d..4d+3 of a head whose first number is qkv[at], zeros past its last.
fn four(at: u32, d: u32, head_size: u32) -> vec4f {
  let i = at + 4u * d;
  let left = head_size - 4u * d;
  return vec4f(qkv[i], select(0.0, qkv[i + 1u], left > 1u), select(0.0, qkv[i + 2u], left > 2u), select(0.0, qkv[i + 3u], left > 3u));
}

/// What a texel can hold of v. One infinite key would be all that its head sees from then on, and 0·∞ in a
/// mix is no number: so the largest f16 stands for what is beyond it. And v is rounded here, to the nearest
/// and of two to the even one, since textures, and quantizeToF16, cut off on some adapters the 13 bits for
/// which there is no room.
fn storable(v: vec4f) -> vec4f {
  if (!half) { return v; }
  let bits = bitcast<vec4u>(clamp(v, vec4f(-65504), vec4f(65504)));
  return bitcast<vec4f>((bits + 0xfffu + ((bits >> vec4u(13)) & vec4u(1))) & vec4u(0xffffe000));
}

@compute @workgroup_size(lanes)
fn append(@builtin(global_invocation_id) id: vec3u) {
  let size = shape;
  let slot = id.x / quads;
  let d = id.x % quads;
  if (slot >= size.layers * size.batch * size.heads) { return; }
  let head = slot % size.heads;
  let b = slot / size.heads % size.batch;
  let layer = slot / (size.heads * size.batch);
  let channels = size.heads * size.head_size;
  let row = (b % size.sources) * size.time + id.y;
  let at = layer * size.layer_stride + row * 3u * channels + head * size.head_size;
  let to = slot + size.layer * size.batch * size.heads;
  let t = filled(b, size.past) + id.y;
  // A sequence that has ended is written on beside others that have not, up to the end of the cache.
  if (t >= size.capacity) { return; }
  let k = storable(four(at + channels, d, size.head_size));
  let v = storable(four(at + 2u * channels, d, size.head_size));
  textureStore(new_keys, place((to * quads + d) * size.capacity + t), k);
  textureStore(new_values, place((to * size.capacity + t) * quads + d), v);
}

var<workgroup> query: array<vec4f, quads>;
var<workgroup> weights: array<vec4f, tile / 4>;
var<workgroup> partial: array<f32, lanes>;
var<workgroup> mixed: array<vec4f, lanes>;

/// Half of the lanes, from a number that no compiler knows: where it does, Mesa 25 writes the rounds of a sum
/// out, each with its barriers, and takes twice as long for the whole shader.
fn half_of_lanes() -> u32 { return max(lanes / 2u, shape.batch >> 31u); }

fn lane_sum(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var s = half_of_lanes(); s > 0u; s /= 2u) {
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
  for (var s = half_of_lanes(); s > 0u; s /= 2u) {
    if (lane < s) { partial[lane] = max(partial[lane], partial[lane + s]); }
    workgroupBarrier();
  }
  let most = partial[0];
  workgroupBarrier();
  return most;
}

@compute @workgroup_size(lanes)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let size = shape;
  let lane = local.x;
  let head = group.x;
  let b = group.y;
  let channels = size.heads * size.head_size;
  let at = b * 3u * channels + head * size.head_size;
  let past = min(filled(b, size.past), size.capacity);
  let team = lane / quads;
  let d = lane % quads;

  // The query's own place, which is all that there is at first.
  var own = 0.0;
  var mix = vec4f();
  if (team == 0u) {
    let q = four(at, d, size.head_size) * size.scale;
    own = dot(q, four(at + channels, d, size.head_size));
    mix = four(at + 2u * channels, d, size.head_size);
    query[d] = q;
  }
  var most = lane_sum(own, lane);
  var total = 1.0;

  for (var first = 0u; first < past; first += tile) {
    let fours = (min(tile, past - first) + 3u) / 4u;
    var highest = -3e38;
    for (var j = lane; j < fours; j += lanes) {
      var scores = vec4f();
      let four = first + 4u * j + vec4u(0, 1, 2, 3);
      let t = min(four, vec4u(past - 1u));
      var i = slots(b, head, t, size) * quads * size.capacity + t;
      for (var e = 0u; e < quads; e++) {
        scores += query[e] * mat4x4f(key(i.x), key(i.y), key(i.z), key(i.w));
        i += size.capacity;
      }
      scores = select(vec4f(-3e38), scores, four < vec4u(past));
      weights[j] = scores;
      highest = max(highest, max(max(scores.x, scores.y), max(scores.z, scores.w)));
    }
    let before = most;
    most = max(most, lane_max(highest, lane));
    var sum = vec4f();
    for (var j = lane; j < fours; j += lanes) {
      // What lies past the end is so far below the most that nothing is left of it.
      let weight = exp(weights[j] - most);
      weights[j] = weight;
      sum += weight;
    }
    let shrink = exp(before - most);
    total = total * shrink + lane_sum(dot(sum, vec4f(1)), lane);
    mix *= shrink;
    if (team < teams) {
      for (var j = team; j < fours; j += teams) {
        // A weight of zero does not undo what an earlier use of the cache left past the end: 0·∞ is no number.
        let t = min(first + 4u * j + vec4u(0, 1, 2, 3), vec4u(past - 1u));
        let i = (slots(b, head, t, size) * size.capacity + t) * quads + d;
        mix += mat4x4f(value(i.x), value(i.y), value(i.z), value(i.w)) * weights[j];
      }
    }
    workgroupBarrier();
  }

  mixed[lane] = mix;
  workgroupBarrier();
  if (team > 0u) { return; }
  for (var other = 1u; other < teams; other++) { mix += mixed[other * quads + d]; }
  let v = mix / total;
  for (var j = 0u; j < min(4u, size.head_size - 4u * d); j++) {
    out[b * channels + head * size.head_size + 4u * d + j] = v[j];
  }
}
