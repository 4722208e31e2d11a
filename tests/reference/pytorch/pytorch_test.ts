/**
 * The references against PyTorch and transformers in float64, digit for digit.
 *
 * @module
 */
import assert from "node:assert/strict";
import { assertClose } from "../../compare.ts";
import { adamw, type AdamWState } from "../adamw.ts";
import { attention, attentionBackward, type AttentionShape } from "../attention.ts";
import { crossEntropy, crossEntropyBackward } from "../cross_entropy.ts";
import { gelu, geluBackward } from "../gelu.ts";
import { gradientNorm } from "../gradient_norm.ts";
import { layerNorm, layerNormBackward } from "../layer_norm.ts";
import { probabilities, scaledLogits } from "../sample.ts";
import stored from "./fixture.json" with { type: "json" };

const bound = 1e-14;

/** One operation's numbers; null is minus infinity, which JSON cannot say. */
function numbersOf(operation: keyof typeof stored): Record<string, Float64Array> {
  const lists: Record<string, (number | null)[]> = stored[operation];
  return Object.fromEntries(
    Object.entries(lists).map((
      [name, list],
    ) => [name, Float64Array.from(list, (n) => n ?? -Infinity)]),
  );
}

for (const kind of ["erf", "tanh"] as const) {
  Deno.test(`gelu ${kind} is PyTorch's`, () => {
    const { x, dOut, out, dX } = numbersOf(kind === "erf" ? "geluErf" : "geluTanh");
    assertClose(gelu(x, kind), out, { bound, label: "out" });
    assertClose(geluBackward(x, dOut, kind), dX, { bound, label: "dX" });
  });
}

Deno.test("layer norm is PyTorch's", () => {
  const { x, weight, bias, dOut, ...expected } = numbersOf("layerNorm");
  const found = layerNormBackward(x, dOut, { weight, epsilon: 1e-5 });
  assertClose(layerNorm(x, { weight, bias, epsilon: 1e-5 }).out, expected.out, {
    bound,
    label: "out",
  });
  assertClose(found.dX, expected.dX, { bound, label: "dX" });
  assertClose(found.dWeight, expected.dWeight, { bound, label: "dWeight" });
  assertClose(found.dBias, expected.dBias, { bound, label: "dBias" });
});

Deno.test("cross-entropy is PyTorch's", () => {
  const { logits, targets, loss, dLogits } = numbersOf("crossEntropy");
  assertClose([crossEntropy(logits, targets).mean], loss, { bound, label: "loss" });
  assertClose(crossEntropyBackward(logits, targets, 1), dLogits, { bound, label: "dLogits" });
});

Deno.test("attention is PyTorch's", () => {
  const { qkv, mask, dOut, out, dQkv } = numbersOf("attention");
  const shape: AttentionShape = {
    batch: 2,
    time: 5,
    heads: 3,
    headSize: 3,
    causal: false,
    mask: { values: mask, shape: [2, 1, 5, 5] },
  };
  assertClose(attention(qkv, shape).out, out, { bound, label: "out" });
  assertClose(attentionBackward(qkv, dOut, shape).dQkv, dQkv, { bound, label: "dQkv" });
});

Deno.test("AdamW after clipping is PyTorch's", () => {
  const { start, gradients, values } = numbersOf("adamw");
  const rates = { lr: 3e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1 };
  let state: AdamWState = { value: start, m: new Float64Array(9), v: new Float64Array(9) };
  for (let step = 1; step <= 4; step++) {
    const range = [9 * (step - 1), 9 * step];
    const gradient = gradients.subarray(...range);
    const { norm, factor } = gradientNorm([gradient], 1);
    assert.ok(norm > 1, "the gradient is clipped");
    state = adamw(state, gradient, { ...rates, step, factor });
    assertClose(state.value, values.subarray(...range), { bound, label: `step ${step}` });
  }
});

Deno.test("sampling's filters are those of transformers", () => {
  const { logits, seen: ids, probabilities: expected } = numbersOf("sampling");
  const seen = logits.map((_, i) => ids.includes(i) ? 1 : 0);
  const settings = { temperature: 0.8, topK: 23, topP: 0.9, minP: 0.03, repetitionPenalty: 1.3 };
  const found = probabilities(scaledLogits(logits, seen, settings), settings);
  assertClose(found, expected, { bound, label: "probabilities" });
  const kept = found.filter((p) => p > 0).length;
  assert.ok(kept > 2 && kept < 23, `${kept} ids are kept: each rule has its say`);
});
