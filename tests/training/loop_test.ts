/** The loop: when it evaluates, saves and stops, and what a resumed run repeats. @module */

import assert from "node:assert/strict";
import {
  type Batch,
  createGptConfig,
  type Evaluation,
  Gpt,
  languageModelling,
  loadGpt,
  openDevice,
  Run,
  train,
  type TrainIO,
  type TrainSettings,
} from "../../mod.ts";
import { mulberry32 } from "./train_process.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [V, T, B] = [53, 13, 3];
const SETTINGS: TrainSettings = {
  steps: 12,
  learningRate: 1e-2,
  minimumLearningRate: 1e-3,
  warmupSteps: 2,
  schedule: "cosine",
  accumulation: 2,
  evaluateEvery: 5,
  saveEvery: 4,
  patience: 0,
  seed: 29,
};

const fresh = (): Gpt =>
  new Gpt(
    device,
    createGptConfig(
      { vocabularySize: V, contextLength: T, channels: 12, layers: 1, heads: 1 },
      { residualDropout: 0.1, attentionDropout: 0.1, embeddingDropout: 0.1 },
    ),
  );

/** Ids in which each follows from the one before, so that there is something to learn. */
function batchAt(index: number) {
  const random = mulberry32(index + 1);
  const inputs = new Uint32Array(B * T);
  const targets = new Int32Array(B * T);
  for (let i = 0; i < inputs.length; i++) {
    inputs[i] = i % T === 0 ? Math.floor(V * random()) : targets[i - 1];
    targets[i] = (3 * inputs[i] + 1) % V;
  }
  return { inputs, targets };
}

/** Batches of held-out text, the last one with targets that count for nothing. */
function held() {
  const batches = [batchAt(1000), batchAt(1001)];
  batches[1].targets.fill(-100, T);
  return batches;
}

/** Runs the loop and keeps what it told. */
async function run(model: Gpt, settings: Partial<TrainSettings>, io: Partial<TrainIO<Batch>> = {}) {
  const told = {
    steps: [] as number[],
    rates: [] as number[],
    losses: [] as number[],
    evaluations: [] as [number, Evaluation][],
    saved: [] as number[],
    began: -1,
  };
  const result = await train(languageModelling(model, T), { ...SETTINGS, ...settings }, {
    batchAt,
    validation: held,
    onStart: ({ step }) => told.began = step,
    onSteps: (figures, seconds) => {
      assert.ok(seconds > 0);
      for (const { step, learningRate, loss } of figures) {
        told.steps.push(step);
        told.rates.push(learningRate);
        told.losses.push(loss);
      }
    },
    onEvaluation: (step, found) => void told.evaluations.push([step, found]),
    onSave: (step) => {
      // What belongs to a checkpoint was told before it.
      assert.equal(told.steps.at(-1), step);
      told.saved.push(step);
    },
    ...io,
  });
  return { ...told, result };
}

const weights = async (model: Gpt): Promise<Float32Array[]> =>
  await device.read(...model.parameters) as Float32Array[];

async function inDirectory(check: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync();
  try {
    await check(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("steps, evaluations and checkpoints come when they should, the last step has both", async () => {
  await inDirectory(async (directory) => {
    const told = await run(fresh(), { steps: 43, saveEvery: 40, evaluateEvery: 41 }, { directory });
    assert.deepEqual(told.steps, Array.from({ length: 43 }, (_, i) => i + 1));
    assert.deepEqual(told.evaluations.map(([step]) => step), [41, 43]);
    assert.deepEqual(told.saved, [40, 43]);
    assert.deepEqual(told.result, {
      step: 43,
      reason: "finished",
      bestLoss: Math.min(...told.evaluations.map(([, { loss }]) => loss)),
    });
    assert.ok(told.losses[42] < told.losses[0] - 0.5, "it learns");
    const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-12, `${a}, wanted ${b}`);
    near(told.rates[0], 1e-2 / 3);
    near(told.rates[2], 1e-2);
  });
});

Deno.test("an evaluation is the mean over the targets that count, without dropout", async () => {
  const model = fresh();
  const { evaluations } = await run(model, { steps: 5 });
  let [sum, count] = [0, 0];
  for (const { inputs, targets } of held()) {
    const logits = await model.forward(new Run(device), model.ids(inputs, [B, T])).read();
    targets.forEach((target, row) => {
      if (target < 0) return;
      const values = Array.from(logits.subarray(row * V, (row + 1) * V));
      const top = Math.max(...values);
      const total = values.reduce((all, x) => all + Math.exp(x - top), 0);
      sum += Math.log(total) + top - values[target];
      count++;
    });
  }
  const [[step, found]] = evaluations;
  assert.equal(step, 5);
  assert.equal(found.tokens, count);
  assert.ok(Math.abs(found.loss - sum / count) < 1e-5 * found.loss, `${found.loss}`);
  assert.equal(found.perplexity, Math.exp(found.loss));
});

Deno.test("a resumed run has the weights of an uninterrupted one, wherever it was asked to end", async () => {
  const whole = fresh();
  const wanted = await run(whole, {});
  for (const end of [1, 4, 7, 10]) {
    await inDirectory(async (directory) => {
      const abort = new AbortController();
      const count = (n: number) => {
        if (n === 2 * end - 1) abort.abort();
        return batchAt(n);
      };
      const first = await run(fresh(), {}, { directory, signal: abort.signal, batchAt: count });
      assert.deepEqual([first.result.reason, first.result.step], ["interrupted", end]);
      const model = loadGpt(device, directory);
      const second = await run(model, {}, { directory, resume: true });
      assert.equal(second.began, end);
      assert.deepEqual([...first.steps, ...second.steps], wanted.steps);
      assert.deepEqual([...first.losses, ...second.losses], wanted.losses);
      assert.deepEqual([...first.evaluations, ...second.evaluations], wanted.evaluations);
      assert.deepEqual(second.result, wanted.result);
      assert.deepEqual(await weights(model), await weights(whole));
    });
  }
});

Deno.test("early stopping leaves the best weights, and stops again when it is resumed", async () => {
  await inDirectory(async (directory) => {
    const best: { loss: number; weights: Float32Array[] }[] = [];
    const model = fresh();
    // From step 10 on the text is another one: the held-out loss gets worse and stays so.
    const settings = { steps: 40, evaluateEvery: 3, patience: 2, saveEvery: 100 };
    const bad = (n: number) => {
      const batch = batchAt(n);
      if (n >= 18) batch.targets.fill(1);
      return batch;
    };
    const told = await run(model, settings, {
      directory,
      batchAt: bad,
      onEvaluation: async (step, { loss }) => {
        if (loss < Math.min(...best.map((b) => b.loss))) {
          best.push({ loss, weights: await weights(model) });
        }
        assert.ok(step <= 40);
      },
    });
    assert.equal(told.result.reason, "no improvement");
    assert.ok(told.result.step < 40 && told.result.step % 3 === 0, `${told.result.step}`);
    assert.equal(told.result.bestLoss, best.at(-1)!.loss);
    assert.deepEqual(told.saved, [told.result.step]);
    assert.deepEqual(await weights(loadGpt(device, directory)), best.at(-1)!.weights);
    assert.notDeepEqual(await weights(model), best.at(-1)!.weights);
    const again = await run(loadGpt(device, directory), settings, { directory, resume: true });
    assert.deepEqual(again.result, told.result);
    assert.deepEqual(again.steps, []);
    // With more patience it goes on.
    const patient = { ...settings, patience: 3 };
    const more = await run(loadGpt(device, directory), patient, {
      directory,
      resume: true,
      batchAt: bad,
    });
    assert.equal(more.result.step, told.result.step + 3);
  });
});

Deno.test("a number that onEvaluation returns decides in place of the loss, across a resume too", async () => {
  await inDirectory(async (directory) => {
    const model = fresh();
    // The loss falls all the while; by these numbers the second evaluation is the best.
    const scores = [0.2, 0.7, 0.7, 0.4, 0.9];
    const told: number[] = [];
    let best: Float32Array[] = [];
    const score = (from: Gpt) => async () => {
      const found = scores[told.length];
      told.push(found);
      if (told.length === 2) best = await weights(from);
      return found;
    };
    const settings = { steps: 15, evaluateEvery: 3, saveEvery: 100, patience: 3 };
    const abort = new AbortController();
    const first = await run(model, settings, {
      directory,
      onEvaluation: score(model),
      signal: abort.signal,
      onSteps: (figures) => void (figures.at(-1)!.step >= 9 && abort.abort()),
      onSave: undefined,
    });
    assert.deepEqual([first.result.reason, first.result.step], ["interrupted", 9]);
    assert.equal(first.result.bestScore, 0.7);
    assert.deepEqual(await weights(loadGpt(device, directory)), best);
    const resumed = loadGpt(device, directory);
    const io = { directory, resume: true, onEvaluation: score(resumed) };
    const second = await run(resumed, { ...settings, patience: 1 }, io);
    // An evaluation without improvement was counted before: it ends at once.
    assert.deepEqual([second.result.reason, second.result.step], ["no improvement", 9]);
    const third = await run(resumed, { ...settings, patience: 2 }, io);
    assert.deepEqual([third.result.reason, third.result.step], ["no improvement", 12]);
    assert.equal(third.result.bestScore, 0.7);
    const last = await run(resumed, settings, io);
    assert.deepEqual([last.result.reason, last.result.bestScore], ["finished", 0.9]);
    assert.notDeepEqual(await weights(loadGpt(device, directory)), best);
    assert.deepEqual(told, scores);
  });
});

Deno.test("weights whose loss is not finite are never saved, at no step and not at the end", async () => {
  await inDirectory(async (directory) => {
    await run(fresh(), { steps: 4 }, { directory });
    const good = Deno.readFileSync(`${directory}/checkpoint.safetensors`);
    const model = Deno.readFileSync(`${directory}/model.safetensors`);
    for (const steps of [5, 8]) {
      for (const validation of [held, undefined]) {
        await assert.rejects(
          run(loadGpt(device, directory), { steps, saveEvery: 1, learningRate: 1e30 }, {
            directory,
            validation,
            resume: true,
          }),
          steps === 5
            ? /VitrailError: Training stopped at step 5: its update made weights whose loss is not/
            : /VitrailError: Training stopped at step 6: the gradient of transformer\.\S+ is not fin/,
        );
        assert.deepEqual(Deno.readFileSync(`${directory}/checkpoint.safetensors`), good);
        assert.deepEqual(Deno.readFileSync(`${directory}/model.safetensors`), model);
      }
    }
  });
});
