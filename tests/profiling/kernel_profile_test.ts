/**
 * The cases of `profile kernels` and of the benches: they cover every entry point, and the figures are
 * those of the median call.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import type { ProfiledEvent } from "../../src/gpu/profiler.ts";
import { workOf } from "../../src/kernels/work.ts";
import { kernelCases } from "../../src/profiling/cases/all.ts";
import { type Case, random } from "../../src/profiling/cases/operands.ts";
import { medianCall, profileKernels } from "../../src/profiling/kernel_profile.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { record } from "../../src/profiling/record.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

/** `shader.entry` of every entry point that the project has, read from its folder. */
function entryPoints(): string[] {
  const folder = new URL("../../shaders/", import.meta.url);
  return [...Deno.readDirSync(folder)].flatMap(({ name }) => {
    const source = Deno.readTextFileSync(new URL(name, folder));
    return [...source.matchAll(/@compute[\s\S]*?\bfn\s+(\w+)/g)]
      .map(([, entry]) => `${name.replace(".wgsl", "")}.${entry}`);
  });
}

Deno.test("the cases reach every entry point, each with its work counted", async () => {
  const reached = new Set<string>();
  for (const { name, prepare } of kernelCases(device)) {
    using _operands = device.scope();
    const { events } = await record(device, prepare(device), { replay: false });
    assert.ok(events.some(({ kernel }) => kernel), `${name} dispatches nothing`);
    for (const event of events) {
      assert.ok(workOf(event.name, event), `${event.name} of ${name} is not counted`);
      reached.add(event.name);
    }
    device.pool.trim();
  }
  // An odd sibling computes the same for rows that are no multiple of four.
  const missing = entryPoints().filter((entry) =>
    !reached.has(entry) && !reached.has(`${entry}_odd`) && !reached.has(entry.replace(/_odd$/, ""))
  );
  assert.deepEqual(missing, []);
});

Deno.test("of several calls the one in the middle is shown", () => {
  const call = (...times: number[]) => times.map((milliseconds) => ({ milliseconds }));
  const calls = [call(5, 5), call(1, 1), call(2, 1)] as ProfiledEvent[][];
  assert.deepEqual(medianCall(calls), call(2, 1));
  assert.deepEqual(medianCall(calls.slice(0, 2)), call(1, 1));
});

Deno.test("a row is a kernel of a case, with its own shape", async () => {
  const square = (n: number): Case => ({
    name: "square",
    shape: `${n}×${n}`,
    prepare: (device) => {
      const [a, b] = [random(device, [n, n]), random(device, [n, n], 2)];
      return () => void matmul(a, b, { variant: "row" });
    },
  });
  const cases = [square(29), square(197)];
  const { profile, recording } = await profileKernels(device, { cases, roof: false, runs: 3 });
  const flops = new Map(profile.kernels.map((row) => [row.case, row.flops]));
  assert.deepEqual(
    flops,
    new Map([["square 197×197", 2 * 197 ** 3], ["square 29×29", 2 * 29 ** 3]]),
  );
  assert.equal(profile.dispatches, 2);
  for (const { gflops, flops, milliseconds, shader } of profile.kernels) {
    assert.ok(Math.abs(gflops! - flops! / milliseconds! / 1e6) < 1e-9);
    assert.ok(shader!.bindings.includes("out_odd (read_write)"));
  }
  // Of three calls of each case, one is left with its submit and its span.
  assert.deepEqual(recording.events.filter(({ kernel }) => kernel).map((e) => e.submit), [0, 1]);
  assert.deepEqual([recording.submits.length, recording.spans.length], [2, 2]);
  await assert.rejects(profileKernels(device, { cases, only: "round" }), {
    message: "Cannot profile kernels named round: no case has such a name, wanted one of square",
  });
});
