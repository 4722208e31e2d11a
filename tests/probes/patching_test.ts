/** Activation patching: exact at both ends, and in between as patching by hand. @module */
import assert from "node:assert/strict";
import { hookPoints } from "../../src/models/hook_points.ts";
import { mean } from "../../src/probes/metrics.ts";
import { embeddingHook } from "../../src/probes/probed_model.ts";
import {
  activationPatching,
  logitDifference,
  openDevice,
  patchingSweep,
  type ProbedModel,
  type ProbeInput,
  runWithCache,
  runWithHooks,
  type Site,
  sweepHeads,
  sweepOf,
  sweepPlaces,
  VitrailError,
} from "../../mod.ts";
import { assertEach } from "../kernels/checks.ts";
import { B, ids, smallModels, T } from "./subjects.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
// An answer of its own for each sequence: a batch of many runs must not mix them up.
const metric = logitDifference({ right: [5, 17, 96], wrong: [190, 3, 44] });

/** The metric of a corrupted run in which numbers of the clean one were put by hand, on the host. */
async function byHand(
  model: ProbedModel,
  { clean, corrupted, name, chosen }: {
    clean: ProbeInput;
    corrupted: ProbeInput;
    name: string;
    chosen: (index: readonly number[]) => boolean;
  },
): Promise<number> {
  const [from, to] = [clean, corrupted].map((input) =>
    runWithCache(model, input, { names: name }).cache
  );
  using _from = from;
  using _to = to;
  const [x, y] = [(await from.read()).get(name)!, (await to.read()).get(name)!];
  const patched = y.data.map((v, i) => chosen(indexOf(i, x.shape)) ? x.data[i] : v);
  const tensor = device.upload(patched as Float32Array<ArrayBuffer>, x.shape);
  const logits = runWithHooks(model, corrupted, { hooks: [[name, () => tensor]] });
  const values = metric.values({ data: await logits.read() as Float32Array, shape: logits.shape });
  return mean(values);
}

function indexOf(i: number, shape: readonly number[]): number[] {
  return shape.map((length, d) =>
    Math.floor(i / shape.slice(d + 1).reduce((a, b) => a * b, 1)) % length
  );
}

for (const [family, model] of Object.entries(smallModels(device))) {
  const pair = { clean: ids(model, 1), corrupted: ids(model, 4) };

  Deno.test(`${family}: everything from the clean run restores its metric exactly, nothing changes nothing`, async () => {
    const everything: Site = { at: () => true };
    const cells: Site[][] = [
      [everything],
      [{ at: embeddingHook(model) }],
      [],
      [{ at: "blocks.*.hook_resid_pre", positions: [] }],
    ];
    const { clean, corrupted, patched, effects } = await activationPatching(model, pair, {
      metric,
      cells,
    });
    assert.ok(Math.abs(clean - corrupted) > 0.05, `${clean} and ${corrupted}`);
    assert.deepEqual(patched, [clean, clean, corrupted, corrupted]);
    assert.deepEqual(effects, [1, 1, 0, 0]);
  });

  Deno.test(`${family}: each hook point by itself may be patched whole`, async () => {
    const names = hookPoints(model);
    const cells = names.map((at): Site[] => [{ at }]);
    const { patched } = await activationPatching(model, pair, { metric, cells });
    using cache = runWithCache(model, pair.clean).cache;
    const logits = names.map((name) =>
      runWithHooks(model, pair.corrupted, { hooks: [[name, () => cache.get(name)]] })
    );
    const read = await device.read(...logits) as Float32Array[];
    const want = read.map((data, i) => mean(metric.values({ data, shape: logits[i].shape })));
    assertEach(patched, want, { absolute: 2e-5, label: names.join() });
  });

  Deno.test(`${family}: layer by place is what patching by hand gives`, async () => {
    for (const part of ["resid_pre", "attn_out", "mlp_out"] as const) {
      const { effects, clean, corrupted, rows, columns } = await patchingSweep(model, pair, {
        metric,
        sweep: sweepPlaces(model, { part, time: T }),
      });
      assert.deepEqual([effects.length, effects[0].length], [
        rows.names.length,
        columns.names.length,
      ]);
      for (const [layer, place] of [[0, 3], [1, T - 1]]) {
        const name = `blocks.${layer}.hook_${part}`;
        const chosen = ([, t]: readonly number[]) => t === place;
        const want = await byHand(model, { ...pair, name, chosen });
        const found = corrupted + effects[layer][place] * (clean - corrupted);
        assertEach([found], [want], { absolute: 2e-5, label: `${name} at ${place}` });
      }
    }
  });

  Deno.test(`${family}: layer by head is what patching by hand gives`, async () => {
    for (const part of ["z", "q", "k", "v", "pattern"] as const) {
      const { effects, clean, corrupted } = await patchingSweep(model, pair, {
        metric,
        sweep: sweepHeads(model, { part, positions: part === "z" ? [2, -1] : undefined }),
      });
      const [axis, places] = part === "pattern" ? [1, 2] : [2, 1];
      for (const [layer, head] of [[0, 0], [1, 1]]) {
        const name = `blocks.${layer}.attn.hook_${part}`;
        const chosen = (index: readonly number[]) =>
          index[axis] === head && (part !== "z" || [2, T - 1].includes(index[places]));
        const want = await byHand(model, { ...pair, name, chosen });
        const found = corrupted + effects[layer][head] * (clean - corrupted);
        assertEach([found], [want], { absolute: 2e-5, label: `${name}, head ${head}` });
      }
    }
  });

  Deno.test(`${family}: neurons at places; of two sites the later wins; cells in small batches`, async () => {
    const name = "blocks.1.mlp.hook_post";
    const site: Site = { at: name, positions: [5, -1], channels: [0, 95, 41] };
    const cells: Site[][] = [[site], [], [{ at: name }], [{ at: "blocks.0.hook_mlp_out" }]];
    const whole = await activationPatching(model, pair, { metric, cells });
    const few = await activationPatching(model, pair, { metric, cells, rows: 3 * B });
    assertEach(few.patched, whole.patched, { absolute: 2e-5, label: "three rows at once" });
    assert.equal(few.effects[1], 0);
    const want = await byHand(model, {
      ...pair,
      name,
      chosen: ([, t, c]) => [5, T - 1].includes(t) && [0, 95, 41].includes(c),
    });
    assertEach([whole.patched[0]], [want], { absolute: 2e-5, label: "neurons" });
  });

  Deno.test(`${family}: what cannot be patched is told`, async () => {
    const patch = (...cells: Site[][]) => activationPatching(model, pair, { metric, cells });
    const told = (promise: Promise<unknown>, message: RegExp) =>
      assert.rejects(promise, (error: Error) => {
        assert.ok(error instanceof VitrailError);
        assert.match(error.message, message);
        return true;
      });
    await told(
      patch([{ at: "blocks.0.hook_resid_pre", heads: [0] }]),
      /heads of blocks\.0\.hook_resid_pre: it has positions and channels only/,
    );
    await told(
      patch([{ at: "blocks.0.hook_mlp_out", positions: [T] }]),
      /29 of the positions .* 0 to 28/,
    );
    await told(patch([{ at: "blocks.7.hook_mlp_out" }]), /Cannot find the hook point/);
    const short = { ids: model.ids([1, 2, 3]) };
    await told(
      activationPatching(model, { ...pair, corrupted: short }, { metric, cells: [] }),
      /inputs of 3×29 and 1×3 tokens/,
    );
    await told(
      activationPatching(model, { ...pair, corrupted: pair.clean }, { metric, cells: [[]] }),
      /Cannot tell what a patch brings back/,
    );
    assert.throws(() => sweepOf(model, { part: "nowhere", time: T }), /wanted one of resid_pre, /);
  });
}
