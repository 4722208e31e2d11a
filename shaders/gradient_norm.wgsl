// The global norm of all gradients and the factor that clips it (Pascanu et al. 2013, section 3.2;
// the 1e-6 is PyTorch's):
//
//   norm = √Σ g²        factor = min(1, limit/(norm + 1e-6))
//
// Gradients of many tensors lie side by side in flat, each from a multiple of four elements on.
// `squares`: one invocation adds every stride-th vector of four of one tensor into partial[base + i];
//            owner[i] says of which, and parts[tensor] = (begin, size, stride, number of its first sum).
// `tensors`: one invocation adds the partial sums of one tensor into sums[tensor]: from starts[2·tensor]
//            to starts[2·tensor + 1].
// `finish`:  one invocation writes clip = (norm, factor, 1 if norm is not finite).
// `finish_scaled`: the same where all gradients are loss_scale[0] times too large, as they are when
//            activations are f16 (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2): the norm is
//            told without the scale and the factor takes it out. A norm that is not finite halves the
//            scale; `growth` steps in a row that are finite double it.
//            loss_scale: (scale, finite steps since it changed, steps that were not finite).

struct Shape { count: u32, base: u32, tensors: u32, limit: f32, growth: f32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> flat: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> clip: array<f32>;
@group(0) @binding(6) var<storage, read> owner: array<u32>;
@group(0) @binding(7) var<storage, read> parts: array<vec4u>;
@group(0) @binding(8) var<storage, read_write> loss_scale: array<f32>;

/// The scale grows no further: a loss times it is no infinity in f32.
const LARGEST = 0x1p24;

@compute @workgroup_size(lanes)
fn squares(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.count) { return; }
  let part = parts[owner[i]];
  let begin = part.x / 4;
  let whole = part.y / 4;
  var sum = 0.0;
  var at = i - part.w;
  for (; at < whole; at += part.z) {
    let g = flat[begin + at];
    sum += dot(g, g);
  }
  if (at == whole && part.y % 4 != 0) {
    // Behind the last element lies whatever was there.
    let g = select(vec4f(), flat[begin + at], vec4u(0, 1, 2, 3) < vec4u(part.y % 4));
    sum += dot(g, g);
  }
  partial[shape.base + i] = sum;
}

@compute @workgroup_size(lanes)
fn tensors(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.tensors) { return; }
  var sum = 0.0;
  for (var i = starts[2 * id.x]; i < starts[2 * id.x + 1]; i++) { sum += partial[i]; }
  sums[id.x] = sum;
}

fn sum_of_all() -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < shape.tensors; i++) { sum += sums[i]; }
  return sum;
}

/// By its bits, because a shader compiler may assume that no number is infinite or NaN.
fn is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }

fn factor(norm: f32) -> f32 {
  return select(1.0, min(1.0, shape.limit / (norm + 1e-6)), shape.limit > 0);
}

@compute @workgroup_size(1)
fn finish() {
  let sum = sum_of_all();
  let norm = sqrt(sum);
  clip[0] = norm;
  clip[1] = factor(norm);
  clip[2] = select(1.0, 0.0, is_finite(sum));
}

@compute @workgroup_size(1)
fn finish_scaled() {
  let sum = sum_of_all();
  let finite = is_finite(sum);
  let scale = loss_scale[0];
  let norm = sqrt(sum) / scale;
  clip[0] = norm;
  clip[1] = factor(norm) / scale;
  clip[2] = select(1.0, 0.0, finite);
  if (finite) {
    loss_scale[1] += 1;
    if (loss_scale[1] >= shape.growth) {
      loss_scale[0] = min(2 * scale, LARGEST);
      loss_scale[1] = 0;
    }
  } else {
    loss_scale[0] = max(scale / 2, 1);
    loss_scale[1] = 0;
    loss_scale[2] += 1;
  }
}
