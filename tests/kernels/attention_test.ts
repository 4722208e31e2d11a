/**
 * Fused attention, forward and backward.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import {
  attention,
  attentionBackward,
  type AttentionOptions,
  type AttentionResult,
} from "../../src/kernels/attention.ts";
import { ATTENTION_VARIANTS, type AttentionVariant } from "../../src/kernels/attention_variants.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { assertClose, numbers } from "../compare.ts";
import { attention as reference, attentionBackward as backward } from "../reference/attention.ts";
import { type AttentionCase, maskedCases, plainCases } from "./attention_cases.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

/** A case on the device, as the kernel takes it. */
function uploadCase(device: Device, shape: AttentionCase): [Tensor, AttentionOptions] {
  const { batch, time, heads, headSize, causal, mask, scale, dropout } = shape;
  const tripled = 3 * heads * headSize;
  // Scores of some size, so that the pattern is far from even.
  const qkv = numbers(batch * time * tripled, 1).map((v) => 2 * v);
  const options: AttentionOptions = {
    heads,
    causal,
    scale,
    dropout,
    mask: mask && upload(device, Float32Array.from(mask.values), mask.shape),
  };
  return [upload(device, qkv, [batch, time, tripled]), options];
}

/** Forward and backward of one case, compared with the reference. */
async function check(
  device: Device,
  shape: AttentionCase,
  variant?: AttentionVariant,
): Promise<void> {
  using _scope = device.scope();
  const { batch, time, heads, headSize, label } = shape;
  const [qkv, uploaded] = uploadCase(device, shape);
  const options = { ...uploaded, variant };
  const size = batch * time * heads * headSize;
  const d = numbers(size, 2);
  const dOut = upload(device, d, [batch, time, heads * headSize]);
  poison(device, dOut.shape, qkv.shape, [batch, heads, time]);
  const saved: AttentionResult = attention(qkv, options);
  const dQkv = attentionBackward(qkv, dOut, { ...options, saved });
  const [out, logSumExp, gradient] = await device.read(saved.out, saved.logSumExp, dQkv);
  const host = numbers(3 * size, 1).map((v) => 2 * v);
  const expected = reference(host, shape);
  assertClose(out, expected.out, { bound: 1e-6, label: `${label}: out` });
  assertEach(logSumExp, expected.logSumExp, {
    absolute: 2e-6,
    relative: 1e-6,
    label: `${label}: logSumExp`,
  });
  const { dQkv: expectedGradient } = backward(host, d, shape);
  // P is exp of a difference of two rounded numbers, and dS a difference of two sums.
  assertClose(gradient, expectedGradient, { bound: 3e-6, label: `${label}: dQkv` });
}

const launches = await openDevices();
const [[, device], [, graphics]] = launches;

Deno.test("attention: causal and bidirectional", async () => {
  for (const shape of plainCases()) await check(device, shape);
});

Deno.test("attention: masks and dropout", async () => {
  for (const shape of maskedCases()) await check(device, shape);
});

Deno.test("attention, launched as on a graphics processor: causal and bidirectional", async () => {
  for (const shape of plainCases()) await check(graphics, shape);
});

// Each pipeline of attention takes llvmpipe seconds to compile: here those in which all of it is reached.
Deno.test("attention, launched as on a graphics processor: masks and dropout", async () => {
  for (const shape of maskedCases().filter((c) => c.dropout || c.scale)) {
    await check(graphics, shape);
  }
});

Deno.test("attention: every variant on a sequence of more than one block", async () => {
  const [shape] = maskedCases().filter((c) => c.dropout && c.time === 130);
  for (const variant of ATTENTION_VARIANTS) {
    await check(graphics, { ...shape, label: `${variant}, ${shape.label}` }, variant);
  }
});

for (const [name, device] of launches) {
  Deno.test(`attention, ${name}: a query that sees no key gets zeros, and gives none`, async () => {
    using _scope = device.scope();
    const [batch, time, channels] = [2, 11, 36];
    const qkv = upload(device, numbers(batch * time * 3 * channels, 1), [
      batch,
      time,
      3 * channels,
    ]);
    const mask = new Float32Array(batch * time);
    mask.fill(-Infinity, time);
    const options = { heads: 3, causal: false, mask: upload(device, mask, [batch, time]) };
    const dOut = upload(device, numbers(batch * time * channels, 2), [batch, time, channels]);
    poison(device, dOut.shape, qkv.shape, [batch, 3, time]);
    const saved = attention(qkv, options);
    const dQkv = attentionBackward(qkv, dOut, { ...options, saved });
    const [out, logSumExp, d] = await device.read(saved.out, saved.logSumExp, dQkv);
    for (const data of [out, logSumExp, d]) {
      const [seen, unseen] = [data.subarray(0, data.length / 2), data.subarray(data.length / 2)];
      assert.ok(unseen.every((v) => v === 0), "entry 1 is zero throughout");
      assert.ok(seen.every((v) => Number.isFinite(v) && v !== 0), "entry 0 is not");
    }
  });

  Deno.test(`attention, ${name}: scores of hundreds do not overflow`, async () => {
    using _scope = device.scope();
    const shape = { batch: 1, time: 29, heads: 3, headSize: 12, causal: true };
    const host = numbers(29 * 108, 1).map((v) => 30 * v);
    const { out, logSumExp } = attention(upload(device, host, [1, 29, 108]), shape);
    const expected = reference(host, shape);
    const [found, sums] = await device.read(out, logSumExp);
    // A score near 600 is rounded by some 1e-4: that much, relatively, is uncertain in each weight.
    assertClose(found, expected.out, { bound: 5e-5, label: "out" });
    assertClose(sums, expected.logSumExp, { bound: 1e-6, label: "logSumExp" });
  });

  Deno.test(`attention, ${name}: same bytes twice, forward and backward`, async () => {
    using _scope = device.scope();
    const shape = maskedCases().findLast((c) => c.time === 29 && c.dropout)!;
    const [qkv, options] = uploadCase(device, shape);
    const dOut = upload(device, numbers(3 * 29 * 36, 2), [3, 29, 36]);
    await assertSameBytes(device, () => {
      const saved = attention(qkv, options);
      const dQkv = attentionBackward(qkv, dOut, { ...options, saved });
      return [saved.out, saved.logSumExp, dQkv];
    });
  });
}

Deno.test("attention: what does not fit is said", () => {
  using _scope = device.scope();
  const says = (run: () => void, message: string) =>
    assert.throws(run, { name: "VitrailError", message });
  const wanted = "wanted (B, T, 3·C) with C a multiple of the number of heads";
  says(
    () => attention(device.tensor([3, 29, 108]), { heads: 5, causal: true }),
    `Cannot attend over (3, 29, 108) with 5 heads: ${wanted}`,
  );
  says(
    () => attention(device.tensor([29, 108]), { heads: 3, causal: true }),
    `Cannot attend over (29, 108) with 3 heads: ${wanted}`,
  );
  says(
    () =>
      attention(device.tensor([3, 29, 108]), {
        heads: 3,
        causal: true,
        mask: device.tensor([3, 28]),
      }),
    "Cannot mask attention over (3, 29) with (3, 28): " +
      "wanted (3, 29) or (3 or 1, 3 or 1, 29 or 1, 29)",
  );
  says(
    () =>
      attention(device.tensor([3, 29, 108]), {
        heads: 3,
        causal: true,
        mask: device.tensor([3, 2, 29, 29]),
      }),
    "Cannot mask attention over (3, 29) with (3, 2, 29, 29): " +
      "wanted (3, 29) or (3 or 1, 3 or 1, 29 or 1, 29)",
  );
});
