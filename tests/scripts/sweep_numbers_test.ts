/**
 * Numbers that make no sense are refused in our words, and nothing else is: each option of the sweep with
 * NaN, fractions, what is negative, infinite, too large or no number at all.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openDevice } from "../../mod.ts";
import { sweep } from "../../scripts/sweep_numbers.ts";
import { deviceSubjects } from "../../scripts/sweep_device.ts";
import { hostSubjects } from "../../scripts/sweep_host.ts";
import { textSubjects } from "../../scripts/sweep_text.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

Deno.test("numbers of what needs no device", async () => {
  const { calls, faults } = await sweep(hostSubjects());
  assert.deepEqual(faults, []);
  assert.ok(calls > 500, `${calls} calls`);
});

Deno.test("numbers of what runs on a device", async () => {
  const { calls, faults } = await sweep(deviceSubjects(device));
  assert.deepEqual(faults, []);
  assert.ok(calls > 500, `${calls} calls`);
});

Deno.test("numbers of what reads text, or learns from activations", async () => {
  const { calls, faults } = await sweep(await textSubjects(device));
  assert.deepEqual(faults, []);
  assert.ok(calls > 400, `${calls} calls`);
});

Deno.test("a result for a number that makes no sense, and an error of the runtime, are told", async () => {
  const takes = { n: (value: unknown) => value === 0 };
  const good = { n: 0 };
  const loose = await sweep([{ name: "loose", good, takes, call: () => 1 }]);
  assert.ok(loose.faults.includes("loose, n NaN: done, wanted refused"));
  const raw = await sweep([{ name: "raw", good, takes, call: ({ n }) => new Uint8Array(n) }]);
  assert.match(raw.faults.join("\n"), /raw, n -1: RangeError: .*, wanted refused/);
});
