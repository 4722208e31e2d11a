// x[b] += position[past − pads[b]]: the positions of the next tokens of sequences of different lengths, of
// which the longest has filled `past` positions and the others `pads` fewer. A sequence that has ended may be
// written on beside others: it stays at the last position.
//
// One invocation adds to one element. x: (batch, channels). position: (context, channels). pads: (batch).

struct Shape { channels: u32, context: u32, past: u32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> pads: array<u32>;
@group(0) @binding(2) var<storage, read> position: array<f32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.channels) { return; }
  let t = min(shape.past - pads[id.y], shape.context - 1u);
  x[id.y * shape.channels + id.x] += position[t * shape.channels + id.x];
}
