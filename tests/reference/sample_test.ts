/**
 * The reference of sampling against the rules' own words.
 *
 * @module
 */
import assert from "node:assert/strict";
import { doubles } from "./numbers.ts";
import { draw, probabilities, type SampleSettings, sampleUniform, scaledLogits } from "./sample.ts";

const all: SampleSettings = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 };
const logits = doubles(41, 5).map((v) => 3 * v);

function kept(settings: SampleSettings): number[] {
  const p = probabilities(logits, settings);
  assert.ok(Math.abs(p.reduce((a, b) => a + b) - 1) < 1e-12);
  return [...p.keys()].filter((i) => p[i] > 0);
}

const full = probabilities(logits, all);
const byProbability = [...full.keys()].sort((a, b) => full[b] - full[a]);

Deno.test("sampling: top-k keeps the k largest", () => {
  assert.deepEqual(new Set(kept({ ...all, topK: 5 })), new Set(byProbability.slice(0, 5)));
  assert.equal(kept({ ...all, topK: 41 }).length, 41);
});

Deno.test("sampling: top-p keeps the fewest that reach p", () => {
  const found = kept({ ...all, topP: 0.8 });
  const sum = (ids: number[]) => ids.reduce((s, id) => s + full[id], 0);
  assert.deepEqual(new Set(found), new Set(byProbability.slice(0, found.length)));
  assert.ok(sum(found) >= 0.8);
  assert.ok(sum(byProbability.slice(0, found.length - 1)) < 0.8);
});

Deno.test("sampling: top-p counts the probabilities that top-k left", () => {
  const five = byProbability.slice(0, 5);
  const mass = five.reduce((s, id) => s + full[id], 0);
  const found = kept({ ...all, topK: 5, topP: 0.5 });
  const sum = (ids: number[]) => ids.reduce((s, id) => s + full[id] / mass, 0);
  assert.ok(sum(found) >= 0.5 && sum(five.slice(0, found.length - 1)) < 0.5);
});

Deno.test("sampling: min-p keeps that fraction of the largest", () => {
  const most = full[byProbability[0]];
  const expected = [...full.keys()].filter((i) => full[i] >= 0.3 * most);
  assert.deepEqual(kept({ ...all, minP: 0.3 }), expected);
});

Deno.test("sampling: the penalty pushes what occurred away from choice, on either side of zero", () => {
  const settings = { ...all, temperature: 0.5, repetitionPenalty: 2 };
  assert.deepEqual(
    scaledLogits([3, 3, -3, -3], [1, 0, 1, 0], settings),
    Float64Array.of(3, 6, -12, -6),
  );
});

Deno.test("sampling: temperature zero takes the largest, the lowest id among equals", () => {
  assert.deepEqual(
    probabilities(Float64Array.of(1, 4, 4, 0), { ...all, temperature: 0 }),
    Float64Array.of(0, 1, 0, 0),
  );
});

Deno.test("sampling: draws follow the running sum", () => {
  const p = [0, 0.25, 0, 0.5, 0.25, 0];
  const drawn = [0, 0.2499, 0.25, 0.7499, 0.75, 0.9999, 1].map((u) => draw(p, u));
  assert.deepEqual(drawn, [1, 1, 3, 3, 4, 4, 4]);
});

Deno.test("sampling: the uniform numbers fill [0, 1) evenly", () => {
  const bins = new Float64Array(10);
  const count = 20_000;
  for (let i = 0; i < count; i++) bins[Math.floor(10 * sampleUniform(i % 8, i >> 3, 42))]++;
  const chiSquare = bins.reduce((sum, n) => sum + (n - count / 10) ** 2 / (count / 10), 0);
  // Nine degrees of freedom: mean 9, variance 18.
  assert.ok(chiSquare < 9 + 5 * Math.sqrt(18), `χ² = ${chiSquare}`);
});
