// Layer norm (see layer_norm.wgsl) in its three parts, for those who look at what lies between them or
// put something else there. Over each row of length columns, with mean its mean:
//
//   scale:               scale = √(mean((x - mean)²) + epsilon)
//   scale_backward:      d_x   = d_scale·(x - mean)/(columns·scale)
//   divide:              out   = (x - mean)/scale
//   divide_backward:     d_x   = (d_out - mean(d_out))/scale,  d_scale = -Σ d_out·(x - mean)/scale²
//   affine:              out   = x·weight + bias; without bias, its own backward: d_x = d_out·weight
//
// Lanes share a row as in layer_norm.wgsl; in `affine` one invocation computes one number.
// x, out, d_out, d_x: (row_count, columns). scale, d_scale: (row_count). weight, bias: (columns).

/// f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { row_count: u32, columns: u32, epsilon: f32 }

override has_bias: bool = true;
override lanes: u32 = 32;
override rows: u32 = 2;
override slots: u32 = lanes * rows;

var<workgroup> partial: array<vec2f, slots>;

/// The sums of both numbers over the lanes of a row, known to each of them.
fn row_sum(value: vec2f, slot: u32, lane: u32) -> vec2f {
  if (lanes == 1) { return value; }
  partial[slot] = value;
  workgroupBarrier();
  for (var s = lanes / 2; s > 0; s /= 2) {
    if (lane < s) { partial[slot] += partial[slot + s]; }
    workgroupBarrier();
  }
  let total = partial[slot - lane];
  workgroupBarrier();
  return total;
}

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<real>;
@group(0) @binding(2) var<storage, read_write> scale_out: array<f32>;
@group(0) @binding(2) var<storage, read> scale_in: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<real>;
@group(0) @binding(4) var<storage, read> d_out: array<real>;
@group(0) @binding(4) var<storage, read> d_scale_in: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_x: array<real>;
@group(0) @binding(6) var<storage, read_write> d_scale_out: array<f32>;
@group(0) @binding(5) var<storage, read> weight: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;

/// Where a lane works: its row, of which a team past the end takes the last, and the row's first element.
struct Place { slot: u32, lane: u32, row: u32, at: u32, inside: bool }

fn place_of(group: vec3u, slot: u32, groups: vec3u) -> Place {
  let own = (group.x + group.y * groups.x) * rows + slot / lanes;
  let row = min(own, shape.row_count - 1);
  return Place(slot, slot % lanes, row, row * shape.columns, own < shape.row_count);
}

/// The mean of a row. The sum begins at the row's first element, or a row far from zero would lose precision.
fn mean_of(p: Place) -> f32 {
  let origin = f32(x[p.at]);
  var sum = 0.0;
  for (var c = p.lane; c < shape.columns; c += lanes) { sum += f32(x[p.at + c]) - origin; }
  return origin + row_sum(vec2f(sum, 0), p.slot, p.lane).x / f32(shape.columns);
}

@compute @workgroup_size(slots)
fn scale(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let p = place_of(group, local.x, groups);
  let mean = mean_of(p);
  var squares = 0.0;
  for (var c = p.lane; c < shape.columns; c += lanes) {
    let d = f32(x[p.at + c]) - mean;
    squares += d * d;
  }
  squares = row_sum(vec2f(squares, 0), p.slot, p.lane).x;
  if (p.inside && p.lane == 0) {
    scale_out[p.row] = sqrt(squares / f32(shape.columns) + shape.epsilon);
  }
}

@compute @workgroup_size(slots)
fn scale_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let p = place_of(group, local.x, groups);
  let mean = mean_of(p);
  if (!p.inside) { return; }
  let factor = d_scale_in[p.row] / (f32(shape.columns) * scale_in[p.row]);
  for (var c = p.lane; c < shape.columns; c += lanes) {
    d_x[p.at + c] = real(factor * (f32(x[p.at + c]) - mean));
  }
}

@compute @workgroup_size(slots)
fn divide(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let p = place_of(group, local.x, groups);
  let mean = mean_of(p);
  if (!p.inside) { return; }
  for (var c = p.lane; c < shape.columns; c += lanes) {
    out[p.at + c] = real((f32(x[p.at + c]) - mean) / scale_in[p.row]);
  }
}

@compute @workgroup_size(slots)
fn divide_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let p = place_of(group, local.x, groups);
  let mean = mean_of(p);
  let scale = scale_in[p.row];
  var sums = vec2f();
  for (var c = p.lane; c < shape.columns; c += lanes) {
    let d = f32(d_out[p.at + c]);
    sums += vec2f(d, d * (f32(x[p.at + c]) - mean));
  }
  sums = row_sum(sums, p.slot, p.lane);
  if (!p.inside) { return; }
  let mean_d = sums.x / f32(shape.columns);
  for (var c = p.lane; c < shape.columns; c += lanes) {
    d_x[p.at + c] = real((f32(d_out[p.at + c]) - mean_d) / scale);
  }
  if (p.lane == 0) { d_scale_out[p.row] = -sums.y / (scale * scale); }
}

@compute @workgroup_size(lanes)
fn affine(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * lanes;
  if (i >= shape.row_count * shape.columns) { return; }
  let c = i % shape.columns;
  var v = f32(x[i]) * weight[c];
  if (has_bias) { v += bias[c]; }
  out[i] = real(v);
}
