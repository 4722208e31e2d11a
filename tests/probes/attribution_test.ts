/** Attribution: against finite differences, its own completeness, and patching. @module */
import assert from "node:assert/strict";
import {
  activationPatching,
  attributionPatching,
  type Baseline,
  Bert,
  createBertConfig,
  embeddingHook,
  gradientTimesInput,
  integratedGradients,
  logit,
  logitDifference,
  openDevice,
  type ProbedModel,
  type ProbeInput,
  runWithCache,
  runWithHooks,
  type Site,
  sweepHeads,
  sweepPlaces,
  VitrailError,
} from "../../mod.ts";
import { assertEach } from "../kernels/checks.ts";
import { B, ids, smallModels, T, vocabularySize } from "./subjects.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const C = 24;
const metric = logitDifference({ right: [5, 17, 96], wrong: [190, 3, 44] });
const sumOf = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** The metric when other embeddings stand in the place of a model's own. */
async function metricOf(
  model: ProbedModel,
  input: ProbeInput,
  embeddings: Float32Array,
): Promise<number[]> {
  using _scope = device.scope();
  const x = device.upload(embeddings as Float32Array<ArrayBuffer>, [B, T, C]);
  const logits = runWithHooks(model, input, { hooks: [[embeddingHook(model), () => x]] });
  const data = await logits.read() as Float32Array;
  return metric.values({ data, shape: logits.shape });
}

async function embeddingsOf(model: ProbedModel, input: ProbeInput): Promise<Float32Array> {
  using cache = runWithCache(model, input, { names: embeddingHook(model) }).cache;
  return await cache.get(embeddingHook(model)).read() as Float32Array;
}

for (const [family, model] of Object.entries(smallModels(device))) {
  const input = ids(model, 1);

  Deno.test(`${family}: gradient × input is the slope of the metric along each token's embedding`, async () => {
    const { scores, values } = await gradientTimesInput(model, input, { metric });
    const e = await embeddingsOf(model, input);
    assertEach(values, await metricOf(model, input, e), { absolute: 1e-6, label: "values" });
    for (const place of [0, 13, T - 1]) {
      const along = (share: number) =>
        metricOf(model, input, e.map((v, i) => Math.floor(i / C) % T === place ? v * share : v));
      // Richardson's extrapolation of central differences leaves no error of the second order.
      const slope = async (h: number) => {
        const [more, less] = [await along(1 + h), await along(1 - h)];
        return more.map((m, b) => (m - less[b]) / (2 * h));
      };
      const [wide, narrow] = [await slope(0.04), await slope(0.02)];
      const expected = narrow.map((n, b) => (4 * n - wide[b]) / 3);
      const found = scores.map((row) => row[place]);
      assertEach(found, expected, { absolute: 5e-4, label: `place ${place}` });
    }
  });

  Deno.test(`${family}: integrated gradients are complete to 1 % in 64 steps, from every baseline`, async () => {
    const baselines: Baseline[] = ["zero", "mean", 0, { token: 103, kept: [0, T - 1] }];
    for (const baseline of baselines) {
      for (const rule of ["gauss-legendre", "midpoint"] as const) {
        const options = { metric, baseline, rule, steps: 64 };
        const found = await integratedGradients(model, input, options);
        for (const [b, gap] of found.gaps.entries()) {
          assert.ok(gap < 0.01, `${JSON.stringify(baseline)}, ${rule}, sequence ${b}: ${gap}`);
          const wanted = found.values[b] - found.baselines[b];
          const off = Math.abs(sumOf(found.scores[b]) - wanted) / Math.abs(wanted);
          assert.ok(Math.abs(off - gap) < 1e-12, `${off} is told as ${gap}`);
        }
      }
    }
  });

  Deno.test(`${family}: the baseline's metric is that of a text of its embeddings`, async () => {
    const other = { ids: model.ids(new Uint32Array(B * T).fill(103), [B, T]) };
    const own = await embeddingsOf(model, input);
    const [token, table] = [await embeddingsOf(model, other), await tokenTable(model)];
    const average = Float32Array.from({ length: C }, (_, c) => {
      let sum = 0;
      for (let v = 0; v < vocabularySize; v++) sum += table[v * C + c];
      return sum / vocabularySize;
    });
    const cases: [Baseline, Float32Array][] = [
      ["zero", own.map(() => 0)],
      [103, token],
      ["mean", own.map((_, i) => average[i % C])],
      [{ token: "zero", kept: [4] }, own.map((v, i) => Math.floor(i / C) % T === 4 ? v : 0)],
    ];
    for (const [baseline, embeddings] of cases) {
      const found = await integratedGradients(model, input, {
        metric,
        baseline,
        steps: 1,
        rows: 4,
      });
      const wanted = await metricOf(model, input, embeddings);
      assertEach(found.baselines, wanted, { absolute: 1e-5, label: JSON.stringify(baseline) });
      if (typeof baseline === "object") assert.equal(found.scores[1][4], 0);
    }
  });

  Deno.test(`${family}: a step's batch does not matter; what is not there is told`, async () => {
    const run = (rows: number) => integratedGradients(model, input, { metric, steps: 7, rows });
    const [many, few] = [await run(64), await run(B)];
    assertEach(few.scores.flat(), many.scores.flat(), { absolute: 1e-5, label: "scores" });
    for (const baseline of [vocabularySize, { token: "zero", kept: [T] }] as const) {
      await assert.rejects(integratedGradients(model, input, { metric, baseline }), VitrailError);
    }
  });

  Deno.test(`${family}: attribution patching is the slope towards the clean run, at every hook point`, async () => {
    const clean = ids(model, 4);
    // Towards an activation that differs by little, patching is as linear as it gets.
    for (
      const at of ["blocks.1.hook_mlp_out", "blocks.0.attn.hook_q", "blocks.1.attn.hook_pattern"]
    ) {
      const narrowed: Site = at.includes("attn")
        ? { at, heads: [1], positions: [5, -1] }
        : { at, positions: [-1] };
      using from = runWithCache(model, clean, { names: at }).cache;
      using to = runWithCache(model, input, { names: at }).cache;
      const [x, y] = [await from.get(at).read(), await to.get(at).read()] as Float32Array[];
      const { shape } = to.get(at);
      const chosen = (i: number) => isChosen(i, shape, narrowed);
      const towards = async (share: number) => {
        const mixed = y.map((v, i) => chosen(i) ? v + share * (x[i] - v) : v);
        const given = device.upload(mixed as Float32Array<ArrayBuffer>, shape);
        const logits = runWithHooks(model, input, { hooks: [[at, () => given]] });
        const data = await logits.read() as Float32Array;
        return sumOf(metric.values({ data, shape: logits.shape })) / B;
      };
      const slope = async (h: number) => (await towards(h) - await towards(-h)) / (2 * h);
      const expected = (4 * await slope(0.02) - await slope(0.04)) / 3;
      const { patched, corrupted } = await attributionPatching(model, { clean, corrupted: input }, {
        metric,
        cells: [[narrowed], []],
      });
      assertEach([patched[0] - corrupted], [expected], { absolute: 3e-4, label: at });
      assert.equal(patched[1], corrupted);
    }
  });

  Deno.test(`${family}: over small patches attribution patching goes with activation patching`, async () => {
    const pair = { clean: ids(model, 4), corrupted: input };
    const cells = [
      ...sweepHeads(model, { part: "z" }).cells,
      ...sweepPlaces(model, { part: "mlp_out", time: T }).cells,
    ];
    const exact = await activationPatching(model, pair, { metric, cells });
    const estimated = await attributionPatching(model, pair, { metric, cells });
    assertEach([estimated.clean, estimated.corrupted], [exact.clean, exact.corrupted], {
      absolute: 1e-5,
      label: "ends",
    });
    const r = correlation(exact.effects, estimated.effects);
    assert.ok(r > 0.8, `the correlation is ${r}`);
  });
}

Deno.test("BERT's classes and tags: attributions of the head's metric add up", async () => {
  const size = { vocabularySize, contextLength: T, channels: C, layers: 2, heads: 2 };
  const config = { ...createBertConfig(size), initializerRange: 0.2 };
  const labels = ["a", "b", "c"];
  const kinds: Bert["heads"]["settings"][] = [
    { kind: "sequence-classification", labels, labelKind: "single" },
    { kind: "token-classification", labels },
    { kind: "question-answering" },
  ];
  for (const heads of kinds) {
    const model = new Bert(device, config, { heads });
    const input = ids(model, 1);
    const found = await integratedGradients(model, input, { metric: logit(1, { at: 3 }) });
    for (const gap of found.gaps) assert.ok(gap < 0.01, `${heads.kind}: ${gap}`);
    assert.ok(found.scores.every((row) => row.some((score) => Math.abs(score) > 1e-4)));
  }
});

async function tokenTable(model: ProbedModel): Promise<Float32Array> {
  const name = /wte|word_embeddings/;
  return await model.parameters.find((p) => name.test(p.name))!.read() as Float32Array;
}

/** Whether element i lies in a site of (B, T, C), (B, T, NH, HS) or (B, NH, T, T). */
function isChosen(i: number, shape: readonly number[], { at, positions, heads }: Site): boolean {
  const index = shape.map((length, d) =>
    Math.floor(i / shape.slice(d + 1).reduce((a, b) => a * b, 1)) % length
  );
  const [head, place] = /pattern/.test(at as string) ? [index[1], index[2]] : [index[2], index[1]];
  const here = positions!.map((t) => t < 0 ? T + t : t).includes(place);
  return here && (heads === undefined || heads.includes(head));
}

/** Pearson's. */
function correlation(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [sumOf(x) / x.length, sumOf(y) / y.length];
  const product = (a: readonly number[], b: readonly number[], ma: number, mb: number) =>
    sumOf(a.map((v, i) => (v - ma) * (b[i] - mb)));
  return product(x, y, mx, my) / Math.sqrt(product(x, x, mx, mx) * product(y, y, my, my));
}
