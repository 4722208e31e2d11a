/**
 * The reference of attention against finite differences, and its log-sum-exp against its pattern.
 *
 * @module
 */
import assert from "node:assert/strict";
import { attention, attentionBackward, type AttentionShape } from "./attention.ts";
import { assertGradient } from "./finite_difference.ts";
import { doubles } from "./numbers.ts";

const base = { batch: 2, time: 5, heads: 3, headSize: 3 };
const size = base.batch * base.time * base.heads * base.headSize;

/** Every third key hidden in entry 0, and query 0 of entry 1 sees nothing. */
function hidden(): Float64Array {
  const values = doubles(2 * 5 * 5, 9);
  for (let i = 0; i < 25; i += 3) values[i] = -Infinity;
  values.fill(-Infinity, 25, 30);
  return values;
}

const CASES: Record<string, AttentionShape> = {
  causal: { ...base, causal: true },
  bidirectional: { ...base, causal: false, scale: 0.7 },
  "key padding": {
    ...base,
    causal: true,
    mask: { values: [0, 0, -Infinity, 0, 0, 0, 0, 0, -Infinity, -Infinity], shape: [2, 5] },
  },
  "additive mask and dropout": {
    ...base,
    causal: false,
    mask: { values: hidden(), shape: [2, 1, 5, 5] },
    dropout: { probability: 0.25, seed: 3, step: 1, place: 4 },
  },
};

for (const [label, shape] of Object.entries(CASES)) {
  Deno.test(`attention, ${label}: dQkv`, () => {
    const [qkv, dOut] = [doubles(3 * size, 1).map((v) => 2 * v), doubles(size, 2)];
    const { dQkv } = attentionBackward(qkv, dOut, shape);
    assertGradient(dQkv, { f: (qkv) => attention(qkv, shape).out, x: qkv, dOut, label });
  });

  Deno.test(`attention, ${label}: the pattern is exp(scores - logSumExp)`, () => {
    const { scores, pattern, logSumExp } = attention(doubles(3 * size, 1), shape);
    pattern.forEach((p, i) => {
      const expected = Math.exp(scores[i] - logSumExp[Math.floor(i / base.time)]);
      assert.ok(Math.abs(p - expected) < 1e-15, `${p} at ${i}, expected ${expected}`);
    });
  });
}
