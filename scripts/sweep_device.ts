/**
 * What `sweep_numbers.ts` tries on a device.
 *
 * @module
 */
import * as v from "../mod.ts";
import {
  between,
  chance,
  count,
  countOrAll,
  countOrNone,
  finite,
  isWhole,
  notNegative,
  part,
  positive,
  seed,
  type Subject,
  TINY,
} from "./sweep_rules.ts";

const NO_DROPOUT = { embeddingDropout: 0, attentionDropout: 0, residualDropout: 0 };

/** What runs on a device: all with one tiny model. */
export function deviceSubjects(device: v.Device): Subject[] {
  const model = new v.Gpt(device, v.createGptConfig(TINY, NO_DROPOUT));
  const scoped = <T>(call: (given: T) => unknown) => (given: T): unknown => {
    using scope = device.scope();
    const found = call(given);
    return found instanceof Promise ? found.then(() => {}) : (void scope, undefined);
  };
  const batch = { inputs: new Uint32Array(8).fill(1), targets: new Int32Array(8).fill(2) };
  const task = v.languageModelling(model, 8);
  const side = isWhole(1);
  return [
    {
      name: "Device.tensor",
      good: { side: 3 },
      takes: { side },
      required: ["side"],
      call: scoped(({ side }) => device.tensor([2, side])),
    },
    {
      name: "Device.zeros",
      good: { side: 3 },
      takes: { side },
      required: ["side"],
      call: scoped(({ side }) => device.zeros([side])),
    },
    {
      name: "Device.upload",
      good: { side: 2 },
      takes: { side: (s) => s === 2 },
      required: ["side"],
      call: scoped(({ side }) => device.upload(new Float32Array(4), [2, side])),
    },
    {
      name: "Tensor.reshape",
      good: { side: 2 },
      takes: { side: (s) => s === 2 },
      required: ["side"],
      call: scoped(({ side }) => device.zeros([4]).reshape([2, side])),
    },
    {
      name: "Tensor.rows",
      good: { begin: 0, end: 3 },
      takes: { begin: (b) => b === 0, end: isWhole(1, 4) },
      required: ["begin", "end"],
      call: scoped(({ begin, end }) => device.zeros([4, 64]).rows(begin, end)),
    },
    {
      name: "Gpt.ids",
      good: { id: 3, time: 1 },
      takes: { id: isWhole(0, 12), time: (t) => t === 1 },
      required: ["id", "time"],
      call: scoped(({ id, time }) => model.ids([id], [1, time])),
    },
    {
      name: "Gpt.cache",
      good: { batch: 1, capacity: 4 },
      takes: { batch: count, capacity: count },
      required: ["batch"],
      call: scoped(({ batch, capacity }) => model.cache(batch, capacity)),
    },
    {
      name: "Gpt.decoder",
      good: { batch: 1, capacity: 4 },
      takes: { batch: count, capacity: count },
      required: ["batch", "capacity"],
      call: (given) => model.decoder(given)[Symbol.dispose](),
    },
    {
      name: "Run",
      good: {},
      takes: { seed, step: countOrNone },
      call: (given) => new v.Run(device, given),
    },
    {
      name: "freshWeights",
      good: { seed: 3 },
      takes: { seed },
      required: ["seed"],
      call: ({ seed }) => v.freshWeights(seed),
    },
    {
      name: "addLora",
      good: { rank: 2, targets: ["c_attn"] },
      takes: { rank: count, alpha: finite, dropout: chance, seed },
      call: (given) => v.removeAdapter(model, v.addLora(model, given)),
    },
    {
      name: "generate",
      good: { maxNewTokens: 2 },
      takes: {
        maxNewTokens: isWhole(0, 7),
        samples: count,
        chunk: count,
        temperature: between(0, Infinity),
        topK: countOrNone,
        topP: (p) => part(p) && p !== 0,
        minP: part,
        repetitionPenalty: positive,
        seed,
      },
      call: (given) => v.generate(model, [1], given),
    },
    {
      name: "AdamW and Trainer",
      good: {},
      takes: {
        accumulation: isWhole(1, 1),
        seed,
        epsilon: positive,
        weightDecay: notNegative,
        clip: notNegative,
        rate: notNegative,
        target: (t) => t === -100 || isWhole(0, 12)(t),
        input: isWhole(0, 12),
      },
      call: async ({ rate = 0, target = 2, input = 1, ...given }) => {
        using trainer = new v.Trainer(task, given);
        const targets = Int32Array.from(batch.targets);
        const inputs = Array.from(batch.inputs);
        inputs[3] = input;
        const odd = { inputs, targets: [...targets].with(3, target) } as unknown as v.Batch;
        trainer.step([odd], rate);
        await trainer.figures();
      },
    },
    {
      name: "train",
      good: {
        steps: 1,
        learningRate: 0,
        minimumLearningRate: 0,
        warmupSteps: 0,
        schedule: "constant",
        accumulation: 1,
        evaluateEvery: 1,
        saveEvery: 1,
        patience: 0,
        seed: 0,
      },
      takes: {
        steps: countOrNone,
        learningRate: notNegative,
        minimumLearningRate: notNegative,
        warmupSteps: countOrNone,
        accumulation: isWhole(1, 4),
        evaluateEvery: count,
        saveEvery: count,
        patience: countOrNone,
        seed,
      },
      required: [
        "steps",
        "learningRate",
        "minimumLearningRate",
        "warmupSteps",
        "evaluateEvery",
        "saveEvery",
        "patience",
      ],
      call: (given) => v.train(task, given, { batchAt: () => batch }),
    },
    {
      name: "learningRateAt, by layers",
      good: { decay: 0.5 },
      takes: { decay: (d) => part(d) && d !== 0 },
      required: ["decay"],
      call: ({ decay }) => v.layerwiseRates(model.parameters, decay),
    },
    {
      name: "integratedGradients",
      good: { steps: 2, rows: 8, at: 1 },
      takes: { steps: isWhole(1, 64), rows: count, at: isWhole(-3, 2) },
      call: async ({ steps, rows, at }) => {
        using scope = device.detachedScope();
        const ids = scope.run(() => model.ids([1, 2, 3]));
        const metric = v.logit(2, { at });
        await v.integratedGradients(model, { ids }, { metric, steps, rows });
      },
    },
    {
      name: "logitLens",
      good: { top: 3 },
      takes: { top: countOrAll },
      call: async (given) => {
        using scope = device.detachedScope();
        const ids = scope.run(() => model.ids([1, 2, 3]));
        await v.logitLens(model, { ids }, given);
      },
    },
    {
      name: "inductionSequences",
      good: {},
      takes: { batch: count, sequence: isWhole(5, 8), firstId: isWhole(0, 11), seed },
      call: (given) => v.inductionSequences(model, given),
    },
    {
      name: "LayerCache",
      good: { batch: 1, capacity: 4, channels: 8 },
      takes: { batch: count, capacity: count, channels: count },
      required: ["batch", "capacity", "channels"],
      call: scoped((given) => void new v.LayerCache(device, given)),
    },
    {
      name: "RowBuffer",
      good: { rows: 8, columns: 4, fill: () => {} },
      takes: { rows: count, columns: count, seed },
      required: ["rows", "columns"],
      call: scoped((given) => void new v.RowBuffer(device, given as never)),
    },
  ] as Subject[];
}
