/** A run keeps to the variants of kernels that it began with, whatever is measured later. @module */

import assert from "node:assert/strict";
import {
  createGptConfig,
  Gpt,
  languageModelling,
  openDevice,
  train,
  type TrainIO,
  type TrainSettings,
} from "../../mod.ts";
import { openSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import { CHECKPOINT_FILE, checkpointStep } from "../../src/training/checkpoint.ts";

const device = await openDevice();
const root = Deno.makeTempDirSync();
Deno.test.afterAll(() => {
  device.destroy();
  Deno.removeSync(root, { recursive: true });
});

const [V, T, B] = [53, 13, 3];
const SETTINGS: TrainSettings = {
  steps: 6,
  learningRate: 1e-2,
  minimumLearningRate: 1e-3,
  warmupSteps: 2,
  schedule: "cosine",
  accumulation: 1,
  evaluateEvery: 100,
  saveEvery: 3,
  patience: 0,
  seed: 29,
};
const batchAt = (n: number) => {
  const inputs = Uint32Array.from({ length: B * T }, (_, i) => (i * 7 + n) % V);
  return { inputs, targets: Int32Array.from(inputs, (id) => (3 * id + 1) % V) };
};

type Batch = ReturnType<typeof batchAt>;

/** Trains on in a directory as a process of its own would: with a model and a table of its own. */
async function start(
  directory: string,
  options: { steps?: number; tune?: TrainIO<Batch>["tune"]; interrupt?: boolean } = {},
): Promise<Record<string, string>> {
  const { steps = SETTINGS.steps, tune, interrupt } = options;
  const abort = new AbortController();
  Deno.mkdirSync(directory, { recursive: true });
  device.variants.use({});
  const size = { vocabularySize: V, contextLength: T, channels: 12, layers: 1, heads: 1 };
  const model = new Gpt(device, createGptConfig(size));
  const resume = checkpointStep(directory) !== undefined;
  await train(languageModelling(model, T), { ...SETTINGS, steps }, {
    batchAt,
    directory,
    resume,
    tune,
    signal: abort.signal,
    onSave: () => {
      if (interrupt) abort.abort();
    },
  });
  return device.variants.chosen;
}

/** Finds all products of a step, and has them computed by this variant. */
const tuneTo = (variant: string): TrainIO<Batch>["tune"] => async (rehearsal) => {
  const noted = await device.variants.note(rehearsal);
  // Forward, dX and dWeight of four layers and the logits; several are of one class.
  assert.ok(noted.length >= 8, `${noted.length}`);
  device.variants.use(Object.fromEntries(noted.map(({ key }) => [key, variant])));
};
const never: TrainIO<Batch>["tune"] = () => Promise.reject(new Error("tuned again"));
const bytes = (directory: string) => Deno.readFileSync(`${directory}/${CHECKPOINT_FILE}`);
const stateOf = (directory: string) => {
  using file = openSafetensors(`${directory}/${CHECKPOINT_FILE}`);
  return JSON.parse(file.metadata.state);
};

Deno.test("a resumed run keeps the variants of its checkpoint, and ends with the same bytes", async () => {
  // Products in two parts, where the shipped variant has them in one: other sums, other bytes.
  const chosen = await start(`${root}/whole`, { tune: tuneTo("texels-in-2") });
  await start(`${root}/plain`);
  const [whole, plain] = ["whole", "plain"].map((name) =>
    Deno.readFileSync(`${root}/${name}/model.safetensors`)
  );
  assert.notDeepEqual(whole, plain);
  assert.deepEqual(stateOf(`${root}/whole`).variants, {
    adapter: device.description,
    chosen,
  });
  const directory = `${root}/interrupted`;
  await start(directory, { tune: tuneTo("texels-in-2"), interrupt: true });
  assert.equal(checkpointStep(directory), 4);
  // Whatever would be measured by now.
  assert.deepEqual(await start(directory, { tune: never }), chosen);
  assert.deepEqual(bytes(directory), bytes(`${root}/whole`));
});

Deno.test("a rehearsal leaves no trace in what is trained", async () => {
  const rehearsed = await start(`${root}/rehearsed`, {
    tune: async (rehearsal) => void await device.variants.note(rehearsal),
  });
  assert.deepEqual(rehearsed, {});
  assert.deepEqual(bytes(`${root}/rehearsed`), bytes(`${root}/plain`));
  assert.equal(stateOf(`${root}/plain`).variants, undefined);
});

Deno.test("a run that began untuned stays so; on another adapter it is tuned anew", async () => {
  const directory = `${root}/moved`;
  await start(directory);
  assert.deepEqual(await start(directory, { tune: never }), {});
  const state = { ...stateOf(directory), variants: { adapter: "another", chosen: { a: "b" } } };
  {
    using file = openSafetensors(`${directory}/${CHECKPOINT_FILE}`);
    const tensors = file.names.map((name) => ({
      name,
      shape: file.info(name).shape,
      dtype: "F32" as const,
      data: file.read(name) as Float32Array<ArrayBuffer>,
    }));
    await writeSafetensors(`${directory}/${CHECKPOINT_FILE}`, tensors, {
      metadata: { state: JSON.stringify(state) },
    });
  }
  const chosen = await start(directory, { steps: 9, tune: tuneTo("texels-in-2") });
  assert.ok(Object.keys(chosen).length >= 8 && !("a" in chosen));
  assert.equal(stateOf(directory).variants.adapter, device.description);
});
