// Inverted dropout (Srivastava et al. 2014): out = x·keep/(1 - p), keep = [u ≥ p].
//
// u comes from a counter, not from a state: u = pcg4d(i, place, step, seed) (Jarzynski & Olano,
// "Hash Functions for GPU Rendering", JCGT 9(3), 2020). So the backward pass is the forward pass of
// d_out, and a replay or a resumed run drops the same elements.
//
// One invocation computes four elements; past the end lies padding. x, out: (4·fours).

/// f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { fours: u32, place: u32, step: u32, seed: u32, probability: f32 }

override accumulate: bool = false;
override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<real>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<real>>;

fn pcg4d(seed: vec4u) -> vec4u {
  var v = seed * 1664525u + 1013904223u;
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  v = v ^ (v >> vec4u(16u));
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  return v;
}

/// A number of [0, 1) that belongs to element i.
fn uniform_at(i: u32) -> f32 {
  return f32(pcg4d(vec4u(i, shape.place, shape.step, shape.seed)).x >> 8u) * 0x1p-24;
}

@compute @workgroup_size(lanes)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.fours) { return; }
  let u = vec4f(uniform_at(4 * i), uniform_at(4 * i + 1), uniform_at(4 * i + 2), uniform_at(4 * i + 3));
  var v = select(vec4f(), vec4f(x[i]) / (1 - shape.probability), u >= vec4f(shape.probability));
  if (accumulate) { v += vec4f(out[i]); }
  out[i] = vec4<real>(v);
}
