/**
 * Completions as a task: prompts and padding count for nothing. With an adapter: recomputed blocks,
 * dropout and a run that goes on give the same numbers, and only the adapter is kept.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  adapted,
  addLora,
  completing,
  type CompletionBatch,
  completionBatch,
  createGptConfig,
  type EncodedExample,
  evaluate,
  Gpt,
  layerwiseRates,
  loadAdapter,
  type LoraAdapter,
  openDevice,
  openSafetensors,
  Run,
  train,
  Trainer,
  type TrainSettings,
} from "../../mod.ts";
import { assertClose } from "../compare.ts";
import { mulberry32 } from "./train_process.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [V, T] = [197, 29];
const config = createGptConfig(
  { vocabularySize: V, contextLength: T, channels: 24, layers: 2, heads: 2 },
);

/** An example of so many ids to read and to write. */
function example(seed: number, read: number, write: number): EncodedExample {
  const random = mulberry32(seed + 1);
  const ids = Array.from({ length: read + write }, () => Math.floor(V * random()));
  return {
    inputs: Uint32Array.from(ids.slice(0, -1)),
    targets: Int32Array.from(ids.slice(1), (id, i) => i + 1 < read ? -100 : id),
  };
}

const examples = [[3, 5], [1, 2], [11, 18], [20, 1], [7, 7]].map(([r, w], i) => example(i, r, w));
const padding = { padId: 5, limit: T };
const batchOf = (n: number): CompletionBatch =>
  completionBatch([0, 1, 2].map((i) => examples[(3 * n + i) % 5]), padding);

Deno.test("the loss is the mean over what is learnt, however the examples are padded", async () => {
  const task = completing(new Gpt(device, config));
  const alone: number[] = [];
  for (const e of examples) {
    // As long as it is, with no padding at all.
    const batch = completionBatch([e], { padId: 5, limit: 1 });
    assert.equal(batch.shape[1], e.inputs.length);
    alone.push((await evaluate(task, [batch])).loss);
  }
  const counts = [5, 2, 18, 1, 7];
  const expected = alone.reduce((sum, loss, i) => sum + loss * counts[i], 0) / 33;
  const together = await evaluate(task, [completionBatch(examples, padding)]);
  assert.equal(together.tokens, 33);
  assertClose([together.loss], [expected], { bound: 1e-6, label: "loss" });
  const other = await evaluate(task, [completionBatch(examples, { padId: 99, limit: T })]);
  assert.equal(other.loss, together.loss, "what fills up is not seen");
});

/** A, B and figures after some steps with an adapter. */
async function trained(
  options: { checkpointing?: boolean; dropout?: number; decay?: number } = {},
): Promise<{ weights: Float32Array[]; losses: number[] }> {
  const model = new Gpt(device, config);
  model.checkpointing = options.checkpointing ?? false;
  const { dropout } = options;
  const targets = ["c_attn", "mlp.c_proj"];
  const adapter = addLora(model, { rank: 3, targets, dropout, seed: 1 });
  const trainer = new Trainer(adapted(completing(model), adapter), {
    seed: 7,
    rateOf: options.decay === undefined
      ? undefined
      : layerwiseRates(model.parameters, options.decay),
  });
  for (let step = 0; step < 5; step++) trainer.step([batchOf(step)], 1e-2);
  const losses = (await trainer.figures()).map(({ loss }) => loss);
  return { weights: await device.read(...adapter.parameters) as Float32Array[], losses };
}

Deno.test("recomputed blocks give an adapter the same training, with dropout too", async () => {
  const plain = await trained();
  const dropped = await trained({ dropout: 0.3 });
  for (const [dropout, kept] of [[0, plain], [0.3, dropped]] as const) {
    const recomputed = await trained({ dropout, checkpointing: true });
    assertClose(recomputed.losses, kept.losses, { bound: 1e-6, label: "losses" });
    kept.weights.forEach((weights, i) => {
      assertClose(recomputed.weights[i], weights, { bound: 1e-4, label: `weight ${i}` });
    });
  }
  assert.notDeepEqual(dropped.losses, plain.losses, "dropout drops");
});

Deno.test("an adapter's layers learn at the rate of their block", async () => {
  const [plain, decayed] = [await trained(), await trained({ decay: 0.1 })];
  // B begins at zero, so its size after five steps is how far it went.
  const sizes = ({ weights }: typeof plain) => weights.map((w) => Math.hypot(...w));
  const ratios = sizes(decayed).map((size, i) => size / sizes(plain)[i]);
  // A and B of block 0, then of block 1, for c_attn; then the same of mlp.c_proj.
  for (const [block, b] of [[0, 1], [1, 3], [0, 5], [1, 7]]) {
    const wanted = block === 0 ? 0.01 : 0.1;
    assert.ok(Math.abs(ratios[b] / wanted - 1) < 0.5, `B ${b}: ${ratios[b]}, wanted ${wanted}`);
  }
});

Deno.test("a run with an adapter goes on where it was, and keeps no weight of the model", async () => {
  const directory = Deno.makeTempDirSync();
  const settings: TrainSettings = {
    steps: 6,
    learningRate: 1e-2,
    minimumLearningRate: 1e-3,
    warmupSteps: 1,
    schedule: "cosine",
    accumulation: 1,
    evaluateEvery: 2,
    saveEvery: 2,
    patience: 0,
    seed: 3,
  };
  const begin = (): { model: Gpt; adapter: LoraAdapter } => {
    const model = new Gpt(device, config);
    return { model, adapter: addLora(model, { rank: 3, targets: ["c_attn"], dropout: 0.1 }) };
  };
  const go = async (out: string, options: { stopAt?: number; resume?: boolean } = {}) => {
    const { model, adapter } = begin();
    const stop = new AbortController();
    await train(adapted(completing(model), adapter), settings, {
      batchAt: (n) => {
        if (n + 1 === options.stopAt) stop.abort();
        return batchOf(n);
      },
      directory: out,
      resume: options.resume,
      signal: stop.signal,
    });
    return await device.read(...adapter.parameters);
  };
  try {
    const [whole, halved] = ["whole", "halved"].map((name) => `${directory}/${name}`);
    Deno.mkdirSync(whole);
    Deno.mkdirSync(halved);
    const wanted = await go(whole);
    await go(halved, { stopAt: 3 });
    assert.deepEqual(await go(halved, { resume: true }), wanted);
    const files = [...Deno.readDirSync(halved)].map(({ name }) => name).toSorted();
    assert.deepEqual(files, [
      "adapter_config.json",
      "adapter_model.safetensors",
      "checkpoint.safetensors",
    ]);
    using checkpoint = openSafetensors(`${halved}/checkpoint.safetensors`);
    assert.equal(checkpoint.names.length, 3 * 4, "A and B of two layers, and two moments of each");
    assert.ok(checkpoint.names.every((name) => name.includes("lora_")));
    const model = new Gpt(device, config);
    const loaded = loadAdapter(model, halved);
    assert.deepEqual(await device.read(...loaded.parameters), wanted);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("an adapted model writes with its cache what it computes without", async () => {
  using _scope = device.scope();
  const model = new Gpt(device, config);
  const adapter = addLora(model, { rank: 4, targets: ["c_attn", "c_proj", "c_fc"], seed: 2 });
  for (const p of adapter.parameters) {
    device.write(p, Float32Array.from({ length: p.size }, (_, i) => Math.sin(i) / 5));
  }
  const ids = Array.from(examples[2].inputs);
  const whole = await model.forward(new Run(device), model.ids(ids)).read();
  const cache = model.cache(1);
  const stepwise: number[] = [];
  for (const id of ids) {
    const row = model.forward(new Run(device), model.ids([id]), { cache });
    stepwise.push(...await row.read());
  }
  assertClose(stepwise, whole, { bound: 1e-5, label: "logits" });
  const plain = await new Gpt(device, config).forward(new Run(device), model.ids(ids)).read();
  assert.notDeepEqual(plain, whole);
});
