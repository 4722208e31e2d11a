/**
 * The loss of a large vocabulary, whole and in chunks, beside the float64 reference, and what it saves.
 *
 * @module
 */
import assert from "node:assert/strict";
import { crossEntropy, type Loss } from "../../src/autograd/ops/cross_entropy.ts";
import { linear } from "../../src/autograd/ops/linear.ts";
import { linearCrossEntropy } from "../../src/autograd/ops/linear_cross_entropy.ts";
import { Parameter } from "../../src/autograd/parameter.ts";
import { Run } from "../../src/autograd/run.ts";
import { assertClose, numbers } from "../compare.ts";
import { openDevices, poison, upload } from "../kernels/devices.ts";
import {
  crossEntropy as crossEntropyReference,
  crossEntropyBackward as backwardReference,
} from "../reference/cross_entropy.ts";
import { linear as linearReference, linearBackward } from "../reference/linear.ts";

/** Two chunks of 64 rows and four; more rows than channels, so that chunks pay. */
const CASES = [
  { shape: [3, 29], channels: 12, vocabulary: 196, bias: false },
  { shape: [7, 29], channels: 12, vocabulary: 197, bias: true },
];

/** Targets that reach the first and the last id, with every fourth row ignored from row 1 on. */
function targetsOf(rows: number, vocabulary: number): Int32Array<ArrayBuffer> {
  return new Int32Array(rows).map((_, r) =>
    r % 4 === 1 ? -100 : r === 0 ? vocabulary - 1 : r * 31 % vocabulary
  );
}

/** So little that a chunk has its least number of rows; or all there is. */
const MODES = { "in chunks": 1, "whole": Infinity };

for (const [name, device] of await openDevices()) {
  const parameter = (name: string, data: Float32Array<ArrayBuffer>, shape: readonly number[]) =>
    new Parameter(name, device.pool.persistent(() => upload(device, data, shape)));

  for (const [mode, logitBytes] of Object.entries(MODES)) {
    Deno.test(`linear cross-entropy, ${name}, ${mode}: losses and gradients`, async () => {
      for (const { shape, channels, vocabulary, bias: hasBias } of CASES) {
        using _scope = device.scope();
        const rows = shape.reduce((a, b) => a * b);
        const label = `(${shape})·${channels} by ${vocabulary}`;
        const x = numbers(rows * channels, 1);
        const weight = numbers(vocabulary * channels, 2);
        const bias = hasBias ? numbers(vocabulary, 3) : undefined;
        const targets = targetsOf(rows, vocabulary);
        const parameters = {
          x: parameter("x", x, [...shape, channels]),
          weight: parameter("weight", weight, [vocabulary, channels]),
          bias: bias && parameter("bias", bias, [vocabulary]),
        };
        poison(device, [rows, vocabulary], [rows, channels], [vocabulary, channels], [rows], [2]);
        const run = new Run(device, { record: true });
        const { result, losses } = linearCrossEntropy(run, parameters.x, {
          ...parameters,
          targets: upload(device, targets, shape),
          scale: 0.25,
          logitBytes,
        });
        const sizes = { rows, inputs: channels, outputs: vocabulary, transposed: true };
        const logits = linearReference(x, { weight, bias }, sizes);
        const expected = crossEntropyReference(logits, targets);
        const found = await device.read(result, losses);
        assertClose(found[0], [expected.mean, expected.count], { bound: 1e-6, label });
        assertClose(found[1], expected.losses, { bound: 1e-6, label });
        for (const p of Object.values(parameters)) {
          if (!p) continue;
          const untouched = await p.gradient.read();
          assert.ok(untouched.every((v) => v === 0), `${label}: d ${p.name} before its time`);
        }
        run.tape!.backward(result);
        const dLogits = backwardReference(logits, targets, 0.25);
        const wanted = linearBackward(x, dLogits, { ...sizes, weight });
        const gradients = { x: wanted.dX, weight: wanted.dWeight, bias: wanted.dBias };
        for (const [key, gradient] of Object.entries(gradients)) {
          const own = parameters[key as keyof typeof parameters];
          if (!own) continue;
          assertClose(await own.gradient.read(), gradient, {
            bound: 2e-6,
            label: `d ${key} of ${label}`,
          });
        }
      }
    });

    Deno.test(`linear cross-entropy, ${name}, ${mode}: what is frozen takes no kernel`, () => {
      const dispatched = (...trained: string[]): number => {
        using _scope = device.scope();
        const weight = parameter("weight", numbers(197 * 12, 1), [197, 12]);
        const bias = parameter("bias", numbers(197, 2), [197]);
        for (const p of [weight, bias]) p.frozen = !trained.includes(p.name);
        const x = upload(device, numbers(87 * 12, 5), [87, 12]);
        const targets = upload(device, targetsOf(87, 197));
        const run = new Run(device, { record: true });
        if (trained.includes("x")) run.tape!.watch(x);
        const before = device.commands.dispatches;
        const { result } = linearCrossEntropy(run, x, { weight, bias, targets, logitBytes });
        run.tape!.backward(result);
        return device.commands.dispatches - before;
      };
      const nothing = dispatched();
      const chunks = mode === "whole" ? 1 : 2;
      // Two products and the sums of two dispatches, for each chunk.
      assert.ok(dispatched("x", "weight", "bias") >= nothing + chunks * 5);
      assert.ok(dispatched("x") < dispatched("x", "bias"));
      assert.ok(dispatched("x") < dispatched("x", "weight"));
    });
  }

  Deno.test(`linear cross-entropy, ${name}: no more memory than its logits, and chunks less`, () => {
    // Products along more than 1024 numbers may be divided, and then hold sums that are not meant here.
    const [rows, channels, vocabulary] = [512, 12, 1021];
    const weight = parameter("weight", numbers(vocabulary * channels, 2), [vocabulary, channels]);
    const logits = 4 * rows * vocabulary;
    const heldBy = (work: (run: Run, x: Parameter) => void): number => {
      using _scope = device.scope();
      device.pool.resetPeak();
      const before = device.pool.memory.liveBytes;
      const x = parameter("x", numbers(rows * channels, 1), [rows, channels]);
      work(new Run(device, { record: true }), x);
      return device.pool.memory.peakBytes - before;
    };
    const targets = upload(device, targetsOf(rows, vocabulary));
    weight.gradient;
    const fused = (logitBytes: number) =>
      heldBy((run, x) => {
        const loss = linearCrossEntropy(run, x, { weight, targets, logitBytes });
        run.tape!.backward(loss.result);
      });
    const apart = heldBy((run, x) => {
      const all = linear(run, x, { weight, transposed: true });
      run.tape!.backward(crossEntropy(run, all, { targets }).result);
    });
    assert.ok(apart > 2 * logits);
    assert.ok(fused(Infinity) < 1.2 * logits, `${fused(Infinity)} bytes whole`);
    assert.ok(
      fused(logits / 8) < 0.3 * logits,
      `${fused(logits / 8)} bytes in chunks of an eighth`,
    );
  });

  Deno.test(`linear cross-entropy, ${name}: as many dispatches as its parts, if logits fit`, () => {
    using _scope = device.scope();
    const weight = parameter("weight", numbers(197 * 12, 2), [197, 12]);
    const x = parameter("x", numbers(87 * 12, 1), [87, 12]);
    const targets = upload(device, targetsOf(87, 197));
    const dispatched = (loss: (run: Run) => Loss): number => {
      const run = new Run(device, { record: true });
      const before = device.commands.dispatches;
      run.tape!.backward(loss(run).result);
      return device.commands.dispatches - before;
    };
    const parts = dispatched((run) =>
      crossEntropy(run, linear(run, x, { weight, transposed: true }), { targets })
    );
    assert.equal(dispatched((run) => linearCrossEntropy(run, x, { weight, targets })), parts);
  });

  Deno.test(`linear cross-entropy, ${name}: targets for other rows are refused`, () => {
    using _scope = device.scope();
    const weight = parameter("weight", numbers(197 * 12, 2), [197, 12]);
    const x = upload(device, numbers(29 * 12, 1), [29, 12]);
    const targets = upload(device, targetsOf(28, 197));
    assert.throws(
      () => linearCrossEntropy(new Run(device), x, { weight, targets }),
      /Cannot compare \(29, 12\) with 28 targets: wanted one for each row/,
    );
  });
}
