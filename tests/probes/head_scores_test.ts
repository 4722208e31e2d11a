import assert from "node:assert/strict";
import {
  attentionMask,
  Bert,
  createBertConfig,
  createGptConfig,
  freshWeights,
  Gpt,
  headScores,
  openDevice,
  runWithCache,
  scorePattern,
} from "../../mod.ts";

/** A pattern (B, NH, T, T) in which head h of sequence b looks from t as `look` says. */
function pattern(
  [B, NH, T]: [number, number, number],
  look: (at: { b: number; h: number; t: number }) => Record<number, number>,
) {
  const data = new Float32Array(B * NH * T * T);
  for (let row = 0; row < B * NH * T; row++) {
    const [b, h, t] = [Math.floor(row / (NH * T)), Math.floor(row / T) % NH, row % T];
    for (const [j, p] of Object.entries(look({ b, h, t }))) data[row * T + Number(j)] = p;
  }
  return { data, shape: [B, NH, T, T] };
}

const close = (found: number, wanted: number) =>
  assert.ok(Math.abs(found - wanted) < 1e-6, `${found}, wanted ${wanted}`);

Deno.test("heads that do one thing only score 1 for it, and nothing for the others", () => {
  // 9, then 4 7 5 three times over: from t = 4 on the token has come before.
  const ids = [9, 4, 7, 5, 4, 7, 5, 4, 7, 5];
  const T = ids.length;
  const heads = [
    (t: number) => ({ [Math.max(t - 1, 0)]: 1 }),
    (t: number) => ({ [t > 3 ? t - 3 : 0]: 1 }),
    (t: number) => ({ [t > 3 ? t - 2 : 0]: 1 }),
    (t: number) => ({ [t]: 1 }),
  ];
  const [previous, duplicate, induction, self] = scorePattern(
    pattern([1, 4, T], ({ h, t }) => heads[h](t)),
    { ids, causal: true },
  );
  close(previous.previousToken, 1);
  close(previous.duplicateToken, 0);
  close(previous.induction, 0);
  close(duplicate.duplicateToken, 1);
  close(duplicate.induction, 0);
  close(induction.induction, 1);
  close(induction.duplicateToken, 0);
  // From t = 1 the place before is 0, where these two rest as long as nothing has come twice.
  close(induction.previousToken, 1 / 9);
  close(self.previousToken, 0);
  close(self.duplicateToken, 0);
  close(self.distance, 0);
  close(previous.distance, 9 / 10);
  close(duplicate.distance, (1 + 2 + 3 + 6 * 3) / 10);
  for (const { entropy } of [previous, duplicate, induction, self]) assert.equal(entropy, 0);
});

Deno.test("two occurrences count together, and only places with something to find are averaged", () => {
  const ids = [1, 2, 1, 3, 1];
  // The last place finds 1 at 0 and at 2, followed by 2 at 1 and by 3 at 3; place 2 finds 0, followed by 1.
  const [head] = scorePattern(
    pattern(
      [1, 1, 5],
      ({ t }): Record<number, number> =>
        t === 4
          ? { 0: 0.125, 1: 0.25, 2: 0.0625, 3: 0.5, 4: 0.0625 }
          : t === 2
          ? { 0: 0.25, 1: 0.75 }
          : { [t]: 1 },
    ),
    { ids, causal: true },
  );
  close(head.induction, (0.75 + 0.75) / 2);
  close(head.duplicateToken, (0.1875 + 0.25) / 2);
  close(head.previousToken, (0 + 0.75 + 0 + 0.5) / 4);
  const entropyOf = (...ps: number[]) => -ps.reduce((s, p) => s + p * Math.log(p), 0);
  close(
    head.entropy,
    (entropyOf(0.25, 0.75) + entropyOf(0.125, 0.25, 0.0625, 0.5, 0.0625)) / 5,
  );
  close(head.distance, (2 * 0.25 + 0.75 + 4 * 0.125 + 3 * 0.25 + 2 * 0.0625 + 0.5) / 5);
});

Deno.test("attention that is even has entropy ln T; nothing that comes twice has no score", () => {
  const T = 7;
  const even = pattern([3, 2, T], () => Object.fromEntries(Array(T).fill(1 / T).entries()));
  const ids = Array.from({ length: 3 * T }, (_, i) => i);
  for (const head of scorePattern(even, { ids, causal: false })) {
    close(head.entropy, Math.log(T));
    close(head.previousToken, 1 / T);
    close(head.distance, (T * T - 1) / (3 * T));
    assert.ok(Number.isNaN(head.induction) && Number.isNaN(head.duplicateToken));
  }
});

Deno.test("padding neither looks nor is looked for, and an encoder finds what comes later", () => {
  const [T, ids] = [4, [5, 6, 5, 5, 5, 8, 5, 0]];
  const mask = [1, 1, 1, 1, 1, 1, 1, 0];
  // Each place looks at the one two before or behind it: at t = 0 that is the same token's later place.
  const found = scorePattern(
    pattern([2, 1, T], ({ t }) => ({ [(t + 2) % T]: 1 })),
    { ids, causal: false, mask },
  )[0];
  // First sequence: 0 and 2 look at one another, 3 looks at 1; second: 0 and 2 do, 1 looks at padding.
  close(found.duplicateToken, (1 + 1 + 0 + 1 + 1) / 5);
  const first = scorePattern(pattern([1, 1, T], ({ t }) => ({ [(t + 1) % T]: 1 })), {
    ids: ids.slice(4),
    causal: false,
    mask: mask.slice(4),
  })[0];
  // 5 8 5 ·: from 2, what follows the other 5 is at 1; from 0, what follows the other 5 is padding.
  close(first.induction, 0);
  close(first.distance, (1 + 1 + 0) / 3);
});

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const size = { vocabularySize: 197, contextLength: 29, channels: 24, layers: 2, heads: 2 };
const models = {
  GPT: new Gpt(device, createGptConfig(size, { initializerRange: 0.3 }), freshWeights(2)),
  BERT: new Bert(device, createBertConfig(size, { initializerRange: 0.3 }), {
    heads: { kind: "masked-language" },
  }),
};

for (const [family, model] of Object.entries(models)) {
  Deno.test(`${family}: every head of a model, from the patterns that it computes`, async () => {
    const [B, T] = [3, 29];
    const ids = Uint32Array.from({ length: B * T }, (_, i) => (i * i) % 23);
    const mask = Float32Array.from({ length: B * T }, (_, i) => Number(i % T < 20 + i / T));
    const input = { ids: model.ids(ids, [B, T]), mask: attentionMask(device, mask, [B, T]) };
    const scores = await headScores(model, input);
    assert.deepEqual(scores.map(({ layer, head }) => [layer, head]), [[0, 0], [0, 1], [1, 0], [
      1,
      1,
    ]]);
    const { cache } = runWithCache(model, input, { names: "blocks.1.attn.hook_pattern" });
    using _cache = cache;
    const name = "blocks.1.attn.hook_pattern";
    const { data } = (await cache.read(name)).get(name)!;
    // The second layer's first head again, by loops over everything.
    let [sum, count, entropy, rows] = [0, 0, 0, 0];
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < T; t++) {
        if (!mask[b * T + t]) continue;
        const p = (j: number) => data[(b * 2 * T + t) * T + j];
        const meant = ids.subarray(b * T, (b + 1) * T).entries().filter(([j]) =>
          mask[b * T + j] && (family === "BERT" || j <= t) && j > 0 && j - 1 !== t &&
          ids[b * T + j - 1] === ids[b * T + t]
        ).map(([j]) => p(j)).toArray();
        if (meant.length > 0) [sum, count] = [sum + meant.reduce((a, c) => a + c), count + 1];
        for (let j = 0; j < T; j++) entropy -= p(j) > 0 ? p(j) * Math.log(p(j)) : 0;
        rows++;
      }
    }
    close(scores[2].induction, sum / count);
    assert.ok(Math.abs(scores[2].entropy / (entropy / rows) - 1) < 1e-5);
  });
}
