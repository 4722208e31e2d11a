/**
 * Which gradients a tape makes, and which of them outlive the backward pass.
 *
 * @module
 */
import assert from "node:assert/strict";
import { add } from "../../src/autograd/ops/add.ts";
import { gelu } from "../../src/autograd/ops/gelu.ts";
import { linear } from "../../src/autograd/ops/linear.ts";
import { Parameter } from "../../src/autograd/parameter.ts";
import { Run, type RunOptions } from "../../src/autograd/run.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { numbers } from "../compare.ts";
import { openDevices, upload } from "../kernels/devices.ts";

const [[, device]] = await openDevices();
const weight = new Parameter(
  "weight",
  device.pool.persistent(() => upload(device, numbers(13 * 13, 1), [13, 13])),
);
const x = device.pool.persistent(() => upload(device, numbers(29 * 13, 2), [29, 13]));
const dOut = device.pool.persistent(() => upload(device, numbers(29 * 13, 3), [29, 13]));

/** Two layers behind residual connections: a sum hands its gradient on to what came last. */
function forward(run: Run): Record<"first" | "middle" | "second" | "last", Tensor> {
  const first = gelu(run, linear(run, x, { weight }), "tanh");
  const middle = add(run, x, first);
  const second = linear(run, gelu(run, middle, "tanh"), { weight });
  return { first, middle, second, last: add(run, middle, second) };
}

type Name = keyof ReturnType<typeof forward>;

/** The gradients at what is kept, at x and of the parameter, after a backward pass. */
async function backward(
  record: RunOptions["record"],
  kept: Name[],
): Promise<Partial<Record<Name | "x" | "weight", number[]>>> {
  using _scope = device.scope();
  weight.clearGradient();
  const run = new Run(device, { record });
  run.tape!.watch(x);
  const tensors = forward(run);
  for (const name of kept) run.tape!.keep(tensors[name]);
  const gradients = run.tape!.backward(tensors.last, dOut);
  const found: Partial<Record<string, number[]>> = {};
  for (const [name, t] of Object.entries({ ...tensors, x })) {
    const gradient = gradients.get(t);
    if (gradient) found[name] = [...await gradient.read()];
  }
  return { ...found, weight: [...await weight.gradient.read()] };
}

Deno.test("tape: kept gradients outlive the backward pass and change no other", async () => {
  const plain = await backward(true, []);
  const kept = await backward(true, ["first", "middle", "second", "last"]);
  assert.deepEqual([plain.first, plain.middle, plain.second, plain.last], Array(4).fill(undefined));
  assert.deepEqual(kept.last, [...await dOut.read()]);
  assert.deepEqual(kept.second, kept.last);
  assert.deepEqual([kept.x, kept.weight], [plain.x, plain.weight]);
  // The residual connection gives the first layer the whole gradient of the stream in the middle.
  assert.deepEqual(kept.first, kept.middle);
  assert.notDeepEqual(kept.middle, kept.last);
});

Deno.test("tape: a pass that records activations leaves the gradients of parameters alone", async () => {
  const trained = await backward(true, ["middle"]);
  const looked = await backward("activations", ["middle"]);
  assert.ok(trained.weight!.some((v) => v !== 0));
  assert.ok(looked.weight!.every((v) => v === 0));
  assert.deepEqual([looked.x, looked.middle], [trained.x, trained.middle]);
});
