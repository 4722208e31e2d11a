/**
 * Traces keep the trace-event format; a shader's facts are those that its overrides give.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import { Kernel } from "../../src/gpu/kernel.ts";
import { evaluate, shaderFacts } from "../../src/profiling/shader_facts.ts";
import { type TraceEvent, traceOf } from "../../src/profiling/trace.ts";
import { profileStep } from "../../src/profiling/workloads.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const SIZES = { layers: 1, heads: 2, channels: 24, sequence: 29, batch: 3, vocabulary: 197 };

const source = (name: string): string =>
  Deno.readTextFileSync(new URL(`../../shaders/${name}.wgsl`, import.meta.url));

Deno.test("a trace has what its format wants, in order, nothing negative, well nested", {
  ignore: !device.raw.features.has("timestamp-query"),
}, async () => {
  const { recording, profile } = await profileStep(device, SIZES, { steps: 2, roof: false });
  const { traceEvents } = JSON.parse(JSON.stringify(traceOf(recording, profile.adapter)));
  const tracks = new Map<number, TraceEvent[]>();
  for (const event of traceEvents as TraceEvent[]) {
    const { name, ph, ts, dur, pid, tid, args } = event;
    assert.ok(typeof name === "string" && name.length > 0);
    assert.ok(Number.isInteger(pid) && Number.isInteger(tid) && typeof args === "object");
    assert.ok(Number.isFinite(ts) && ts >= 0, `${name} at ${ts}`);
    if (ph === "M") {
      assert.ok(["process_name", "thread_name"].includes(name) && args.name);
      continue;
    }
    assert.equal(ph, "X");
    assert.ok(Number.isFinite(dur) && dur! >= 0, `${name} takes ${dur}`);
    tracks.set(tid, [...tracks.get(tid) ?? [], event]);
  }
  assert.deepEqual([...tracks.keys()].sort(), [1, 2]);
  for (const track of tracks.values()) {
    const open: number[] = [];
    let last = 0;
    for (const { name, ts, dur } of track) {
      assert.ok(ts >= last, `${name} is out of order`);
      last = ts;
      while (open.length > 0 && open.at(-1)! <= ts + 1e-3) open.pop();
      if (open.length > 0) {
        assert.ok(ts + dur! <= open.at(-1)! + 1e-3, `${name} outlives what holds it`);
      }
      open.push(ts + dur!);
    }
  }
  const names = (tid: number) => new Set(tracks.get(tid)!.map(({ name }) => name));
  assert.ok(names(1).has("step 2") && names(1).has("submit 1"));
  assert.equal(tracks.get(2)!.length, recording.events.length);
  assert.ok(names(2).has("attention.forward"));
});

Deno.test("workgroup sizes and memory follow the overrides", () => {
  const facts = (name: string, entry: string, overrides = {}) => {
    const { workgroupSize, workgroupBytes } = shaderFacts(
      new Kernel(name, source(name)),
      entry,
      overrides,
    );
    return [...workgroupSize, workgroupBytes];
  };
  assert.deepEqual(facts("layer_norm", "forward"), [64, 1, 1, 256]);
  assert.deepEqual(facts("layer_norm", "forward", { lanes: 1, rows: 8 }), [8, 1, 1, 32]);
  // Two slices of 16 by 64 numbers; of a tile that is half as high, one of them is half as large.
  assert.deepEqual(facts("matmul_shared", "forward"), [8, 8, 1, 2 * 16 * 64 * 4]);
  assert.deepEqual(facts("matmul_shared", "forward", { lanes_y: 4 }), [8, 4, 1, 1.5 * 16 * 64 * 4]);
  assert.deepEqual(facts("gelu", "forward", { lanes: 8 }), [8, 1, 1, 0]);
  const { bindings } = shaderFacts(new Kernel("add", source("add")), "accumulate");
  assert.deepEqual(bindings.toSorted(), ["a (read)", "out (read_write)", "shape (read)"]);
  const own = `override w = 4u;
override n: u32 = 2 * (w + 1);
override h: u32 = n - 2;
var<workgroup> tile: array<vec3f, n>;
var<workgroup> flag: u32;
var<workgroup> other: array<f32, 99>;
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(w, h, 1)
fn main() { tile[0] = vec3f(); flag = 1; out[0] = tile[1].x; }
@compute @workgroup_size(1)
fn second() { other[0] = 1; out[0] = other[0]; }`;
  const kernel = new Kernel("own", own);
  assert.deepEqual(shaderFacts(kernel, "main").workgroupSize, [4, 8, 1]);
  assert.equal(shaderFacts(kernel, "main").workgroupBytes, 10 * 16 + 4);
  assert.equal(shaderFacts(kernel, "second").workgroupBytes, 99 * 4);
});

Deno.test("expressions of whole numbers", () => {
  const names = (name: string): number => ({ a: 7, b: 2 })[name] ?? NaN;
  for (
    const [text, value] of [
      ["3", 3],
      ["a * b + 1", 15],
      ["a - b - 1", 4],
      ["(a - (b - 1)) * 2", 12],
      [
        "a / b",
        3,
      ],
      ["4u * b", 8],
      ["a % 4", 3],
      ["0x10", 16],
      ["-b + a", 5],
    ] as const
  ) assert.equal(evaluate(text, names), value, text);
  assert.ok(Number.isNaN(evaluate("c + 1", names)));
});
