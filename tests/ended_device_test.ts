/** After a device was destroyed or lost, every call says so in our words, and no save leaves half. @module */

import assert from "node:assert/strict";
import {
  ablate,
  adapted as adaptedTask,
  addLora,
  attachProfiler,
  Bert,
  createBertConfig,
  createGptConfig,
  Device,
  evaluate,
  generate,
  Gpt,
  GptClassifier,
  headScores,
  integratedGradients,
  Kernel,
  languageModelling,
  loadGpt,
  logit,
  logitLens,
  measureRoof,
  openDevice,
  profileKernels,
  quantizeGpt,
  runWithCache,
  runWithGradients,
  runWithHooks,
  saveAdapter,
  saveBert,
  saveCheckpoint,
  saveGpt,
  saveGptClassifier,
  train,
  Trainer,
  trainInductionModel,
  VitrailError,
} from "../mod.ts";
import { ghostOf } from "../src/gpu/ghost.ts";

const size = { vocabularySize: 50, contextLength: 16, channels: 8, layers: 2, heads: 2 };
const config = createGptConfig(size);

/** Calls of every kind on what lived on a device, and what gives it back. */
async function usesOf(device: Device, directory: string) {
  const model = new Gpt(device, config);
  const bert = new Bert(device, createBertConfig(size));
  const labels = { labels: ["a", "b"], labelKind: "single" as const };
  const classifier = new GptClassifier(device, config, labels);
  const adapted = new Gpt(device, config);
  const adapter = addLora(adapted, { targets: ["c_attn"], rank: 2 });
  const small = await quantizeGpt(model, { weights: "int8", group: 32 });
  const trainer = new Trainer(languageModelling(model, 4));
  const batch = { inputs: new Uint32Array(8), targets: new Int32Array(8) };
  trainer.step([batch], 1e-3);
  const decoder = model.decoder({ batch: 1, capacity: 8 });
  const input = { ids: model.ids([1, 2, 3]) };
  const { cache, logits } = runWithCache(model, input);
  const [x, one] = [device.zeros([128]), device.zeros([1, 1], "u32")];
  const later = device.readLater(x);
  const state = { step: 1, bestLoss: null, evaluationsSinceBest: 0 };
  for (const part of ["gpt", "bert", "classifier", "adapter", "int8"]) {
    Deno.mkdirSync(`${directory}/${part}`);
  }
  const saves = {
    saveGpt: () => saveGpt(model, `${directory}/gpt`),
    saveBert: () => saveBert(bert, `${directory}/bert`),
    saveGptClassifier: () => saveGptClassifier(classifier, `${directory}/classifier`),
    saveAdapter: () => saveAdapter(adapter, `${directory}/adapter`),
    "the save of an adapted task": () =>
      adaptedTask(languageModelling(model, 4), adapter, {
        describe: (to) => Deno.writeTextFileSync(`${to}/config.json`, `${device.isOpen}`),
      }).save(`${directory}/adapter`),
    "saveGpt, quantized": () => saveGpt(small, `${directory}/int8`),
    saveCheckpoint: () => saveCheckpoint(trainer, `${directory}/gpt`, state),
  };
  for (const save of Object.values(saves)) await save();
  const settings = {
    steps: 2,
    learningRate: 1e-3,
    minimumLearningRate: 0,
    warmupSteps: 0,
    schedule: "constant" as const,
    accumulation: 1,
    evaluateEvery: 1,
    saveEvery: 1,
    patience: 0,
    seed: 0,
  };
  const metric = logit(1);
  const uses: Record<string, () => unknown> = {
    ...saves,
    "Device.tensor": () => device.tensor([3]),
    "Device.zeros": () => device.zeros([30000]),
    "Device.upload": () => device.upload(new Float32Array(3)),
    "Device.write": () => device.write(x, new Float32Array(128)),
    "Device.read": () => device.read(x),
    "Device.readLater": () => device.readLater(x),
    "a read that was begun": () => later.numbers(),
    "Device.compute": () => device.compute(() => [x]),
    "Device.finish": () => device.finish(),
    "Device.check": () => device.check(),
    "Tensor.read": () => x.read(),
    "Tensor.reshape": () => x.reshape([2, 64]),
    "Tensor.rows": () => x.rows(0, 64),
    "Commands.clear": () => device.commands.clear(x.buffer),
    "Commands.copy": () => device.commands.copy(x.buffer, x.buffer, 4),
    "PipelineCache.checkSource": () => device.pipelines.checkSource(new Kernel("k", "")),
    "ScratchTextures.own": () => device.textures.own(4),
    "Gpt.ids": () => model.ids([1]),
    "new Gpt": () => new Gpt(device, config),
    "new Bert": () => new Bert(device, createBertConfig(size)),
    loadGpt: () => loadGpt(device, `${directory}/gpt`),
    quantizeGpt: () => quantizeGpt(model, { weights: "int4" }),
    addLora: () => addLora(classifier.gpt, { targets: ["c_attn"] }),
    generate: () => generate(model, [1, 2], { maxNewTokens: 3 }),
    "Decoder.step": () => decoder.step(one),
    "Trainer.step": () => trainer.step([batch], 1e-3),
    "Trainer.figures": () => trainer.figures(),
    "Trainer.rehearse": () => trainer.rehearse(batch),
    "new Trainer": () => new Trainer(languageModelling(classifier.gpt, 4)),
    train: () => train(languageModelling(model, 4), settings, { batchAt: () => batch }),
    evaluate: () => evaluate(languageModelling(model, 4), [batch]),
    runWithHooks: () => runWithHooks(model, input, { hooks: [] }),
    runWithCache: () => runWithCache(model, input),
    runWithGradients: () => runWithGradients(model, input, { metric }),
    "ActivationCache.read": () => cache.read(),
    "logits of a probe": () => logits.read(),
    headScores: () => headScores(model, input),
    logitLens: () => logitLens(model, input),
    integratedGradients: () => integratedGradients(model, input, { metric }),
    ablate: () => ablate(model, input, { metric, cells: [[{ at: "blocks.0.hook_mlp_out" }]] }),
    trainInductionModel: () => trainInductionModel(device, { sequence: 16, steps: 1 }),
    attachProfiler: () => attachProfiler(device),
    measureRoof: () => measureRoof(device),
    profileKernels: () => profileKernels(device, { only: "softmax" }),
  };
  const dispose = () => {
    for (const made of [decoder, trainer, cache, model, bert, classifier, adapted, small]) {
      made[Symbol.dispose]();
    }
  };
  return { uses, dispose };
}

/** Every file below a directory with its bytes. */
function filesIn(directory: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (!isDirectory) found.set(path, Deno.readFileSync(path));
    else for (const [inner, bytes] of filesIn(path)) found.set(inner, bytes);
  }
  return found;
}

/** Ends a device, and demands the reason of every call. */
async function endsWith(device: Device, end: () => void, reason: RegExp): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "vitrail ended " });
  try {
    const { uses, dispose } = await usesOf(device, directory);
    const before = filesIn(directory);
    assert.ok(before.size >= 12, "models were saved before");
    end();
    await new Promise((done) => setTimeout(done, 0));
    for (const [name, use] of Object.entries(uses)) {
      let error: unknown;
      try {
        await use();
      } catch (cause) {
        error = cause;
      }
      assert.ok(error instanceof VitrailError, `${name}: ${error ?? "no error"}`);
      assert.match(error.message, /^Cannot [^:]+: the GPU device was /, name);
      assert.match(error.message, reason, name);
    }
    assert.deepEqual(filesIn(directory), before, "a save on a device that is gone changes nothing");
    dispose();
    device.destroy();
    device.destroy();
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("after destroy() every call says so, and a save leaves the directory as it was", async () => {
  const device = await openDevice();
  await endsWith(
    device,
    () => device.destroy(),
    /was destroyed; open another with openDevice\(\)$/,
  );
});

Deno.test("a device that is destroyed under us, or lost, is named in every call", async () => {
  const device = await openDevice();
  const ghost = ghostOf(device);
  const lose = Promise.withResolvers<GPUDeviceLostInfo>();
  const raw = { ...ghost.raw, lost: lose.promise } as GPUDevice;
  await endsWith(device, () => device.raw.destroy(), /was destroyed/);
  const info = {
    reason: "unknown",
    message: "the driver was reset",
  } as unknown as GPUDeviceLostInfo;
  const lost =
    /was lost \(the driver was reset\): .*start again, with a smaller batch if it recurs$/;
  await endsWith(new Device(raw, ghost.description), () => lose.resolve(info), lost);
});

Deno.test("reads under way when a device is destroyed end in our words", async () => {
  const device = await openDevice();
  const model = new Gpt(device, config);
  const reading = device.zeros([8]).read();
  const writing = generate(model, [1, 2], { maxNewTokens: 12, chunk: 1 });
  const ends = [reading, writing].map((call) =>
    assert.rejects(
      call,
      (error) => error instanceof VitrailError && /was destroyed/.test(error.message),
    )
  );
  device.destroy();
  await Promise.all(ends);
});

Deno.test("an adapter that gives no device says why in one line", async () => {
  const adapter = {
    limits: {},
    features: new Set(),
    info: {},
    requestDevice: () => Promise.reject(new TypeError("limit refused")),
  };
  const gpu = { requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU;
  await assert.rejects(openDevice({ gpu }), /^VitrailError: Cannot open a GPU: limit refused$/);
});
