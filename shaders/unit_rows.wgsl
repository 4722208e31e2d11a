// Rows of length one, such as the directions of a dictionary, and gradients that leave their length alone:
//
//   normalize:  weight[r] ← weight[r]/‖weight[r]‖
//   project:    gradient[r] ← gradient[r] - (gradient[r]·weight[r])·weight[r]
//
// of which the second (Bricken et al. 2023, Gao et al. 2024, appendix A.1) takes away the part of a gradient
// that the first would undo. One invocation owns a row; a row of zeros stays. weight, gradient: (rows, columns).

struct Shape { rows: u32, columns: u32 }

override lanes: u32 = 64;

@group(0) @binding(0) var<storage, read> shape: Shape;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(lanes)
fn normalize(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * lanes;
  if (row >= shape.rows) { return; }
  let end = (row + 1) * shape.columns;
  var sum = 0.0;
  for (var i = row * shape.columns; i < end; i++) { sum += weight[i] * weight[i]; }
  let factor = select(0.0, 1 / sqrt(sum), sum > 0);
  for (var i = row * shape.columns; i < end; i++) { weight[i] *= factor; }
}

@compute @workgroup_size(lanes)
fn project(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * lanes;
  if (row >= shape.rows) { return; }
  let end = (row + 1) * shape.columns;
  var along = 0.0;
  for (var i = row * shape.columns; i < end; i++) { along += gradient[i] * weight[i]; }
  for (var i = row * shape.columns; i < end; i++) { gradient[i] -= along * weight[i]; }
}
