/**
 * An error half-way gives everything back: each call is made to fail at its first step on the device, at
 * its second, and so on to its last. On a ghost of the device, where a call costs the host's time alone.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  ablate,
  activationPatching,
  AdamW,
  addLora,
  attentionMaps,
  attributeLogit,
  attributionPatching,
  Bert,
  bertPretraining,
  createBertConfig,
  createGptConfig,
  describeNeurons,
  type Device,
  embeddingAssociation,
  evaluate,
  examineInduction,
  examineSae,
  freshWeights,
  generate,
  Gpt,
  GptClassifier,
  gradientTimesInput,
  headScores,
  HeldOutLogits,
  integratedGradients,
  judge,
  languageModelling,
  lensDivergence,
  loadAdaptedBert,
  loadAdaptedClassifier,
  loadAdaptedGpt,
  loadBert,
  loadGpt,
  loadSequenceClassifier,
  loadTextClassifier,
  loadTunedLens,
  logit,
  logitLens,
  machineOf,
  MaskFiller,
  mergeAdapter,
  openDevice,
  pathPatching,
  predictLabels,
  probeLayers,
  ProbeSubject,
  profileKernels,
  quantizeGpt,
  QuestionAnswerer,
  removeAdapter,
  Run,
  runWithCache,
  runWithGradients,
  runWithHooks,
  saveAdapter,
  saveBert,
  saveCheckpoint,
  saveGpt,
  sentencePreference,
  SparseAutoencoder,
  splicedLosses,
  Tagger,
  templateAssociation,
  TokenWindows,
  train,
  trainBytePairTokenizer,
  Trainer,
  trainInductionModel,
  trainLinearProbes,
  trainOnModel,
  trainTunedLens,
  tune,
  TuningCache,
  VitrailError,
  type WeightSource,
  writeText,
} from "../mod.ts";
import { ghostOf } from "../src/gpu/ghost.ts";
import { examineAttention } from "../src/probes/attention/findings.ts";
import { examineLens } from "../src/probes/lens/findings.ts";
import { PIECES, tinyTokenizer } from "./data/pretraining/tiny_bert_tokenizer.ts";

const opened = await openDevice();
const device = ghostOf(opened);
opened.destroy();

/** What is on the device: buffers on loan, textures, and what was created and not yet destroyed. */
interface Held {
  buffers: number;
  textures: number;
  reads: number;
}

let numbers = 0;
const raw = { staged: 0 };
const createBuffer = device.raw.createBuffer.bind(device.raw);
device.raw.createBuffer = (descriptor) => {
  const buffer = createBuffer(descriptor);
  if (descriptor.label !== "read-back") return buffer;
  raw.staged++;
  let gone = false;
  return Object.assign(buffer, {
    // Numbers that differ: nothing is found in zeros.
    getMappedRange: () =>
      Float32Array.from({ length: descriptor.size / 4 }, (_, i) => 1 + (i % 7 + numbers++ % 5) / 8)
        .buffer,
    destroy: () => {
      if (!gone) raw.staged--;
      gone = true;
    },
  });
};

const held = ({ pool, textures }: Device): Held => ({
  buffers: pool.memory.liveBuffers,
  textures: textures.ownCount,
  reads: raw.staged,
});

/** Steps on the device until one fails; those behind it succeed, as after a message too large. */
const fault = { left: Infinity, hit: false };
function step(): void {
  if (fault.left-- !== 0) return;
  fault.hit = true;
  throw new VitrailError("injected");
}

for (
  const [object, names] of [
    [device.pool, ["allocate"]],
    [device.textures, ["own", "get"]],
    [device.commands, ["dispatch", "copy", "write", "copyToTexture", "readLater", "clear"]],
  ] as unknown as [Record<string, (...args: unknown[]) => unknown>, string[]][]
) {
  for (const name of names) {
    const original = object[name].bind(object);
    object[name] = (...args) => {
      step();
      return original(...args);
    };
  }
}

/** Runs a call that fails at each of its steps, and demands the count from before. */
async function failEverywhere(name: string, call: () => unknown): Promise<void> {
  const run = async (): Promise<void> => void await call();
  fault.left = Infinity;
  await run(); // makes what is kept for good
  const before = held(device);
  await run();
  assert.deepEqual(held(device), before, `${name}, without a fault`);
  let at = 0;
  for (;; at += at < 60 ? 1 : 1 + Math.floor(at / 8)) {
    Object.assign(fault, { left: at, hit: false });
    try {
      await run();
      if (!fault.hit) break;
    } catch (error) {
      if (!fault.hit) throw error;
      assert.match(`${error}`, /injected/, `${name}, step ${at}`);
    } finally {
      fault.left = Infinity;
    }
    assert.deepEqual(held(device), before, `${name}, a fault at step ${at}`);
  }
  assert.ok(at > 0 || name.startsWith("an id"), `${name} does nothing on the device`);
}

const size = { vocabularySize: PIECES.length, contextLength: 19, channels: 8, layers: 2, heads: 2 };
const config = createGptConfig(size);
const bertConfig = createBertConfig(size, { initializerRange: 0.2 });
const model = new Gpt(device, config);
const bert = new Bert(device, bertConfig, { heads: { kind: "pretraining" } });
const ids = (count: number): number[] => Array.from({ length: count }, (_, i) => (3 * i + 1) % 11);
const batch = (count = 16) => ({
  inputs: Uint32Array.from(ids(count)),
  targets: Int32Array.from(ids(count)),
});
const input = { ids: model.ids(ids(6)) };
const other = { ids: model.ids(ids(6).reverse()) };
const metric = logit(3);
const cells = [[{ at: "blocks.0.attn.hook_z", heads: [1] }]];
const adamW = { learningRate: 1e-3, minimumLearningRate: 0, warmupSteps: 1 };
const settings = { ...adamW, schedule: "cosine" as const, accumulation: 1, seed: 0, patience: 0 };
const labels = ["a", "b", "c"];
const fixture = (path: string): string => new URL(`fixtures/${path}`, import.meta.url).pathname;
const directory = Deno.makeTempDirSync({ prefix: "vitrail faults " });
Deno.test.afterAll(() => Deno.removeSync(directory, { recursive: true }));
const tokenizer = tinyTokenizer();
const wordings = await trainBytePairTokenizer(["a b ab cd da ".repeat(9)], { vocabularySize: 270 });

const berts = new ProbeSubject(bert, tokenizer);
const templates = {
  name: "letters",
  targets: [{ name: "x", words: ["a"] }, { name: "y", words: ["b"] }],
  attributes: [{ name: "p", words: ["c"] }, { name: "q", words: ["d"] }],
  templates: ["[TARGET] , [ATTRIBUTE]"],
} as never;

function boom(): never {
  throw new VitrailError("of the caller");
}

/** An error of the caller's own ends a call as one of the device does. */
async function refused(call: () => unknown): Promise<void> {
  await assert.rejects(
    async () => void await call(),
    /of the caller|injected|Cannot/,
  );
}

/** What is made is given back by its owner. */
function dispose(made: Disposable): void {
  using _made = made;
}

const calls: Record<string, Record<string, () => unknown>> = {
  "models": {
    "new Gpt": () => dispose(new Gpt(device, config)),
    "new Gpt, sinusoidal and untied": () =>
      dispose(new Gpt(device, { ...config, positions: "sinusoidal", tieWeights: false })),
    "new Bert": () => dispose(new Bert(device, bertConfig)),
    "new Bert that classifies": () =>
      dispose(
        new Bert(device, bertConfig, {
          heads: { kind: "sequence-classification", labels, labelKind: "single" },
        }),
      ),
    "new GptClassifier": () =>
      dispose(new GptClassifier(device, config, { labels, labelKind: "single", padId: 0 })),
    "loadGpt": () => dispose(loadGpt(device, fixture("gpt2/model"))),
    "loadGpt, quantized": () =>
      dispose(loadGpt(device, fixture("gpt2/model"), { weights: "int8" })),
    "loadBert": () => dispose(loadBert(device, fixture("bert/pretraining"))),
    "loadSequenceClassifier, BERT": () =>
      dispose(loadSequenceClassifier(device, fixture("bert/single"))),
    "loadSequenceClassifier, GPT": () =>
      dispose(loadSequenceClassifier(device, fixture("gpt2_classifier/single"))),
    "loadAdaptedGpt": () =>
      dispose(loadAdaptedGpt(device, fixture("gpt2/model"), fixture("lora/gpt2")).model),
    "loadAdaptedBert": () =>
      dispose(loadAdaptedBert(device, fixture("bert/single"), fixture("lora/bert")).model),
    "loadAdaptedClassifier": () =>
      dispose(loadAdaptedClassifier(device, fixture("bert/single"), fixture("lora/bert")).model),
    "quantizeGpt": async () => dispose(await quantizeGpt(model, { weights: "int4", group: 32 })),
    "saveGpt": () => saveGpt(model, directory),
    "saveBert": () => saveBert(bert, directory),
    "addLora, saved, merged": async () => {
      using own = new Gpt(device, config);
      const adapter = addLora(own, { targets: ["c_attn"], rank: 2 });
      await saveAdapter(adapter, directory);
      mergeAdapter(own, adapter);
      dispose(adapter);
    },
    "addLora, removed": () => {
      using own = new Gpt(device, config);
      const adapter = addLora(own, { targets: ["c_fc"], rank: 2 });
      removeAdapter(own, adapter);
      dispose(adapter);
    },
  },
  "training": {
    "AdamW": () => {
      using own = new Gpt(device, config);
      using _optimizer = new AdamW(own.parameters, { rateOf: (p) => p.shape.length });
    },
    "Trainer": async () => {
      using own = new Gpt(device, config);
      using trainer = new Trainer(languageModelling(own, 8), { accumulation: 2 });
      trainer.rehearse(batch());
      trainer.step([batch(), batch()], 1e-3);
      await trainer.figures();
      await saveCheckpoint(trainer, directory, {
        step: 1,
        bestLoss: null,
        evaluationsSinceBest: 0,
      });
    },
    "Trainer, f16 and recomputed": async () => {
      using own = new Gpt(device, config);
      own.checkpointing = true;
      using trainer = new Trainer(languageModelling(own, 8), { precision: "f16" });
      trainer.step([batch()], 1e-3);
      await trainer.figures();
    },
    "train": async () => {
      using own = new Gpt(device, config);
      await train(languageModelling(own, 8), {
        ...settings,
        steps: 3,
        evaluateEvery: 2,
        saveEvery: 2,
      }, { batchAt: () => batch(), validation: () => [batch()], directory });
    },
    "pre-training a BERT": async () => {
      using own = new Bert(device, bertConfig);
      using trainer = new Trainer(bertPretraining(own));
      const tokens = Int32Array.from(ids(16), (id, i) => i % 3 === 0 ? id : -100);
      trainer.step([{
        ids: Uint32Array.from(ids(16)),
        segments: new Uint32Array(16),
        shape: [2, 8],
        tokens,
        follows: Int32Array.of(0, 1),
      }], 1e-3);
      await trainer.figures();
    },
    "evaluate": () => evaluate(languageModelling(model, 8), [batch(), batch()]),
  },
  "generation": {
    "generate": () => generate(model, ids(4), { maxNewTokens: 7, chunk: 2, samples: 2 }),
    "generate, f16 cache": () => generate(model, ids(4), { maxNewTokens: 3, cache: "f16" }),
    "generate, adapted": async () => {
      using own = new Gpt(device, config);
      addLora(own, { targets: ["c_attn"], rank: 2 });
      await generate(own, ids(4), { maxNewTokens: 3 });
    },
    "a decoder": () => dispose(model.decoder({ batch: 2, capacity: 8 })),
    "writeText": async () => {
      using own = new Gpt(device, { ...config, vocabularySize: wordings.vocabularySize });
      const prompt = wordings.encode("ab cd");
      await writeText({ model: own, tokenizer: wordings }, prompt, { maxNewTokens: 5 });
    },
  },
  "inference": {
    "MaskFiller": () => new MaskFiller(bert, tokenizer).fill(["a [MASK] b"]),
    "Tagger": async () => {
      using own = new Bert(device, bertConfig, { heads: { kind: "token-classification", labels } });
      await new Tagger(own, tokenizer).tagWords([["a", "b"], ["ab"]]);
    },
    "QuestionAnswerer": async () => {
      using own = new Bert(device, bertConfig, { heads: { kind: "question-answering" } });
      await new QuestionAnswerer(own, tokenizer).answer([
        { id: "0", question: "a", context: "b ab , cd" },
      ]);
    },
    "loadTextClassifier": async () => {
      using classifier = await loadTextClassifier(device, fixture("pairs/gpt"));
      await classifier.classify([["a", "b"]]);
    },
    "HeldOutLogits": async () => {
      using classifier = loadSequenceClassifier(device, fixture("gpt2_classifier/single"));
      const data = {
        sequences: [Uint32Array.of(1, 2)],
        targets: [Float32Array.of(1)],
        cut: [false],
      } as unknown as ConstructorParameters<typeof HeldOutLogits>[1];
      using kept = new HeldOutLogits(classifier, data, 1);
      await kept.read();
    },
  },
  "probes": {
    "runWithHooks": () => {
      using _scope = device.scope();
      runWithHooks(model, input, {
        hooks: [["blocks.0.hook_mlp_out", (x) => device.zeros(x.shape)]],
      });
    },
    "runWithHooks, outside of scopes": () => {
      const logits = runWithHooks(model, input, { hooks: [] });
      device.pool.release(logits.buffer);
    },
    "runWithCache": () => {
      using _scope = device.scope();
      using _cache = runWithCache(model, input).cache;
    },
    "runWithGradients": async () => {
      const found = await runWithGradients(bert, input, { metric });
      using _cache = found.cache;
      using _gradients = found.gradients;
    },
    "gradientTimesInput": () => gradientTimesInput(model, input, { metric }),
    "integratedGradients": () =>
      integratedGradients(bert, input, {
        metric,
        steps: 3,
        rows: 2,
        baseline: { token: 1, kept: [0] },
      }),
    "activationPatching": () =>
      activationPatching(model, { clean: input, corrupted: other }, { metric, cells }),
    "pathPatching": () =>
      pathPatching(model, { clean: input, corrupted: other }, {
        metric,
        senders: cells,
        receivers: [{ at: "blocks.1.hook_resid_pre" }],
      }),
    "attributionPatching": () =>
      attributionPatching(model, { clean: input, corrupted: other }, { metric, cells }),
    "ablate, by the mean": () =>
      ablate(model, input, { metric, cells, substitute: { by: "mean", reference: [other] } }),
    "ablate, resampled": () =>
      ablate(model, input, {
        metric,
        cells,
        substitute: { by: "resample", reference: [other], draws: 2 },
      }),
    "headScores": () => headScores(model, input),
    "attentionMaps": () => attentionMaps(bert, input),
    "logitLens": () => logitLens(model, input),
    "attributeLogit, GPT": () => attributeLogit(model, input, { answer: 3 }),
    "attributeLogit, BERT": () => attributeLogit(bert, input, { answer: 3 }),
    "trainTunedLens": async () => {
      using lens = await trainTunedLens(model, () => ({ ids: model.ids(ids(6)) }), {
        steps: 2,
        onStep: () => {},
      });
      await lensDivergence(model, [() => ({ ids: model.ids(ids(6)) })], { lens });
      await lens.save(`${directory}/lens.safetensors`);
      dispose(loadTunedLens(model, `${directory}/lens.safetensors`));
    },
    "linear probes": async () => {
      using scope = device.detachedScope();
      const features = scope.run(() => device.zeros([64, 8]));
      const task = { features, labels: ids(64).map((id) => id % 2), classes: 2 };
      const [probe] = trainLinearProbes([task], { steps: 2, batch: 64 });
      using _probe = probe;
      await predictLabels([{ probe, features }]);
    },
    "probeLayers": () => {
      const sequences = Array.from(
        { length: 64 },
        () => ({ ids: Uint32Array.from(ids(4)), places: [1] }),
      );
      const examples = {
        sequences: sequences as never,
        labels: Int32Array.from(ids(64), (id) => id % 2),
        types: ids(64).map(String),
      };
      return probeLayers(model, { train: examples, heldOut: examples, classes: 2 }, {
        steps: 2,
        batch: 64,
      });
    },
    "trainInductionModel": async () => {
      const { model: own } = await trainInductionModel(device, {
        steps: 2,
        sequence: 16,
        channels: 8,
        heads: 2,
        batch: 2,
        vocabularySize: 40,
      });
      dispose(own);
    },
    "a sparse autoencoder": async () => {
      using own = new Gpt(device, { ...config, vocabularySize: wordings.vocabularySize });
      const subject = new ProbeSubject(own, wordings);
      const text = new TokenWindows(subject, wordings.encode("a b ab cd da ".repeat(20)), {
        length: 8,
      });
      using sae = new SparseAutoencoder(device, {
        channels: 8,
        features: 12,
        k: 2,
        hook: "blocks.0.hook_resid_post",
      });
      await examineSae(subject, sae, { text, windows: [0, 1], features: [1] });
      await splicedLosses(own, sae, [() => text.batch([0])]);
      const options = { hook: "blocks.0.hook_resid_post", windows: [0, 1, 2], k: 2, features: 12 };
      dispose(await trainOnModel(subject, text, { ...options, steps: 2, batch: 16 }));
    },
  },
  "findings": {
    "examineAttention": () => examineAttention(berts, berts.encode("a b ab")),
    "examineLens": () => examineLens(berts, berts.encode("a b ab"), { mask: [1], top: 3 }),
    "judge": () => judge(berts, [berts.encode("a [MASK] b")], { questions: [{}] }),
    "templateAssociation": () => templateAssociation(berts, templates),
    "embeddingAssociation": () => embeddingAssociation(berts, templates),
    "sentencePreference": () => sentencePreference(berts, [{ first: "a b", second: "a c" }]),
    "examineInduction": async () => {
      using own = new Gpt(device, { ...config, vocabularySize: 40, contextLength: 32 });
      await examineInduction(own, { batch: 1, firstId: 2 } as never);
    },
    "describeNeurons": async () => {
      using own = new Gpt(device, { ...config, vocabularySize: wordings.vocabularySize });
      const subject = new ProbeSubject(own, wordings);
      const text = new TokenWindows(subject, wordings.encode("a b ab cd ".repeat(20)), {
        length: 8,
      });
      await describeNeurons(subject, text, {
        layer: 0,
        batch: 1,
        neurons: [1, 2],
        windows: [0, 1, 2],
      });
    },
    "profileKernels": () =>
      profileKernels(device, { only: "softmax", runs: 1, replay: false, roof: false }),
  },
  "what belongs to the caller": {
    "a cache of keys and values": () => {
      const cache = model.cache(2, 8);
      for (const { keys, values } of cache.layers) {
        for (const { buffer } of [keys, values]) device.pool.release(buffer);
      }
    },
    "the input of a probe": () => {
      const { ids, segments, mask } = berts.input([berts.encode("a b"), berts.encode("a b ab d")]);
      for (const tensor of [ids, segments, mask]) if (tensor) device.pool.release(tensor.buffer);
    },
  },
  "callbacks": {
    "onTokens throws": () =>
      refused(() => generate(model, ids(4), { maxNewTokens: 9, chunk: 2, onTokens: boom })),
    "an id outside the vocabulary": () =>
      refused(() => generate(model, [1, 2, 300], { maxNewTokens: 4 })),
    "a hook throws": () =>
      refused(() => {
        using _scope = device.scope();
        runWithHooks(model, input, { hooks: [["blocks.1.hook_mlp_out", boom]] });
      }),
    "a hook throws, and nothing is cached": () =>
      refused(() => {
        using _scope = device.scope();
        runWithCache(model, input, { hooks: [["blocks.1.hook_mlp_out", boom]] });
      }),
    "a metric throws": () =>
      refused(() => runWithGradients(model, input, { metric: { ...metric, values: boom } })),
    "a metric's gradient throws": () =>
      refused(() => runWithGradients(model, input, { metric: { ...metric, gradient: boom } })),
    "a metric throws between batches": () =>
      refused(() =>
        activationPatching(model, { clean: input, corrupted: other }, {
          metric: { ...metric, values: boom },
          cells: [...cells, ...cells, ...cells],
          rows: 3,
        })
      ),
    "a source of weights throws": () => {
      let left = 9;
      const source: WeightSource = (...asked) => left-- > 0 ? freshWeights(0)(...asked) : boom();
      return refused(() => new Gpt(device, config, source));
    },
    "a task's loss throws": () =>
      refused(() => {
        using own = new Gpt(device, config);
        using trainer = new Trainer({ ...languageModelling(own, 8), loss: boom });
        trainer.step([batch()], 1e-3);
      }),
    "a batch of an evaluation throws": () =>
      refused(() =>
        evaluate(
          languageModelling(model, 8),
          function* () {
            yield batch();
            boom();
          }(),
        )
      ),
  },
  "tuning": {
    "tune": async () => {
      using own = new Gpt(device, config);
      using trainer = new Trainer(languageModelling(own, 8));
      await tune(device, () => trainer.rehearse(batch()), {
        cache: new TuningCache(directory, machineOf(opened)),
        seconds: 0.01,
      });
    },
  },
};

for (const [kind, some] of Object.entries(calls)) {
  Deno.test(`an error half-way gives everything back: ${kind}`, async (t) => {
    for (const [name, call] of Object.entries(some)) {
      await t.step(name, () => failEverywhere(name, call));
    }
  });
}

Deno.test("what was disposed of is not used any more, and the rest goes on", async () => {
  const gone = /^VitrailError: Cannot .* of shape .*: its memory was given back/;
  const directoryOf = (name: string): string => {
    Deno.mkdirSync(`${directory}/${name}`, { recursive: true });
    return `${directory}/${name}`;
  };
  const before = held(device);
  const own = new Gpt(device, config);
  const other = new Bert(device, bertConfig);
  const small = await quantizeGpt(own, { weights: "int8", group: 32 });
  const classifier = new GptClassifier(device, config, { labels, labelKind: "single", padId: 0 });
  const trainer = new Trainer(languageModelling(own, 8));
  trainer.step([batch()], 1e-3);
  const decoder = own.decoder({ batch: 1, capacity: 4 });
  using scope = device.detachedScope();
  const one = scope.run(() => ({ ids: own.ids([1]) }));
  const uses = (run: Run): Record<string, () => unknown> => ({
    "Gpt.forward": () => own.forward(run, one.ids),
    generate: () => generate(own, ids(3), { maxNewTokens: 2 }),
    "Gpt.decoder": () => own.decoder({ batch: 1, capacity: 4 }),
    saveGpt: () => saveGpt(own, directoryOf("gone")),
    evaluate: () => evaluate(languageModelling(own, 8), [batch()]),
    "Trainer.step": () => trainer.step([batch()], 1e-3),
    "Trainer.figures": () => trainer.figures(),
    "new Trainer": () => new Trainer(languageModelling(own, 8)),
    "Parameter.gradient": () => own.parameters[0].gradient,
    runWithGradients: () => runWithGradients(own, one, { metric }),
    "quantized Gpt.forward": () => small.forward(run, one.ids),
    "saveGpt, quantized": () => saveGpt(small, directoryOf("small")),
    "Bert.hidden": () => other.hidden(run, one),
    saveBert: () => saveBert(other, directoryOf("other")),
    "GptClassifier.logits": () => classifier.logits(run, one.ids, { lengths: [1] }),
    "Decoder.step": () => decoder.step(one.ids),
  });
  trainer[Symbol.dispose]();
  await generate(own, ids(3), { maxNewTokens: 2 }); // a model goes on without its trainer
  {
    using second = new Trainer(languageModelling(own, 8));
    second.step([batch()], 1e-3);
  }
  for (const made of [decoder, own, other, small, classifier]) made[Symbol.dispose]();
  for (const made of [trainer, decoder, own, other, small, classifier]) made[Symbol.dispose]();
  for (const [name, use] of Object.entries(uses(new Run(device)))) {
    using _step = device.scope();
    await scope.run(() => assert.rejects(async () => await use(), gone, name));
  }
  scope[Symbol.dispose]();
  assert.deepEqual(held(device), before);
  assert.deepEqual([...Deno.readDirSync(`${directory}/gone`)], [], "no half of a model");
});
