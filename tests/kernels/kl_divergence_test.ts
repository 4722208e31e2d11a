/**
 * The Kullback-Leibler divergence and its gradient.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Parameter } from "../../src/autograd/parameter.ts";
import { klDivergence as recorded } from "../../src/autograd/ops/kl_divergence.ts";
import { linear } from "../../src/autograd/ops/linear.ts";
import { Run } from "../../src/autograd/run.ts";
import { klDivergence, klDivergenceBackward } from "../../src/kernels/kl_divergence.ts";
import { assertClose, numbers } from "../compare.ts";
import * as reference from "../reference/kl_divergence.ts";
import { matmul } from "../reference/matmul.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

const SHAPES = [[1, 2], [3, 1], [7, 3], [29, 197], [29, 196], [87, 36], [9, 1031]];

for (const [name, device] of await openDevices()) {
  Deno.test(`KL divergence, ${name}: loss and gradient`, async () => {
    for (const [rows, columns] of SHAPES) {
      using _scope = device.scope();
      const [logits, teacher] = [1, 2].map((seed) =>
        numbers(rows * columns, seed).map((v, i) => 6 * v + 300 * (Math.floor(i / columns) % 3 - 1))
      );
      const [x, t] = [logits, teacher].map((data) => upload(device, data, [rows, columns]));
      poison(device, [rows, columns], [rows], [2, rows]);
      const saved = klDivergence(x, t);
      const dLogits = device.tensor([rows, columns]);
      klDivergenceBackward(x, t, { saved, scale: 0.25, dLogits });
      const [losses, d] = await device.read(saved.losses, dLogits);
      const label = `${rows}×${columns}`;
      // Probabilities are sums of up to a thousand terms, logits up to 12 apart.
      const absolute = 1e-5;
      assertEach(losses, reference.klDivergence(logits, teacher, rows), {
        absolute,
        label: `${label} losses`,
      });
      // A probability is exp of a difference of two numbers near 300, one rounded to 1.5e-5.
      assertEach(d, reference.klDivergenceBackward(logits, teacher, { rows, scale: 0.25 }), {
        absolute: 0.25 * 4e-5,
        label: `${label} dLogits`,
      });
    }
  });

  Deno.test(`KL divergence, ${name}: tokens that the teacher rules out add nothing`, async () => {
    using _scope = device.scope();
    const [logits, teacher] = [numbers(3 * 29, 1), numbers(3 * 29, 2)];
    for (let r = 0; r < 3; r++) teacher[r * 29 + 7] = -Infinity;
    const [x, t] = [upload(device, logits, [3, 29]), upload(device, teacher, [3, 29])];
    const losses = await klDivergence(x, t).losses.read();
    assertClose(losses as Float32Array, reference.klDivergence(logits, teacher, 3), {
      bound: 1e-6,
      label: "losses",
    });
  });

  Deno.test(`KL divergence, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const [x, t] = [1, 2].map((seed) => upload(device, numbers(87 * 197, seed), [87, 197]));
    await assertSameBytes(device, () => {
      const saved = klDivergence(x, t);
      const dLogits = device.tensor([87, 197]);
      klDivergenceBackward(x, t, { saved, scale: 1, dLogits });
      return [saved.losses, dLogits];
    });
  });

  Deno.test(`KL divergence, ${name}: recorded, its mean reaches a weight`, async () => {
    using _scope = device.scope();
    const [x, w, teacher] = [numbers(29 * 12, 1), numbers(12 * 197, 2), numbers(29 * 197, 3)];
    const weight = new Parameter("w", upload(device, w, [12, 197]));
    const run = new Run(device, { record: true });
    const logits = linear(run, upload(device, x, [29, 12]), { weight });
    const losses = recorded(run, logits, {
      teacher: upload(device, teacher, [29, 197]),
      scale: 0.5,
    });
    run.tape!.backward(losses);
    const expected = matmul(x, w, { m: 29, k: 12, n: 197 });
    const d = reference.klDivergenceBackward(expected, teacher, { rows: 29, scale: 0.5 / 29 });
    const transposed = Float64Array.from(
      { length: 12 * 29 },
      (_, i) => x[i % 29 * 12 + (i / 29 | 0)],
    );
    assertClose(
      await weight.gradient.read() as Float32Array,
      matmul(transposed, d, { m: 12, k: 29, n: 197 }),
      {
        bound: 1e-5,
        label: "dW",
      },
    );
    assert.throws(
      () => klDivergence(logits, device.zeros([29, 196])),
      /Cannot compare logits \(29, 197\) with a teacher's \(29, 196\)/,
    );
  });
}
