/** Ablation against the same by hand, with means and averages in float64. @module */
import assert from "node:assert/strict";
import {
  ablate,
  logitDifference,
  meanActivations,
  openDevice,
  type ProbedModel,
  type ProbeInput,
  runWithCache,
  runWithHooks,
  type Site,
  type Tensor,
  VitrailError,
} from "../../mod.ts";
import { assertEach } from "../kernels/checks.ts";
import { B, ids, smallModels, T } from "./subjects.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const metric = logitDifference({ right: [5, 17, 96], wrong: [190, 3, 44] });
const name = "blocks.1.hook_attn_out";
const sites: Site[] = [{ at: name, positions: [4, -1] }];

/** What a model's metric is when a hook point gives other numbers at places 4 and 28. */
async function byHand(
  model: ProbedModel,
  input: ProbeInput,
  other: (index: { b: number; t: number; c: number }) => number,
): Promise<number[]> {
  const [x, C] = [await activation(model, input), 24];
  const numbers = x.map((v, i) => {
    const [b, t, c] = [Math.floor(i / (T * C)), Math.floor(i / C) % T, i % C];
    return t === 4 || t === T - 1 ? other({ b, t, c }) : v;
  });
  const given: Tensor = device.upload(numbers as Float32Array<ArrayBuffer>, [B, T, C]);
  const logits = runWithHooks(model, input, { hooks: [[name, () => given]] });
  return metric.values({ data: await logits.read() as Float32Array, shape: logits.shape });
}

async function activation(model: ProbedModel, input: ProbeInput): Promise<Float32Array> {
  using cache = runWithCache(model, input, { names: name }).cache;
  return (await cache.read()).get(name)!.data;
}

for (const [family, model] of Object.entries(smallModels(device))) {
  const input = ids(model, 1);
  const reference = [ids(model, 2, 5), ids(model, 3, 4)];

  Deno.test(`${family}: zeros in the place of an activation`, async () => {
    const { each, intact, changes } = await ablate(model, input, { metric, cells: [sites, []] });
    const want = await byHand(model, input, () => 0);
    assertEach(each[0], want, { absolute: 2e-5, label: "zero" });
    assert.equal(changes[1], 0);
    const mean = want.reduce((a, b) => a + b, 0) / B;
    assertEach([intact + changes[0]], [mean], { absolute: 2e-5, label: "change" });
  });

  Deno.test(`${family}: the mean of each place over a reference set`, async () => {
    const { each } = await ablate(model, input, {
      metric,
      cells: [sites],
      substitute: { by: "mean", reference },
    });
    const all = [
      ...await activation(model, reference[0]),
      ...await activation(model, reference[1]),
    ];
    const sum = (t: number, c: number) => {
      let total = 0;
      for (let b = 0; b < 9; b++) total += all[(b * T + t) * 24 + c];
      return total;
    };
    const want = await byHand(model, input, ({ t, c }) => sum(t, c) / 9);
    assertEach(each[0], want, { absolute: 2e-5, label: "mean" });
  });

  Deno.test(`${family}: one mean over all places that are not hidden`, async () => {
    const hidden = (i: number) => i % T > 20;
    const mask = Float32Array.from({ length: 5 * T }, (_, i) => hidden(i) ? -1e38 : 0);
    const masked = { ...reference[0], mask: device.upload(mask, [5, T]) };
    const { each } = await ablate(model, input, {
      metric,
      cells: [sites],
      substitute: { by: "mean", reference: [masked], over: "all places" },
    });
    const all = await activation(model, masked);
    const sums = new Float64Array(24);
    all.forEach((v, i) => sums[i % 24] += hidden(Math.floor(i / 24)) ? 0 : v);
    const want = await byHand(model, input, ({ c }) => sums[c] / (5 * 21));
    assertEach(each[0], want, { absolute: 2e-5, label: "mean of all places" });
  });

  Deno.test(`${family}: one mean serves as many places as are wanted`, async () => {
    using means = await meanActivations(model, [ids(model, 3)], {
      names: "blocks.0.hook_resid_pre",
      over: "all places",
      time: 7,
    });
    const { data, shape } = (await means.read()).get("blocks.0.hook_resid_pre")!;
    assert.deepEqual(shape, [1, 7, 24]);
    for (let t = 1; t < 7; t++) {
      assert.deepEqual(data.subarray(t * 24, (t + 1) * 24), data.subarray(0, 24));
    }
  });

  Deno.test(`${family}: resampling takes another sequence's activation; draws are averaged, by seed`, async () => {
    // Two reference sequences: a draw gives the metric of one or the other.
    const pair = ids(model, 2, 2);
    const other = await activation(model, pair);
    const [zero, one] = await Promise.all(
      [0, 1].map((r) => byHand(model, input, ({ t, c }) => other[(r * T + t) * 24 + c])),
    );
    const run = async (draws: number, seed: number) => {
      const substitute = { by: "resample", reference: [pair], draws, seed } as const;
      return (await ablate(model, input, { metric, cells: [sites], substitute })).each[0];
    };
    for (const [b, value] of (await run(1, 3)).entries()) {
      const off = Math.min(Math.abs(value - zero[b]), Math.abs(value - one[b]));
      assert.ok(off < 2e-5, `sequence ${b}: ${value}, neither ${zero[b]} nor ${one[b]}`);
    }
    const many = await run(64, 0);
    for (let b = 0; b < B; b++) {
      // Half the draws and half of them, give or take four deviations of a fair coin thrown 64 times.
      const share = (many[b] - zero[b]) / (one[b] - zero[b]);
      assert.ok(Math.abs(share - 0.5) < 0.25, `sequence ${b}: ${share} of the draws`);
      assert.ok(Math.abs(share * 64 - Math.round(share * 64)) < 0.01, `${share * 64} draws`);
    }
    assert.deepEqual(await run(5, 1), await run(5, 1));
  });

  Deno.test(`${family}: reference sets that do not fit are told`, async () => {
    const short = { ids: model.ids([1, 2, 3]) };
    for (
      const [substitute, message] of [
        [{ by: "mean", reference: [] }, /without inputs/],
        [{ by: "mean", reference: [short] }, /each of 29 places over an input of 3/],
        [{ by: "resample", reference: [short] }, /1×3 tokens|3×29 and 3×3 tokens/],
        [{ by: "resample", reference: [], draws: 2 }, /draw 2 times from 0 sequences/],
      ] as const
    ) {
      await assert.rejects(
        ablate(model, input, { metric, cells: [sites], substitute }),
        (error: Error) => error instanceof VitrailError && message.test(error.message),
      );
    }
    const pattern = { names: "blocks.0.attn.hook_pattern", over: "all places" } as const;
    await assert.rejects(meanActivations(model, [input], pattern), /from places to places/);
  });
}
