/**
 * The feed-forward layer: GELU in its first product's kernel, unless somebody must stand between them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Parameter } from "../../src/autograd/parameter.ts";
import { type Hook, Run } from "../../src/autograd/run.ts";
import { openDevice } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { Linear } from "../../src/nn/linear.ts";
import { Lora } from "../../src/nn/lora.ts";
import { Mlp } from "../../src/nn/mlp.ts";
import { assertClose, numbers } from "../compare.ts";
import { upload } from "../kernels/devices.ts";
import { gelu as geluReference } from "../reference/gelu.ts";
import { linear as linearReference } from "../reference/linear.ts";
import { lowRank } from "../reference/low_rank.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const [ROWS, C, RANK] = [29, 13, 3];
const parameter = (name: string, seed: number, shape: number[]) => {
  const values = numbers(shape.reduce((a, b) => a * b), seed);
  return new Parameter(name, device.pool.persistent(() => upload(device, values, shape)));
};
const up = () => new Linear(parameter("up", 1, [C, 4 * C]), parameter("bias", 2, [4 * C]));
const mlp = (first = up()) =>
  new Mlp(first, new Linear(parameter("down", 3, [4 * C, C])), {
    activation: { gelu: "tanh" },
    residualDropout: 0,
  });
const x = numbers(ROWS * C, 4);
const sums = linearReference(x, { weight: numbers(4 * C * C, 1), bias: numbers(4 * C, 2) }, {
  rows: ROWS,
  inputs: C,
  outputs: 4 * C,
});
const down = (activated: Float64Array) =>
  linearReference(activated, { weight: numbers(4 * C * C, 3) }, {
    rows: ROWS,
    inputs: 4 * C,
    outputs: C,
  });

/** What a layer makes of x, and in how many dispatches. */
async function pass(layer: Mlp, hooks?: Record<string, Hook>) {
  using _scope = device.scope();
  const run = new Run(device, { hooks: hooks && new Map(Object.entries(hooks)) });
  const given = upload(device, x, [ROWS, C]);
  const before = device.commands.dispatches;
  const out = layer.forward(run, given, "blocks.0.");
  return { dispatches: device.commands.dispatches - before, out: await out.read() };
}

Deno.test("MLP: who listens before GELU sees what it is applied to, and costs a dispatch", async () => {
  const plain = await pass(mlp());
  assertClose(plain.out, down(geluReference(sums, "tanh")), { bound: 1e-6, label: "plain" });
  const seen: Record<string, Promise<ArrayLike<number>>> = {};
  const look: Hook = (tensor, name) => void (seen[name] = tensor.read());
  const after = await pass(mlp(), { "blocks.0.mlp.hook_post": look });
  const before = await pass(mlp(), { "blocks.0.mlp.hook_pre": look });
  assert.equal(after.dispatches, plain.dispatches);
  assert.equal(before.dispatches, plain.dispatches + 1);
  assert.deepEqual(after.out, plain.out);
  assertClose(before.out, plain.out, { bound: 1e-6, label: "looked at" });
  assertClose(await seen["blocks.0.mlp.hook_pre"], sums, { bound: 1e-6, label: "hook_pre" });
  assertClose(await seen["blocks.0.mlp.hook_post"], geluReference(sums, "tanh"), {
    bound: 1e-6,
    label: "hook_post",
  });
});

Deno.test("MLP: what is put in the place of hook_pre goes through GELU", async () => {
  const other = numbers(ROWS * 4 * C, 7);
  const replace = (tensor: Tensor) => upload(device, other, tensor.shape);
  const { out } = await pass(mlp(), { "blocks.0.mlp.hook_pre": replace });
  const expected = down(geluReference(Float64Array.from(other), "tanh"));
  assertClose(out, expected, { bound: 1e-6, label: "replaced" });
});

Deno.test("MLP: an adaptation of the first layer is added before GELU", async () => {
  const first = up();
  first.adaptations = [
    new Lora("up", {
      down: parameter("A", 5, [RANK, C]),
      up: parameter("B", 6, [4 * C, RANK]),
      scale: 2,
      offset: 0,
      dropout: 0,
    }),
  ];
  const { out } = await pass(mlp(first));
  const adapted = lowRank(
    x,
    { out: sums, down: numbers(RANK * C, 5), up: numbers(4 * C * RANK, 6) },
    { rows: ROWS, inputs: C, rank: RANK, columns: 4 * C, width: 4 * C, offset: 0, scale: 2 },
  );
  assertClose(out, down(geluReference(adapted, "tanh")), { bound: 1e-6, label: "adapted" });
});
