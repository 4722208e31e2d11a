/**
 * A shader of the user's own: filled, run, timed and counted; and what is wrong with it, in words.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import { profileShader, type ShaderProfileOptions } from "../../src/profiling/shader_profile.ts";
import { seededNumbers } from "../../src/profiling/cases/operands.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const SCALE = `struct Scale { count: u32, by: vec2f, shift: i32 }
override lanes: u32 = 4;
@group(0) @binding(3) var<uniform> scale: Scale;
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> turn: mat2x3f;
@compute @workgroup_size(lanes)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= scale.count) { return; }
  let i = id.x;
  out[i] = x[i / 4][i % 4] * scale.by.x + scale.by.y + f32(scale.shift) * f32(ids[i]) + turn[1].z;
}
@compute @workgroup_size(1)
fn other() { out[0] = x[0].x; }`;

const GIVEN: ShaderProfileOptions = {
  entryPoint: "main",
  buffers: { x: { count: 28 }, ids: { count: 28, low: 3, high: 7 }, out: { count: 28 } },
  uniforms: { count: [27], by: [2, 0.25], shift: [-3], turn: [1, 2, 3, 4, 5, 6] },
  workgroups: [7],
  roof: false,
  runs: 3,
};

const run = (source: string, options: Partial<ShaderProfileOptions> = {}) =>
  profileShader(device, { name: "own", source }, { ...GIVEN, ...options });

Deno.test("its uniforms, buffers and overrides arrive, and its results come back", async () => {
  const { outputs, profile } = await run(SCALE, { overrides: { lanes: 8 }, flops: "4 * count" });
  // Seeds count the bindings, in the order in which the parser tells them.
  const seeds = [1, 2, 3, 4, 5].map((seed) => seededNumbers(28, seed));
  const close = (found: number, wanted: number) => Math.abs(found - wanted) < 1e-4;
  const [{ name, count, first }] = outputs;
  assert.deepEqual([name, count, outputs.length], ["out", 28, 1]);
  const fits = seeds.some((x) =>
    seeds.some((ids) =>
      first.every((found, i) =>
        close(found, x[i] * 2 + 0.25 - 3 * Math.floor(3 + (ids[i] + 0.5) * 4) + 6)
      )
    )
  );
  assert.ok(fits, `${first}`);
  const [row] = profile.kernels;
  assert.deepEqual(
    [row.kernel, row.calls, row.flops, row.bytes],
    ["own.main", 1, 4 * 27, 4 * 3 * 28],
  );
  assert.deepEqual(row.shader!.workgroupSize, [8, 1, 1]);
  assert.equal(row.shader!.bindings.length, 5);
  assert.ok(row.milliseconds! >= 0 && row.host > 0);
});

Deno.test("two shaders of one name are two, and without --flops none are told", async () => {
  const twice = SCALE.replace("scale.by.y", "scale.by.y * 2.0");
  const [one, two] = [await run(SCALE), await run(twice)];
  assert.ok(Math.abs(two.outputs[0].first[0] - one.outputs[0].first[0] - 0.25) < 1e-4);
  const [row] = one.profile.kernels;
  assert.deepEqual([row.flops, row.intensity, row.gflops], [undefined, undefined, undefined]);
  assert.ok(row.gigabytes! > 0);
});

Deno.test("sizes in read-only storage are given as uniforms are", async () => {
  const stored = SCALE.replace("var<uniform> scale", "var<storage, read> scale")
    .replace("by: vec2f", "by: f32, then: f32").replace("by.x", "by").replace("by.y", "then");
  const { by: _, ...uniforms } = GIVEN.uniforms;
  const found = await run(stored, { uniforms: { ...uniforms, by: [2], then: [0.25] } });
  const plain = await run(SCALE);
  assert.deepEqual(found.outputs, plain.outputs);
});

const without = <T>(from: Record<string, T>, name: string): Record<string, T> =>
  Object.fromEntries(Object.entries(from).filter(([key]) => key !== name));

Deno.test("what is missing, unknown or wrong is named, with what to do", async () => {
  const cases: [string, Partial<ShaderProfileOptions>, string | RegExp][] = [
    [
      SCALE,
      { buffers: without(GIVEN.buffers, "out") },
      "Cannot run own.main: no size is given of out; add --buffer out=ROWSxCOLUMNS",
    ],
    [
      SCALE,
      { buffers: { ...GIVEN.buffers, y: { count: 1 } } },
      "Cannot run own.main: it binds no buffer y; its buffers are out, x, ids",
    ],
    [
      SCALE,
      { uniforms: without(GIVEN.uniforms, "shift") },
      "Cannot run own.main: no value is given of uniform shift; add --uniform shift=NUMBER",
    ],
    [
      SCALE,
      { uniforms: { ...GIVEN.uniforms, factor: [1] } },
      /it has no uniform factor; its uniforms are .*count, by, shift/,
    ],
    [
      SCALE,
      { uniforms: { ...GIVEN.uniforms, by: [1] } },
      "Cannot give uniform by 1 numbers: its type vec2f wants 2",
    ],
    [
      SCALE,
      { overrides: { width: 1 } },
      "Cannot set override width of own.main: it declares no such name",
    ],
    [
      SCALE,
      { entryPoint: undefined },
      /several entry points, wanted --entry with one of main, other/,
    ],
    [SCALE, { entryPoint: "mian" }, /no entry point mian, wanted --entry with one of main, other/],
    ["fn main() {}", {}, "Cannot run own: it has no @compute entry point"],
    [SCALE, { flops: "2 * n" }, /Cannot count --flops 2 \* n: .* and count, by, shift, turn$/],
    [
      SCALE.replace("@group(0) @binding(4)", "@group(1) @binding(0)"),
      {},
      "Cannot run own.main: turn is in @group(1), only @group(0) can be bound here",
    ],
    [
      SCALE.replace("out[i] = x", "out[i] = y"),
      {},
      "Cannot compile own: line 12, column 12: no definition in scope for identifier: `y`; " +
      "unknown identifier",
    ],
    [
      SCALE.replace("fn other() {", "fn other( {"),
      {},
      /^Cannot compile own: line 15, column \d+: /,
    ],
    [
      SCALE.replace("override", "var<workgroup> large: array<f32, 99999999>;\noverride")
        .replace("let i =", "large[0] = 1.0;\nlet i ="),
      {},
      /own.main: its var<workgroup> take 399999996 bytes, .*maxComputeWorkgroupStorageSize is \d+/,
    ],
    // An override without a value.
    [SCALE.replace("lanes: u32 = 4", "lanes: u32"), {}, /^Cannot compile own.main: .*lanes/],
  ];
  for (const [source, options, message] of cases) {
    await assert.rejects(run(source, options), { name: "VitrailError", message }, `${message}`);
  }
  // None of it has left the device in another state.
  assert.equal((await run(SCALE)).outputs.length, 1);
});
