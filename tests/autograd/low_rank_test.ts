/**
 * The recorded low-rank update of a linear layer beside the float64 reference, and what freezing saves.
 *
 * @module
 */
import assert from "node:assert/strict";
import { addLowRank } from "../../src/autograd/ops/low_rank.ts";
import { linear } from "../../src/autograd/ops/linear.ts";
import { Parameter } from "../../src/autograd/parameter.ts";
import { Run } from "../../src/autograd/run.ts";
import { assertClose, numbers } from "../compare.ts";
import { openDevices, upload } from "../kernels/devices.ts";
import { linear as linearReference, linearBackward } from "../reference/linear.ts";
import { lowRank, lowRankBackward } from "../reference/low_rank.ts";

/** B·T, in, r, columns, width, offset: whole or a part of the columns; one row takes another kernel. */
const CASES = [
  { rows: 29, inputs: 12, rank: 5, columns: 36, width: 36, offset: 0 },
  { rows: 87, inputs: 197, rank: 3, columns: 12, width: 36, offset: 12 },
  { rows: 1, inputs: 33, rank: 1, columns: 7, width: 21, offset: 14 },
  { rows: 64, inputs: 64, rank: 8, columns: 64, width: 192, offset: 128 },
];

for (const [name, device] of await openDevices()) {
  const parameter = (name: string, data: Float32Array<ArrayBuffer>, shape: number[]) =>
    new Parameter(name, device.pool.persistent(() => upload(device, data, shape)));

  Deno.test(`low rank, ${name}: result, dA, dB, dX and the layer's own gradients`, async () => {
    for (const size of CASES) {
      using _scope = device.scope();
      const { rows, inputs, rank, columns, width, offset } = size;
      const label = JSON.stringify(size);
      const shape = { ...size, scale: 1.4 };
      const [x, weight, bias] = [rows * inputs, inputs * width, width].map(numbers);
      const [down, up, dOut] = [rank * inputs, columns * rank, rows * width].map((n, i) =>
        numbers(n, 7 + i)
      );
      const parameters = {
        x: parameter("x", x, [rows, inputs]),
        weight: parameter("weight", weight, [inputs, width]),
        bias: parameter("bias", bias, [width]),
        down: parameter("down", down, [rank, inputs]),
        up: parameter("up", up, [columns, rank]),
      };
      const run = new Run(device, { record: true });
      const base = linear(run, parameters.x, parameters);
      const result = addLowRank(run, parameters.x, {
        ...parameters,
        scale: 1.4,
        offset,
        out: base,
      });
      const baseReference = linearReference(x, { weight, bias }, { rows, inputs, outputs: width });
      const expected = lowRank(x, { out: baseReference, down, up }, shape);
      assertClose(await result.read(), expected, { bound: 1e-6, label });
      run.tape!.backward(result, upload(device, dOut, [rows, width]));
      const own = linearBackward(x, dOut, { rows, inputs, outputs: width, weight });
      const added = lowRankBackward(x, { dOut, down, up }, shape);
      const wanted = {
        x: own.dX.map((v, i) => v + added.dX[i]),
        weight: own.dWeight,
        bias: own.dBias,
        down: added.dDown,
        up: added.dUp,
      };
      for (const [key, gradient] of Object.entries(wanted)) {
        const found = await parameters[key as keyof typeof parameters].gradient.read();
        assertClose(found, gradient, { bound: 2e-6, label: `d ${key} of ${label}` });
      }
    }
  });

  Deno.test(`low rank, ${name}: what is frozen or not asked for takes no kernel`, () => {
    using _scope = device.scope();
    const dispatched = (frozen: string[]): number => {
      const parameters = {
        weight: parameter("weight", numbers(12 * 36, 1), [12, 36]),
        bias: parameter("bias", numbers(36, 2), [36]),
        down: parameter("down", numbers(5 * 12, 3), [5, 12]),
        up: parameter("up", numbers(12 * 5, 4), [12, 5]),
      };
      for (const key of frozen) parameters[key as "weight"].frozen = true;
      const run = new Run(device, { record: true });
      const x = upload(device, numbers(29 * 12, 5), [29, 12]);
      const base = linear(run, x, parameters);
      const result = addLowRank(run, x, { ...parameters, scale: 2, offset: 12, out: base });
      const dOut = upload(device, numbers(29 * 36, 6), [29, 36]);
      const before = device.commands.dispatches;
      run.tape!.backward(result, dOut);
      return device.commands.dispatches - before;
    };
    const all = dispatched([]);
    const base = dispatched(["weight", "bias"]);
    const nothing = dispatched(["weight", "bias", "down", "up"]);
    // dW is at least one product, dBias two sums over rows; dA, dB at least one product each.
    assert.ok(all - base >= 3, `${all} dispatches, ${base} with a frozen layer`);
    assert.ok(base >= 2);
    assert.equal(nothing, 0);
  });
}
