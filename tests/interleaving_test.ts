/** Calls that run at once on one device give each what it gives alone. @module */

import assert from "node:assert/strict";
import {
  activationPatching,
  createGptConfig,
  type Device,
  evaluate,
  freshWeights,
  generate,
  generateSequences,
  Gpt,
  headScores,
  integratedGradients,
  languageModelling,
  logit,
  logitDifference,
  logitLens,
  openDevice,
  runWithCache,
  runWithGradients,
  runWithHooks,
  type Tensor,
  Trainer,
} from "../mod.ts";
import { mulberry32 } from "./training/train_process.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const [V, T] = [53, 24];
const config = createGptConfig({
  vocabularySize: V,
  contextLength: T,
  channels: 16,
  layers: 2,
  heads: 2,
});
const model = new Gpt(device, config, freshWeights(7));

/** Numbers of a seed, and pauses in which others run. */
interface Script {
  random: () => number;
  ids: (count: number) => Uint32Array<ArrayBuffer>;
  pause: () => Promise<unknown>;
}

function scriptOf(seed: number, paused: boolean): Script {
  const random = mulberry32(seed);
  // Pauses have numbers of their own, so that a call draws the same ones with and without.
  const waits = mulberry32(seed ^ 0x5bd1e995);
  return {
    random,
    ids: (count) => Uint32Array.from({ length: count }, () => Math.floor(V * random())),
    pause: () => {
      const kind = waits();
      if (!paused || kind < 0.2) return Promise.resolve();
      if (kind < 0.8) return new Promise((done) => setTimeout(done, 40 * (kind - 0.2)));
      return device.finish();
    },
  };
}

type Found = ArrayLike<number>[];
const rows = async (...tensors: Tensor[]): Promise<Found> => await device.read(...tensors);

/** What programs do with a device, each with its own way of holding memory. */
const calls: Record<string, (script: Script) => Promise<Found>> = {
  "a program with tensors of no scope": async ({ ids, pause }) => {
    const input = { ids: model.ids(ids(8)) };
    await pause();
    const logits = runWithHooks(model, input, { hooks: [] });
    await pause();
    const found = await rows(logits, input.ids);
    for (const { buffer } of [logits, input.ids]) device.pool.release(buffer);
    return found;
  },
  "a program with a detached scope": async ({ ids, pause }) => {
    using scope = device.detachedScope();
    const input = scope.run(() => ({ ids: model.ids(ids(11)) }));
    await pause();
    const { logits, cache } = scope.run(() => runWithCache(model, input));
    using _cache = cache;
    await pause();
    return [...await rows(logits), ...[...(await cache.read()).values()].map(({ data }) => data)];
  },
  "a program that holds its scope while it waits": async ({ ids, pause }) => {
    await pause();
    using scope = device.scope();
    const first = device.upload(ids(300));
    const before = await rows(first);
    await pause();
    const second = scope.run(() => device.upload(ids(300)));
    await pause();
    return [...before, ...await rows(first, second)];
  },
  "a program that spoils what is free": async ({ random, pause }) => {
    for (let i = 0; i < 4; i++) {
      await pause();
      using _scope = device.scope();
      for (let size = 64; size < 8192; size *= 2) {
        device.upload(new Float32Array(size + Math.floor(64 * random())).fill(NaN));
        device.upload(new Uint32Array(size).fill(0xffffffff));
      }
    }
    return [];
  },
  "a greedy generation": async ({ ids }) =>
    await generate(model, ids(5), { maxNewTokens: 12, temperature: 0, chunk: 4 }),
  "a generation of several sequences": async ({ ids, random }) => {
    const seed = Math.floor(1000 * random());
    const told: number[][] = [[], [], []];
    const made: Tensor[] = [];
    const written = await generate(model, ids(7), {
      maxNewTokens: 9,
      samples: 3,
      chunk: 2,
      seed,
      onTokens: (s, found) => {
        told[s].push(...found);
        made.push(device.upload(Float32Array.of(s, seed))); // belongs to the program
      },
    });
    const mine = await rows(...made);
    for (const { buffer } of made) device.pool.release(buffer);
    return [...written, ...told, Array.from(mine, (row) => row[0]).sort()];
  },
  "beams of two prompts": async ({ ids }) => {
    const found = await generateSequences(model, [ids(6), ids(3)], { maxNewTokens: 6, beams: 2 });
    return found.flat().flatMap((one) => [one.ids, [one.logProbability]]);
  },
  "training": async ({ ids, pause, random }) => {
    using own = new Gpt(device, config, freshWeights(Math.floor(99 * random())));
    using trainer = new Trainer(languageModelling(own, 8), { accumulation: 2, seed: 3 });
    const batch = () => ({ inputs: ids(16), targets: Int32Array.from(ids(16)) });
    const losses: number[] = [];
    for (let step = 0; step < 3; step++) {
      trainer.step([batch(), batch()], 1e-2);
      await pause();
      losses.push(...(await trainer.figures()).flatMap((f) => [f.loss, f.gradientNorm]));
    }
    return [losses, ...await rows(...own.parameters)];
  },
  "an evaluation": async ({ ids, pause }) => {
    await pause();
    const batches = Array.from(
      { length: 5 },
      () => ({ inputs: ids(16), targets: Int32Array.from(ids(16)) }),
    );
    const { loss, tokens } = await evaluate(languageModelling(model, 8), batches);
    return [[loss, tokens]];
  },
  "gradients at hook points": async ({ ids, pause }) => {
    using scope = device.detachedScope();
    const input = scope.run(() => ({ ids: model.ids(ids(6)) }));
    await pause();
    const { values, logits, cache, gradients } = await runWithGradients(model, input, {
      metric: logit(5),
      names: "blocks.*.hook_resid_post",
    });
    using _cache = cache;
    using _gradients = gradients;
    await pause();
    return [values, logits.data, ...[...(await gradients.read()).values()].map(({ data }) => data)];
  },
  "integrated gradients": async ({ ids }) => {
    using scope = device.detachedScope();
    const input = scope.run(() => ({ ids: model.ids(ids(5)) }));
    const options = { metric: logit(3), steps: 8, rows: 3 };
    const { scores, values, gaps } = await integratedGradients(model, input, options);
    return [...scores, values, gaps];
  },
  "a lens and heads": async ({ ids, pause }) => {
    using scope = device.detachedScope();
    const input = scope.run(() => ({ ids: model.ids(ids(9)) }));
    const lens = await logitLens(model, input, { top: 3 });
    await pause();
    const heads = await headScores(model, input);
    return [
      lens.flatMap(({ cells }) => cells.flatMap((c) => [c.klToFinal, c.top[0].probability])),
      heads.flatMap((head) => [head.induction, head.previousToken]),
    ];
  },
  "patching": async ({ ids }) => {
    using scope = device.detachedScope();
    const [clean, corrupted] = scope.run(() => [7, 7].map((n) => ({ ids: model.ids(ids(n)) })));
    const { each } = await activationPatching(model, { clean, corrupted }, {
      metric: logitDifference({ right: 5, wrong: 6 }),
      cells: [0, 1].map((head) => [{ at: "blocks.0.attn.hook_z", heads: [head] }]),
      rows: 4,
    });
    return each;
  },
};

/** Live memory, after all that was submitted has run. */
async function live(on: Device): Promise<number> {
  await on.finish();
  return on.pool.memory.liveBuffers;
}

Deno.test("two hundred calls at once give each what it gives alone, and leave nothing", async () => {
  const kinds = Object.entries(calls);
  const seeds = 4;
  const alone = new Map<string, Found>();
  const before = await live(device);
  for (const [name, call] of kinds) {
    for (let seed = 0; seed < seeds; seed++) {
      alone.set(`${name}, seed ${seed}`, await call(scriptOf(seed, false)));
    }
  }
  assert.equal(await live(device), before);
  const order = mulberry32(2026);
  let [finished, most, running] = [0, 0, 0];
  await Promise.all(Array.from({ length: 200 }, async (_, n) => {
    const [name, call] = kinds[n % kinds.length];
    const seed = Math.floor(seeds * order());
    // Some start in one stretch of code, the others when a timer says so.
    const start = 300 * order();
    if (start > 60) await new Promise((done) => setTimeout(done, start));
    most = Math.max(most, ++running);
    const found = await call(scriptOf(seed, true));
    running--;
    assert.deepEqual(found, alone.get(`${name}, seed ${seed}`), `${name}, seed ${seed}`);
    finished++;
  }));
  assert.equal(finished, 200);
  assert.ok(most >= 20, `at most ${most} calls ran at once: wanted 20`);
  assert.equal(await live(device), before);
});

Deno.test("figures that are read while steps go on belong to their steps", async () => {
  const { ids } = scriptOf(1, false);
  const batches = Array.from(
    { length: 3 },
    () => ({ inputs: ids(16), targets: Int32Array.from(ids(16)) }),
  );
  const figuresOf = async (atOnce: boolean): Promise<unknown> => {
    using own = new Gpt(device, config, freshWeights(3));
    using trainer = new Trainer(languageModelling(own, 8));
    trainer.step([batches[0]], 1e-2);
    let reading = trainer.figures();
    if (!atOnce) await reading;
    trainer.step([batches[1]], 1e-2);
    const found = [await reading];
    reading = trainer.figures();
    trainer.step([batches[2]], 1e-2);
    return [...found, await reading, await trainer.figures()];
  };
  const alone = await figuresOf(false) as { step: number }[][];
  assert.deepEqual(alone.map((some) => some.map(({ step }) => step)), [[1], [2], [3]]);
  assert.deepEqual(await figuresOf(true), alone);
});

Deno.test("steps beyond those whose figures there is room for are refused", async () => {
  using own = new Gpt(device, config, freshWeights(3));
  using trainer = new Trainer(languageModelling(own, 8));
  const batch = { inputs: new Uint32Array(8), targets: new Int32Array(8) };
  while (!trainer.full) trainer.step([batch], 1e-3);
  assert.throws(
    () => trainer.step([batch], 1e-3),
    /^VitrailError: Cannot make a step: the figures/,
  );
  assert.equal((await trainer.figures()).length, 32);
  trainer.step([batch], 1e-3);
});

Deno.test("two lists of calls that are noted at once have what ran during each", async () => {
  const { variants } = device;
  const run = (): void => {
    using _scope = device.scope();
    runWithHooks(model, { ids: model.ids([1, 2, 3]) }, { hooks: [] });
  };
  const [alone] = [await variants.note(run)];
  const [outer, inner] = await Promise.all([
    variants.note(async () => {
      run();
      await new Promise((done) => setTimeout(done, 20));
      run();
    }),
    variants.note(() => {}),
  ]);
  const keys = (noted: typeof outer): string[] => noted.map(({ key }) => key).sort();
  assert.ok(alone.length > 0);
  assert.deepEqual(keys(outer), keys(alone));
  assert.deepEqual(keys(inner), []);
  assert.ok(outer.every(({ key, count }) => count === 2 * alone.find((a) => a.key === key)!.count));
});
