/**
 * Cross-entropy and its gradient.
 *
 * @module
 */
import assert from "node:assert/strict";
import { crossEntropy, crossEntropyBackward } from "../../src/kernels/cross_entropy.ts";
import { assertClose, numbers } from "../compare.ts";
import {
  crossEntropy as reference,
  crossEntropyBackward as backward,
} from "../reference/cross_entropy.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

// Rows on both sides of one workgroup of the mean, and a vocabulary of more than 1024.
const SHAPES = [
  [1, 2],
  [3, 1],
  [7, 3],
  [3, 31],
  [29, 197],
  [29, 196],
  [65, 33],
  [87, 36],
  [9, 1031],
  [5, 1028],
  [130, 5],
];

/** Targets that reach the first and the last id, with every fourth row ignored from row 1 on. */
function targetsOf(rows: number, columns: number): Int32Array<ArrayBuffer> {
  return new Int32Array(rows).map((_, r) =>
    r % 4 === 1 ? -100 : r === 0 ? columns - 1 : r === 2 ? 0 : r * 31 % columns
  );
}

for (const [name, device] of await openDevices()) {
  Deno.test(`cross-entropy, ${name}: a target that is no class has no loss, and no gradient`, async () => {
    for (const columns of [4, 5]) {
      using _scope = device.scope();
      const x = upload(device, numbers(5 * columns, 1), [5, columns]);
      const targets = device.upload(Int32Array.of(columns - 1, columns, -1, -100, 2 ** 31 - 1));
      const saved = crossEntropy(x, targets);
      const dLogits = device.tensor([5, columns]);
      crossEntropyBackward(x, targets, { saved, scale: 1, dLogits });
      const [losses, gradient] = await device.read(saved.losses, dLogits);
      const wrong = [false, true, true, false, true];
      assert.deepEqual(Array.from(losses, Number.isNaN), wrong);
      assert.deepEqual(
        Array.from(gradient, Number.isNaN),
        wrong.flatMap((own) => new Array(columns).fill(own)),
      );
    }
  });

  Deno.test(`cross-entropy, ${name}: loss, count, log-sum-exp and gradient`, async () => {
    for (const [rows, columns] of SHAPES) {
      using _scope = device.scope();
      const logits = numbers(rows * columns, 1).map((v, i) =>
        6 * v + 300 * (Math.floor(i / columns) % 3 - 1)
      );
      const targets = targetsOf(rows, columns);
      const x = upload(device, logits, [rows, columns]);
      const t = upload(device, targets);
      poison(device, [rows, columns], [rows], [rows], [2]);
      const saved = crossEntropy(x, t);
      const dLogits = device.tensor([rows, columns]);
      crossEntropyBackward(x, t, { saved, scale: 0.25, dLogits });
      const { result, losses, logSumExp } = saved;
      const found = await device.read(result, losses, logSumExp, dLogits);
      const expected = reference(logits, targets);
      const label = `${rows}×${columns}`;
      assert.equal(found[0][1], expected.count, `${label} count`);
      const absolute = 3e-6;
      // A probability is exp of a difference of two numbers near 300, one rounded to 1.5e-5.
      const ofGradient = 0.25 * 2e-5;
      assertEach([found[0][0]], [expected.mean], { absolute, label: `${label} mean` });
      assertEach(found[1], expected.losses, { absolute, label: `${label} losses` });
      assertClose(found[2], expected.logSumExp, { bound: 1e-6, label: `${label} logSumExp` });
      const d = backward(logits, targets, 0.25);
      const each = ofGradient / expected.count;
      assertEach(found[3], d, { absolute: each, label: `${label} dLogits` });
    }
  });

  Deno.test(`cross-entropy, ${name}: logits of common size, to f32's own digits`, async () => {
    for (const [rows, columns] of [[29, 197], [29, 196], [3, 1031]]) {
      using _scope = device.scope();
      const logits = numbers(rows * columns, 1).map((v) => 3 * v);
      const targets = targetsOf(rows, columns);
      const [x, t] = [upload(device, logits, [rows, columns]), upload(device, targets)];
      const saved = crossEntropy(x, t);
      const dLogits = device.tensor([rows, columns]);
      crossEntropyBackward(x, t, { saved, scale: 1, dLogits });
      const [result, losses, d] = await device.read(saved.result, saved.losses, dLogits);
      const expected = reference(logits, targets);
      const label = `${rows}×${columns}`;
      assertClose([result[0]], [expected.mean], { bound: 5e-7, label: `${label} mean` });
      assertClose(losses, expected.losses, { bound: 5e-7, label: `${label} losses` });
      assertClose(d, backward(logits, targets, 1), { bound: 1e-6, label: `${label} dLogits` });
    }
  });

  Deno.test(`cross-entropy, ${name}: nothing to learn where every row is ignored`, async () => {
    using _scope = device.scope();
    const [x, t] = [
      upload(device, numbers(3 * 197, 1), [3, 197]),
      upload(device, new Int32Array(3).fill(-100)),
    ];
    poison(device, [3, 197]);
    const saved = crossEntropy(x, t);
    const dLogits = device.tensor([3, 197]);
    crossEntropyBackward(x, t, { saved, scale: 1, dLogits });
    const [result, losses, d] = await device.read(saved.result, saved.losses, dLogits);
    assert.deepEqual([...result, ...losses], [0, 0, 0, 0, 0]);
    assert.ok(d.every((v) => v === 0), "dLogits is zero throughout");
  });

  Deno.test(`cross-entropy, ${name}: a hidden id costs the others nothing`, async () => {
    using _scope = device.scope();
    const logits = numbers(3 * 29, 1);
    for (let r = 0; r < 3; r++) logits[r * 29 + 7] = -Infinity;
    const targets = new Int32Array([0, 28, 6]);
    const [x, t] = [upload(device, logits, [3, 29]), upload(device, targets)];
    const saved = crossEntropy(x, t);
    const dLogits = device.tensor([3, 29]);
    crossEntropyBackward(x, t, { saved, scale: 1, dLogits });
    const [losses, d] = await device.read(saved.losses, dLogits);
    assertClose(losses, reference(logits, targets).losses, { bound: 1e-6, label: "losses" });
    assertClose(d, backward(logits, targets, 1), { bound: 1e-6, label: "dLogits" });
  });

  Deno.test(`cross-entropy, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const x = upload(device, numbers(87 * 197, 1), [87, 197]);
    const t = upload(device, targetsOf(87, 197));
    await assertSameBytes(device, () => {
      const saved = crossEntropy(x, t);
      const dLogits = device.tensor([87, 197]);
      crossEntropyBackward(x, t, { saved, scale: 1, dLogits });
      return [saved.result, saved.losses, saved.logSumExp, dLogits];
    });
  });
}
