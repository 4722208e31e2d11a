/**
 * Training in f16: as good as in f32, to the byte again when resumed, and said when it cannot be.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { type Device, openDevice } from "../../src/gpu/device.ts";
import { Gpt } from "../../src/models/gpt.ts";
import { train, type TrainSettings } from "../../src/training/loop.ts";
import { describeSkip } from "../../src/training/precision.ts";
import { readMetrics } from "../../src/training/metrics.ts";
import { RunLog } from "../../src/training/run_log.ts";
import { type Batch, languageModelling, type Task } from "../../src/training/task.ts";
import { Trainer, type TrainerOptions } from "../../src/training/trainer.ts";
import { relativeError } from "../compare.ts";
import { mulberry32 } from "./train_process.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [V, T, B] = [197, 29, 3];

function makeModel(on: Device = device, dropout = 0): Gpt {
  const sizes = { vocabularySize: V, contextLength: T, channels: 36, layers: 2, heads: 3 };
  return new Gpt(
    on,
    createGptConfig(sizes, {
      embeddingDropout: dropout,
      attentionDropout: dropout,
      residualDropout: dropout,
    }),
  );
}

/** Sequences of random ids, and targets of which some do not count. */
function batch(seed: number): Batch {
  const random = mulberry32(seed + 1);
  const ids = Array.from({ length: B * T }, () => Math.floor(V * random()));
  return {
    inputs: Uint32Array.from(ids),
    targets: Int32Array.from(ids, (id, i) => (i % T) % 7 === 3 ? -100 : (id * 31 + 5) % V),
  };
}

/** Some steps of one model. */
async function trained(
  options: TrainerOptions & { checkpointing?: boolean; dropout?: number; on?: Device },
) {
  const { checkpointing = false, dropout = 0, on = device, ...rest } = options;
  const model = makeModel(on, dropout);
  model.checkpointing = checkpointing;
  const trainer = new Trainer(languageModelling(model, T), rest);
  for (let step = 0; step < 7; step++) trainer.step([batch(step)], 3e-3);
  const figures = await trainer.figures();
  return { trainer, figures, weights: await on.read(...model.parameters) as Float32Array[] };
}

Deno.test("f16: losses, norms and what is learnt are those of f32 to three digits", async () => {
  const [half, whole] = [await trained({ precision: "f16" }), await trained({})];
  assert.equal(half.trainer.precision, "f16");
  const of = (key: "loss" | "gradientNorm", { figures }: typeof half) => figures.map((f) => f[key]);
  assert.ok(relativeError(of("loss", half), of("loss", whole)) < 2 ** -11);
  assert.ok(relativeError(of("gradientNorm", half), of("gradientNorm", whole)) < 2 ** -9);
  assert.notDeepEqual(half.figures, whole.figures);
  // AdamW makes as large a step of a small gradient as of a large one: what learnt nothing is noise.
  const fresh = await device.read(...makeModel().parameters) as Float32Array[];
  const learnt = (weights: Float32Array[]) =>
    weights.flatMap((w, i) => Array.from(w, (v, j) => v - fresh[i][j]));
  const apart = relativeError(learnt(half.weights), learnt(whole.weights));
  assert.ok(apart > 0 && apart < 0.05, `${apart}`);
});

Deno.test("f16: recomputing blocks in the backward pass changes no bit, with dropout too", async () => {
  const plain = await trained({ precision: "f16", dropout: 0.2, seed: 29 });
  const again = await trained({ precision: "f16", dropout: 0.2, seed: 29, checkpointing: true });
  assert.deepEqual(again.figures, plain.figures);
  assert.deepEqual(again.weights, plain.weights);
});

Deno.test("f16: a gradient that overflows skips its step, halves the scale and says so; good steps double it", async () => {
  const model = makeModel();
  const options = { precision: "f16", lossScale: 2 ** 24, lossScaleGrowth: 3 } as const;
  const trainer = new Trainer(languageModelling(model, T), options);
  const before = await device.read(...model.parameters);
  const { v } = trainer.optimizer.moments[0];
  trainer.step([batch(0)], 1e-3);
  const [first] = await trainer.figures();
  assert.equal(first.skipped, true);
  assert.ok(Number.isFinite(first.loss) && !Number.isFinite(first.gradientNorm));
  assert.deepEqual([first.lossScale, first.skippedSteps], [2 ** 24, 1]);
  assert.deepEqual(await device.read(...model.parameters), before);
  assert.ok((await v.read()).every((moment) => moment === 0));
  assert.equal(
    describeSkip(first),
    "step 1 skipped: a gradient overflowed f16 at loss scale 16777216, which is 8388608 from now on",
  );
  for (let step = 1; step < 20; step++) trainer.step([batch(step)], 1e-3);
  const figures = [first, ...await trainer.figures()];
  let [scale, good, skipped] = [2 ** 24, 0, 0];
  for (const figure of figures) {
    assert.equal(figure.lossScale, scale, `step ${figure.step}`);
    if (figure.skipped) skipped++;
    assert.equal(figure.skippedSteps, skipped);
    good = figure.skipped ? 0 : good + 1;
    if (figure.skipped) scale /= 2;
    else if (good === 3) [scale, good] = [2 * scale, 0];
  }
  // It grew until it was too much again.
  assert.ok(skipped > 2 && skipped < 15, `${skipped} of 20 steps were skipped`);
  assert.notDeepEqual(await device.read(...model.parameters), before);

  // What a run's files say of it.
  const directory = Deno.makeTempDirSync();
  try {
    using log = new RunLog(directory, { title: "f16", config: {}, tokensPerStep: B * T });
    log.begin(0);
    log.steps(figures.map((f) => ({ ...f, learningRate: 1e-3 })), 1);
    const records = readMetrics(`${directory}/metrics.jsonl`);
    assert.deepEqual(Object.keys(records[0]), [
      "step",
      "loss",
      "learningRate",
      "lossScale",
      "skippedSteps",
    ]);
    assert.equal(records.at(-1)!.skippedSteps, skipped);
    const kept = figures.findIndex((f) => !f.skipped);
    assert.equal(records[kept].gradientNorm, figures[kept].gradientNorm);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("f16: a run stops where no smaller scale would help", async () => {
  const model = makeModel();
  const task = languageModelling(model, T);
  // Its loss is multiplied by more than f16 holds, whatever the scale.
  const spoilt: Task<Batch> = {
    ...task,
    loss: (run, b, [scale]) => task.loss(run, b, [2 ** 24 * scale]),
  };
  const options = { precision: "f16", lossScale: 4 } as const;
  const trainer = new Trainer(spoilt, options);
  for (let step = 0; step < 4; step++) trainer.step([batch(step)], 1e-3);
  const figures = await trainer.figures();
  assert.deepEqual(figures.map(({ lossScale, skipped }) => [lossScale, skipped]), [[4, true], [
    2,
    true,
  ]]);
  await assert.rejects(trainer.figures(), {
    name: "VitrailError",
    message:
      /^Training stopped at step 3: the gradient of transformer\S+ is not finite \(loss 5\.\d+, gradient norm (NaN|Infinity)\); lower the learning rate, or resume from the last checkpoint in f32: f16 ends at 65504$/,
  });
  // A loss that is not finite is nothing that a smaller scale would mend.
  const dead = new Trainer(languageModelling(model, T), { precision: "f16" });
  const bias = model.parameters.find((p) => p.name === "transformer.h.1.mlp.c_fc.bias")!;
  device.write(bias, new Float32Array(bias.size).fill(1e5));
  dead.step([batch(0)], 1e-3);
  await assert.rejects(dead.figures(), {
    message: /^Training stopped at step 1: .*f16 ends at 65504$/,
  });
});

Deno.test("f16: a run that is interrupted and resumed ends with the same bytes, its scale included", async () => {
  const root = Deno.makeTempDirSync();
  const settings: TrainSettings = {
    precision: "f16",
    // The first steps are skipped, and there is a half-grown scale to go on with.
    lossScale: 2 ** 24,
    lossScaleGrowth: 3,
    steps: 8,
    learningRate: 3e-3,
    minimumLearningRate: 3e-4,
    warmupSteps: 2,
    schedule: "cosine",
    accumulation: 2,
    evaluateEvery: 5,
    saveEvery: 5,
    patience: 0,
    seed: 29,
  };
  const go = (directory: string, more: { resume?: boolean; signal?: AbortSignal } = {}) =>
    train(languageModelling(makeModel(device, 0.1), T), settings, {
      batchAt: batch,
      directory,
      ...more,
    });
  try {
    for (const name of ["whole", "cut"]) Deno.mkdirSync(`${root}/${name}`);
    await go(`${root}/whole`);
    const abort = new AbortController();
    abort.abort();
    const { step, reason } = await go(`${root}/cut`, { signal: abort.signal });
    assert.deepEqual([step, reason], [1, "interrupted"]);
    assert.equal((await go(`${root}/cut`, { resume: true })).step, 8);
    for (const name of ["model.safetensors", "checkpoint.safetensors"]) {
      const [a, b] = ["whole", "cut"].map((d) => Deno.readFileSync(`${root}/${d}/${name}`));
      assert.ok(a.length === b.length && a.every((x, i) => x === b[i]), `${name} differs`);
    }
    using file = openSafetensors(`${root}/whole/checkpoint.safetensors`);
    const [scale, , skipped] = file.read("optimizer.loss_scale");
    assert.ok(skipped > 0 && scale < 2 ** 24, `scale ${scale}, ${skipped} skipped`);
    // Weights are f32 on the disk, with all their bits.
    const weight = file.read("transformer.h.0.mlp.c_fc.weight");
    assert.ok(weight.some((v) => v !== Math.f16round(v)));
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});

Deno.test("where the adapter has no f16 a run says so and computes in f32, to the byte", async () => {
  const gpu = {
    async requestAdapter() {
      const adapter = (await navigator.gpu.requestAdapter())!;
      const features = new Set([...adapter.features].filter((name) => name !== "shader-f16"));
      return {
        features,
        limits: adapter.limits,
        info: adapter.info,
        requestDevice: (wanted: GPUDeviceDescriptor) => adapter.requestDevice(wanted),
      };
    },
  } as unknown as GPU;
  const without = await openDevice({ gpu });
  try {
    assert.deepEqual([device.hasF16, without.hasF16], [true, false]);
    const found = await trained({ precision: "f16", on: without });
    assert.equal(found.trainer.precision, "f32");
    const notice = `Training in f32: ${without.description} has no f16 ` +
      "(the feature shader-f16), which --precision f16 asks for";
    assert.equal(found.trainer.notice, notice);
    const { figures, weights } = await trained({});
    assert.deepEqual(found.figures, figures);
    assert.deepEqual(found.weights, weights);
    // Whoever runs it is told.
    const told: string[] = [];
    const settings: TrainSettings = {
      precision: "f16",
      steps: 1,
      learningRate: 1e-3,
      minimumLearningRate: 1e-3,
      warmupSteps: 0,
      schedule: "constant",
      accumulation: 1,
      evaluateEvery: 1,
      saveEvery: 1,
      patience: 0,
      seed: 0,
    };
    await train(languageModelling(makeModel(without), T), settings, {
      batchAt: batch,
      onNotice: (text) => told.push(text),
    });
    assert.deepEqual(told, [notice]);
  } finally {
    without.destroy();
  }
});
