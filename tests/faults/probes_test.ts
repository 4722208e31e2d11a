/** An error half-way gives everything back: probes, their callbacks and the tuner. @module */

import {
  ablate,
  activationPatching,
  attentionMaps,
  attributeLogit,
  attributionPatching,
  describeNeurons,
  embeddingAssociation,
  evaluate,
  examineInduction,
  examineSae,
  freshWeights,
  generate,
  Gpt,
  gradientTimesInput,
  headScores,
  integratedGradients,
  judge,
  languageModelling,
  lensDivergence,
  loadTunedLens,
  logitLens,
  machineOf,
  pathPatching,
  predictLabels,
  probeLayers,
  ProbeSubject,
  profileKernels,
  runWithCache,
  runWithGradients,
  runWithHooks,
  sentencePreference,
  SparseAutoencoder,
  splicedLosses,
  templateAssociation,
  TokenWindows,
  Trainer,
  trainInductionModel,
  trainLinearProbes,
  trainOnModel,
  trainTunedLens,
  tune,
  TuningCache,
  type WeightSource,
} from "../../mod.ts";
import { examineAttention } from "../../src/probes/attention/findings.ts";
import { examineLens } from "../../src/probes/lens/findings.ts";
import {
  batch,
  bert,
  berts,
  boom,
  cells,
  config,
  device,
  directory,
  dispose,
  ids,
  input,
  metric,
  model,
  opened,
  other,
  refused,
  templates,
  testCalls,
  wordings,
} from "./injection.ts";

testCalls({
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
});
