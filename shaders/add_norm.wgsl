// A residual connection and the layer norm behind it (see layer_norm.wgsl), in one pass over memory:
//
//   sum = a + b        out = (sum - mean)·rstd·weight + bias,  rstd = 1/√(variance + epsilon)
//
// `lanes` invocations share a row and `rows` rows share a workgroup, as in layer_norm.wgsl. A lane reads
// back only what it wrote itself, so that statistics are those of the sum as it is stored.
// a, b, sum, out: (rows, columns). mean, rstd: (rows). `forward` takes vectors of four; `forward_odd` is
// for columns that are no multiple of it.

/// a, b, sum and out: f32, or f16 (see src/gpu/kernel.ts); all arithmetic is in f32.
alias real = f32;

struct Shape { row_count: u32, columns: u32, epsilon: f32 }

override lanes: u32 = 32;
override rows: u32 = 2;
override slots: u32 = lanes * rows;

var<workgroup> partial: array<f32, slots>;

/// The sum of `value` over the lanes of a row, known to each of them.
fn row_sum(value: f32, slot: u32, lane: u32) -> f32 {
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
@group(0) @binding(1) var<storage, read> a: array<vec4<real>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<real>>;
@group(0) @binding(3) var<storage, read> weight: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> mean: array<f32>;
@group(0) @binding(6) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(7) var<storage, read_write> sum: array<vec4<real>>;
@group(0) @binding(8) var<storage, read_write> out: array<vec4<real>>;

@group(0) @binding(1) var<storage, read> a_odd: array<real>;
@group(0) @binding(2) var<storage, read> b_odd: array<real>;
@group(0) @binding(3) var<storage, read> weight_odd: array<f32>;
@group(0) @binding(4) var<storage, read> bias_odd: array<f32>;
@group(0) @binding(7) var<storage, read_write> sum_odd: array<real>;
@group(0) @binding(8) var<storage, read_write> out_odd: array<real>;

fn total(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

@compute @workgroup_size(slots)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let columns = f32(shape.columns);
  let fours = shape.columns / 4;
  // A row past the end reads the last one and writes nothing: barriers need all lanes.
  let inside = row < shape.row_count;
  let at = min(row, shape.row_count - 1) * fours;
  // Sums begin at the row's first element, or a row far from zero would lose precision.
  let origin = f32(a[at].x) + f32(b[at].x);
  var shifted = vec4f();
  for (var i = lane; i < fours; i += lanes) {
    let v = vec4<real>(vec4f(a[at + i]) + vec4f(b[at + i]));
    if (inside) { sum[at + i] = v; }
    shifted += vec4f(v) - origin;
  }
  let m = origin + row_sum(total(shifted), slot, lane) / columns;
  var squares = vec4f();
  if (inside) {
    for (var i = lane; i < fours; i += lanes) {
      let d = vec4f(sum[at + i]) - m;
      squares += d * d;
    }
  }
  let r = inverseSqrt(row_sum(total(squares), slot, lane) / columns + shape.epsilon);
  if (!inside) { return; }
  for (var i = lane; i < fours; i += lanes) {
    out[at + i] = vec4<real>((vec4f(sum[at + i]) - m) * r * weight[i] + bias[i]);
  }
  if (lane == 0) {
    mean[row] = m;
    rstd[row] = r;
  }
}

@compute @workgroup_size(slots)
fn forward_odd(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let slot = local.x;
  let lane = slot % lanes;
  let row = (group.x + group.y * groups.x) * rows + slot / lanes;
  let inside = row < shape.row_count;
  let at = min(row, shape.row_count - 1) * shape.columns;
  let origin = f32(a_odd[at]) + f32(b_odd[at]);
  var shifted = 0.0;
  for (var i = lane; i < shape.columns; i += lanes) {
    let v = real(f32(a_odd[at + i]) + f32(b_odd[at + i]));
    if (inside) { sum_odd[at + i] = v; }
    shifted += f32(v) - origin;
  }
  let m = origin + row_sum(shifted, slot, lane) / f32(shape.columns);
  var squares = 0.0;
  if (inside) {
    for (var i = lane; i < shape.columns; i += lanes) {
      let d = f32(sum_odd[at + i]) - m;
      squares += d * d;
    }
  }
  let r = inverseSqrt(row_sum(squares, slot, lane) / f32(shape.columns) + shape.epsilon);
  if (!inside) { return; }
  for (var i = lane; i < shape.columns; i += lanes) {
    out_odd[at + i] = real((f32(sum_odd[at + i]) - m) * r * weight_odd[i] + bias_odd[i]);
  }
  if (lane == 0) {
    mean[row] = m;
    rstd[row] = r;
  }
}
