// cache[b, past + t, c] = x[b, t, offset + c]: new keys or values go behind those already there.
//
// One invocation copies one number. x: (batch, time, row). cache: (batch, capacity, channels).

struct Shape { channels: u32, time: u32, row: u32, offset: u32, past: u32, capacity: u32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> cache: array<f32>;

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.channels) { return; }
  let value = x[(id.z * shape.time + id.y) * shape.row + shape.offset + id.x];
  cache[(id.z * shape.capacity + shape.past + id.y) * shape.channels + id.x] = value;
}
