/**
 * What `sweep_numbers.ts` tries that needs no device.
 *
 * @module
 */
import * as v from "../mod.ts";
import {
  chance,
  count,
  countOrAll,
  countOrNone,
  isWhole,
  notNegative,
  part,
  positive,
  seed,
  type Subject,
  TINY,
} from "./sweep_rules.ts";

/** What needs no device. */
export function hostSubjects(): Subject[] {
  const lengths = [3, 1, 2, 5, 4];
  const row = { length: 100, read: (at: number, n: number) => new Uint32Array(n).fill(at) };
  const sequences = lengths.map((n) => new Uint32Array(n).fill(1));
  const examples = sequences.map((ids) => ({ inputs: ids, targets: Int32Array.from(ids) }));
  const labelled: v.LabelledSequences = {
    sequences,
    targets: lengths.map((n) => [n % 2]),
    kind: "single",
  };
  const texts = lengths.map((n, i) => ({ text: `${n} ${i}`, labels: [String(n % 2)], place: "" }));
  const vocabulary = {
    size: 9,
    classId: 0,
    separatorId: 1,
    maskId: 2,
    padId: 3,
    specialIds: [0, 1, 2, 3],
    continues: new Uint8Array(9),
  };
  return [
    {
      name: "repeatedBatch",
      good: { batch: 2, sequence: 7, period: 3, vocabularySize: 10, begin: 0, firstId: 1 },
      takes: {
        batch: count,
        sequence: count,
        period: count,
        vocabularySize: isWhole(2),
        begin: countOrNone,
        firstId: isWhole(0, 9),
        seed,
        index: seed,
      },
      required: ["batch", "sequence", "period", "vocabularySize"],
      call: (given) => v.repeatedBatch(given),
    },
    {
      name: "LengthSampler",
      good: { batch: 2, n: 3 },
      takes: { batch: count, seed, n: countOrNone },
      required: ["batch", "n"],
      call: ({ n, ...given }) => new v.LengthSampler(lengths, given).at(n),
    },
    {
      name: "BatchSampler",
      good: { batch: 2, sequence: 7, n: 3 },
      takes: { batch: count, sequence: isWhole(1, 99), seed, n: countOrNone },
      required: ["batch", "sequence", "n"],
      call: ({ n, ...given }) => new v.BatchSampler(row, given).at(n),
    },
    {
      name: "sequentialBatches",
      good: { batch: 2, sequence: 7 },
      takes: { batch: count, sequence: count, limit: countOrAll },
      required: ["batch", "sequence"],
      call: (given) => v.sequentialBatches(row, given),
    },
    {
      name: "LabelledSampler",
      good: { batch: 2, padId: 0, limit: 8, n: 1 },
      takes: { batch: count, seed, padId: countOrNone, limit: count, n: countOrNone },
      required: ["batch", "padId", "limit", "n"],
      call: ({ n, ...given }) => new v.LabelledSampler(labelled, given).at(n),
    },
    {
      name: "byLength",
      good: { batch: 2 },
      takes: { batch: count },
      required: ["batch"],
      call: ({ batch }) => v.byLength(sequences, batch),
    },
    {
      name: "padBatch",
      good: { padId: 0, limit: 8 },
      takes: { padId: countOrNone, limit: count },
      required: ["padId", "limit"],
      call: (given) => v.padBatch(sequences, given),
    },
    {
      name: "completionBatch",
      good: { padId: 0, limit: 8 },
      takes: { padId: countOrNone, limit: count },
      required: ["padId", "limit"],
      call: (given) => v.completionBatch(examples, given),
    },
    {
      name: "stratifiedSplit",
      good: { fraction: 0.5 },
      takes: { fraction: (f) => part(f) && f !== 1, seed },
      required: ["fraction"],
      call: (given) => v.stratifiedSplit(texts, given),
    },
    {
      name: "holdOut",
      good: { fraction: 0.5 },
      takes: { fraction: part },
      required: ["fraction"],
      call: ({ fraction }) => v.holdOut(lengths.map((n) => ({ group: `${n}` })), fraction),
    },
    {
      name: "Masking",
      good: {},
      takes: { probability: part },
      call: (given) => new v.Masking(vocabulary, given),
    },
    {
      name: "calibrationError",
      good: { bins: 5 },
      takes: { bins: count },
      call: ({ bins }) => v.calibrationError([0.5, 0.7], [true, false], bins),
    },
    {
      name: "createGptConfig",
      good: TINY,
      takes: {
        vocabularySize: count,
        contextLength: count,
        channels: (c) => count(c) && (c as number) % 2 === 0,
        layers: count,
        heads: (h) => h === 1 || h === 2,
      },
      required: ["vocabularySize", "contextLength", "channels", "layers", "heads"],
      call: (given) => v.createGptConfig(given),
    },
    {
      name: "createGptConfig's options",
      good: {},
      takes: {
        embeddingDropout: chance,
        attentionDropout: chance,
        residualDropout: chance,
        layerNormEpsilon: positive,
        mlpChannels: countOrNone,
        initializerRange: notNegative,
      },
      call: (given) => v.createGptConfig(TINY, given),
    },
    {
      name: "createBertConfig's options",
      good: {},
      takes: {
        hiddenDropout: chance,
        attentionDropout: chance,
        classifierDropout: chance,
        mlpChannels: count,
        segments: count,
        layerNormEpsilon: positive,
        initializerRange: notNegative,
        padId: isWhole(0, 12),
      },
      call: (given) => v.createBertConfig(TINY, given),
    },
    {
      name: "quadrature",
      good: { steps: 4 },
      takes: { steps: isWhole(1, 2 ** 16) },
      required: ["steps"],
      call: ({ steps }) => v.quadrature("midpoint" as never, steps),
    },
  ];
}
