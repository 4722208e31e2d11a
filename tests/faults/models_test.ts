/** An error half-way gives everything back: models, training, generation and inference. @module */

import {
  AdamW,
  addLora,
  Bert,
  bertPretraining,
  evaluate,
  generate,
  generateSequences,
  Gpt,
  GptClassifier,
  HeldOutLogits,
  languageModelling,
  loadAdaptedBert,
  loadAdaptedClassifier,
  loadAdaptedGpt,
  loadBert,
  loadGpt,
  loadSequenceClassifier,
  loadSubject,
  loadTextClassifier,
  MaskFiller,
  mergeAdapter,
  quantizeGpt,
  QuestionAnswerer,
  removeAdapter,
  saveAdapter,
  saveBert,
  saveCheckpoint,
  saveGpt,
  Tagger,
  train,
  Trainer,
  writeText,
} from "../../mod.ts";
import {
  batch,
  bert,
  bertConfig,
  config,
  device,
  directory,
  dispose,
  fixture,
  ids,
  labels,
  model,
  refused,
  settings,
  testCalls,
  tokenizer,
  wordings,
} from "./injection.ts";

testCalls({
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
    "generateSequences, beams of prompts of different lengths": () =>
      generateSequences(model, [ids(4), ids(2)], { maxNewTokens: 5, chunk: 2, beams: 2 }),
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
    "loadSubject, beside a tokenizer of another model": async () => {
      const folder = `${directory}/subject`;
      Deno.mkdirSync(folder, { recursive: true });
      await saveGpt(model, folder);
      Deno.writeTextFileSync(`${folder}/tokenizer.json`, JSON.stringify(wordings.toJson()));
      await refused(() => loadSubject(device, folder));
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
});
