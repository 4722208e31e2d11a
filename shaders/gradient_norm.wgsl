// The global norm of all gradients and the factor that clips it (Pascanu et al. 2013, section 3.2;
// the 1e-6 is PyTorch's):
//
//   norm = √Σ g²        factor = min(1, limit/(norm + 1e-6))
//
// `squares`: one invocation adds every stride-th element of one tensor into partial[start + i].
// `tensors`: one invocation adds the partial sums of one tensor into sums[tensor].
// `finish`:  one invocation writes clip = (norm, factor, 1 if norm is not finite).

struct Shape { size: u32, stride: u32, start: u32, tensors: u32, limit: f32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> clip: array<f32>;

@compute @workgroup_size(lanes)
fn squares(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.stride) { return; }
  var sum = 0.0;
  for (var i = id.x; i < shape.size; i += shape.stride) { sum += gradient[i] * gradient[i]; }
  partial[shape.start + id.x] = sum;
}

@compute @workgroup_size(lanes)
fn tensors(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.tensors) { return; }
  var sum = 0.0;
  for (var i = starts[id.x]; i < starts[id.x + 1]; i++) { sum += partial[i]; }
  sums[id.x] = sum;
}

@compute @workgroup_size(1)
fn finish() {
  var sum = 0.0;
  for (var i = 0u; i < shape.tensors; i++) { sum += sums[i]; }
  let norm = sqrt(sum);
  // By its bits, because a shader compiler may assume that no number is infinite or NaN.
  let finite = (bitcast<u32>(sum) & 0x7f800000u) != 0x7f800000u;
  clip[0] = norm;
  clip[1] = select(1.0, min(1.0, shape.limit / (norm + 1e-6)), shape.limit > 0);
  clip[2] = select(1.0, 0.0, finite);
}
