/**
 * What a step is said to take, beside what it takes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createBertConfig } from "../../src/formats/bert_config.ts";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import { type Device, openDevice } from "../../src/gpu/device.ts";
import { Bert } from "../../src/models/bert.ts";
import { Gpt } from "../../src/models/gpt.ts";
import type { WeightSource } from "../../src/models/weights.ts";
import { record } from "../../src/profiling/record.ts";
import { ghostWeights, largestBatch, planStep } from "../../src/profiling/step_plan.ts";
import { workOf } from "../../src/kernels/work.ts";
import { bertPretraining } from "../../src/training/bert_pretraining.ts";
import { train } from "../../src/training/loop.ts";
import { type Batch, languageModelling, type Task } from "../../src/training/task.ts";
import { Trainer } from "../../src/training/trainer.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

interface Sizes {
  layers: number;
  heads: number;
  channels: number;
  time: number;
  batch: number;
  vocabulary: number;
  checkpointing?: boolean;
  logitBytes?: number;
}

const gpt = (sizes: Sizes) => (on: Device, batch: number, source?: WeightSource) => {
  const { layers, heads, channels, time, vocabulary, checkpointing = false, logitBytes } = sizes;
  const size = { vocabularySize: vocabulary, contextLength: time, channels, layers, heads };
  const model = new Gpt(on, createGptConfig(size), source);
  model.checkpointing = checkpointing;
  if (logitBytes) model.logitBytes = logitBytes;
  const places = batch * time;
  return {
    task: languageModelling(model, time),
    batch: {
      inputs: Uint32Array.from({ length: places }, (_, i) => i * 31 % vocabulary),
      targets: Int32Array.from({ length: places }, (_, i) => i * 17 % vocabulary),
    },
  };
};

const bert = (sizes: Sizes) => (on: Device, batch: number, source?: WeightSource) => {
  const { layers, heads, channels, time, vocabulary } = sizes;
  const size = { vocabularySize: vocabulary, contextLength: time, channels, layers, heads };
  const model = new Bert(on, createBertConfig(size), { source });
  const places = batch * time;
  return {
    task: bertPretraining(model),
    batch: {
      shape: [batch, time],
      ids: Uint32Array.from({ length: places }, (_, i) => i * 31 % vocabulary),
      segments: new Uint32Array(places),
      tokens: Int32Array.from({ length: places }, (_, i) => i % 7 === 0 ? i % vocabulary : -100),
      follows: Int32Array.from({ length: batch }, (_, b) => b % 2),
    },
  };
};

const ODD = { layers: 2, heads: 3, channels: 36, time: 29, batch: 3, vocabulary: 197 };
type Make = (on: Device, batch: number, source?: WeightSource) => {
  task: Task<unknown>;
  batch: unknown;
};
const STEPS: Record<string, { make: unknown; sizes: Sizes; accumulation?: number }> = {
  "a GPT": { make: gpt(ODD), sizes: ODD },
  "one with --checkpointing": { make: gpt({ ...ODD, checkpointing: true }), sizes: ODD },
  "a wider one, its logits in chunks, two micro-steps": {
    make: gpt({ ...ODD, channels: 60, batch: 7, logitBytes: 1 }),
    sizes: { ...ODD, batch: 7 },
    accumulation: 2,
  },
  "a BERT": { make: bert(ODD), sizes: ODD },
};

for (const [name, { make, sizes, accumulation = 1 }] of Object.entries(STEPS)) {
  Deno.test(`the plan of a step is what it takes, to the byte: ${name}`, async () => {
    // Another Device over the same adapter has a pool of its own, which begins empty.
    const own = await openDevice();
    try {
      const build = make as Make;
      const { task, batch } = build(own, sizes.batch);
      const trainer = new Trainer(task, { accumulation });
      const step = () => trainer.step(new Array(accumulation).fill(batch), 1e-3);
      for (let i = 0; i < 2; i++) step();
      const { events } = await record(own, step, { replay: false });
      assert.ok((await trainer.figures()).every(({ loss }) => loss > 0), "the steps were run");
      const { peakBytes, reservedBytes, peakByKind } = own.pool.memory;
      const textures = own.textures.bytes;

      const onGhost = (on: Device, n: number) => build(on, n, ghostWeights);
      const plan = await planStep(device, onGhost, { batch: sizes.batch, accumulation });
      assert.equal(plan.memory.total, peakBytes + textures);
      assert.equal(plan.reserved, reservedBytes + textures);
      const { "scratch textures": scratch, total, ...byKind } = plan.memory;
      assert.equal(scratch, textures);
      assert.equal(Object.values(byKind).reduce((a, b) => a + b) + scratch, total);
      for (const kind of Object.keys(peakByKind) as (keyof typeof byKind)[]) {
        assert.equal(byKind[kind], peakByKind[kind], kind);
        if (kind !== "logits") assert.ok(byKind[kind] > 0, kind);
      }
      const flops = events.map((event) => workOf(event.name, event)!.flops);
      assert.equal(plan.flops, flops.reduce((a, b) => a + b));
      assert.equal(plan.dispatches, events.filter(({ kernel }) => kernel).length);
      assert.equal(plan.parameters, task.parameters.reduce((sum, p) => sum + p.size, 0));
    } finally {
      own.destroy();
    }
  });
}

Deno.test("a run with its evaluations stays within a tenth of the plan", async () => {
  const own = await openDevice();
  try {
    const { task, batch } = gpt(ODD)(own, ODD.batch);
    await train<Batch>(task, {
      steps: 4,
      learningRate: 1e-3,
      minimumLearningRate: 1e-4,
      warmupSteps: 1,
      schedule: "cosine",
      accumulation: 1,
      evaluateEvery: 2,
      saveEvery: 4,
      patience: 0,
      seed: 0,
    }, { batchAt: () => batch, validation: () => [batch, batch] });
    const used = own.pool.memory.peakBytes + own.textures.bytes;
    const onGhost = (on: Device, n: number) => gpt(ODD)(on, n, ghostWeights);
    const { memory: { total } } = await planStep(device, onGhost, { batch: ODD.batch });
    assert.ok(Math.abs(total / used - 1) < 0.1, `${total} bytes planned, ${used} used`);
  } finally {
    own.destroy();
  }
});

Deno.test("weights and gradients are counted from the parameters, AdamW's state twice as much", async () => {
  const onGhost = (on: Device, n: number) => gpt(ODD)(on, n, ghostWeights);
  const { memory, parameters } = await planStep(device, onGhost, { batch: 1 });
  // Each parameter begins at a multiple of 256 bytes.
  const least = 4 * parameters;
  const [{ weights, gradients }, state] = [memory, memory["optimizer state"]];
  assert.ok(weights >= least && weights < least + 256 * 40, `${weights} bytes for ${parameters}`);
  assert.equal(gradients, weights);
  assert.ok(state >= 2 * weights && state < 2.2 * weights);
});

Deno.test("the largest batch stops at the adapter's limits, or at the memory that is given", async () => {
  const onGhost = (on: Device, n: number) => gpt(ODD)(on, n, ghostWeights);
  const small = { maxStorageBufferBindingSize: 1 << 20, maxBufferSize: 1 << 20 };
  const {
    maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupsPerDimension,
    maxTextureDimension2D,
  } = device.raw.limits;
  const limits = {
    maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupsPerDimension,
    maxTextureDimension2D,
    ...small,
  };
  const narrow = { raw: { limits }, description: device.description } as unknown as Device;
  const found = await largestBatch(narrow, onGhost, {});
  // The widest activation is the hidden layer of the MLP: logits go in chunks where they do not fit.
  const widest = ODD.time * 4 * ODD.channels * 4;
  assert.equal(found.batch, Math.floor(small.maxBufferSize / widest));
  assert.match(found.reason, /maxStorageBufferBindingSize is 1048576/);

  // What does not fit is planned all the same.
  const wide = await planStep(narrow, onGhost, { batch: 1000 });
  assert.match(wide.obstacle!, /Cannot allocate a buffer of .* bytes/);
  assert.ok(wide.memory.total > 1000 * widest);

  const three = await planStep(device, onGhost, { batch: 3 });
  const limited = await largestBatch(device, onGhost, { memory: three.reserved });
  assert.ok(limited.batch >= 3 && limited.plan!.reserved <= three.reserved);
  assert.ok(
    (await planStep(device, onGhost, { batch: limited.batch + 1 })).reserved > three.reserved,
  );
  const none = await largestBatch(device, onGhost, { memory: 1000 });
  assert.equal(none.batch, 0);
  assert.equal(none.plan, undefined);
});
