/**
 * What `sweep_numbers.ts` tries that reads text, or learns from activations.
 *
 * @module
 */
import * as v from "../mod.ts";
import {
  count,
  countOrAll,
  countOrNone,
  isWhole,
  notNegative,
  part,
  seed,
  type Subject,
  TINY,
} from "./sweep_rules.ts";

const TEXT = "a b c d e f a b c d a b c a b a. c d e f g h, a b? d c b a.\n".repeat(4);

/** Tries them with a tokenizer that it trains, and with a BERT for each task. */
export async function textSubjects(device: v.Device): Promise<Subject[]> {
  const tokenizer = await v.trainWordPieceTokenizer([TEXT], { vocabularySize: 40 });
  const vocabularySize = tokenizer.vocabularySize;
  const config = v.createBertConfig({ ...TINY, contextLength: 24, vocabularySize });
  const bert = (heads: v.BertHeadsSettings): v.Bert => new v.Bert(device, config, { heads });
  const labels = ["x", "y"];
  const tagger = new v.Tagger(bert({ kind: "token-classification", labels }), tokenizer);
  const filler = new v.MaskFiller(bert({ kind: "masked-language" }), tokenizer);
  const answerer = new v.QuestionAnswerer(bert({ kind: "question-answering" }), tokenizer);
  const classifier = new v.TextClassifier(
    v.bertSequenceClassifier(
      bert({ kind: "sequence-classification", labels, labelKind: "single" }),
    ),
    tokenizer,
  );
  async function* documents() {
    for (const id of ["1", "2", "3"]) yield { id, text: TEXT };
  }
  const encode = (text: string): Uint32Array => Uint32Array.from(tokenizer.encode(text));
  const { train: corpus } = await v.encodeSentences(documents(), {
    encode,
    rule: "lines",
    validationFraction: 0.3,
  });
  const vocabulary = v.maskVocabularyOf(tokenizer);
  const questions = [{ id: "1", question: "a b", context: "a b c d e f a b c d" }];
  const words = [["a", "b", "c"], ["d"]];
  const features = device.pool.persistent(() => device.upload(new Float32Array(12), [6, 2]));
  const rows: v.RowSource = {
    columns: 4,
    next: (n) => device.upload(Float32Array.from({ length: 4 * n }, (_, i) => Math.sin(i)), [n, 4]),
  };
  const ghost: v.StepBuilder<v.Batch> = (on, n) => ({
    task: v.languageModelling(new v.Gpt(on, v.createGptConfig(TINY), v.ghostWeights), 8),
    batch: { inputs: new Uint32Array(8 * n), targets: new Int32Array(8 * n) },
  });
  const batches = { batch: count };
  return [
    {
      name: "encodeTexts",
      good: { limit: 9, padId: 0 },
      takes: { limit: isWhole(3), padId: countOrNone },
      required: ["limit", "padId"],
      call: (given) => {
        const format = v.sequenceFormat(tokenizer, { family: "bert", padId: 0, limit: 9 });
        return v.encodeTexts(["a b c"], tokenizer, { ...format, ...given });
      },
    },
    {
      name: "tagSequences",
      good: { contextLength: 9 },
      takes: { contextLength: isWhole(3) },
      required: ["contextLength"],
      call: (given) => v.tagSequences(words, { tokenizer, ...given }),
    },
    {
      name: "wordSequences",
      good: { contextLength: 9 },
      takes: { contextLength: isWhole(3) },
      required: ["contextLength"],
      call: (given) => v.wordSequences(words, { tokenizer, family: "bert", ...given }),
    },
    {
      name: "answerWindows",
      good: { contextLength: 12 },
      takes: { contextLength: isWhole(6), stride: count, questionLength: isWhole(1) },
      required: ["contextLength"],
      call: (given) => v.answerWindows(questions, { tokenizer, ...given }),
    },
    {
      name: "encodePair",
      good: {},
      takes: { maxLength: (n) => n === Infinity || (isWhole(3)(n)) },
      call: (given) => v.encodePair(tokenizer, "a b", "c d", given),
    },
    {
      name: "drawPairs",
      good: { sequence: 12 },
      takes: { sequence: isWhole(5), shortProbability: part, seed, epoch: countOrNone },
      required: ["sequence"],
      call: (given) => v.drawPairs(corpus, given),
    },
    {
      name: "PretrainingSampler",
      good: { batch: 2, sequence: 12, n: 1 },
      takes: { batch: count, sequence: isWhole(5), seed, probability: part, n: isWhole(0, 64) },
      required: ["batch", "sequence", "n"],
      call: ({ n, ...given }) => {
        // A batch far away is found by drawing all epochs before it.
        if (typeof n === "number" && n > 64) throw new v.VitrailError("too far to be tried");
        return new v.PretrainingSampler(corpus, vocabulary, given).at(n);
      },
    },
    {
      name: "Tagger.tagWords",
      good: {},
      takes: { ...batches, topK: countOrAll, contextLength: isWhole(3) },
      call: (given) => tagger.tagWords(words, given),
    },
    {
      name: "MaskFiller.fill",
      good: {},
      takes: { ...batches, topK: countOrAll },
      call: (given) => filler.fill(["a [MASK] c"], given),
    },
    {
      name: "TextClassifier.classify",
      good: {},
      takes: { ...batches, topK: countOrAll, limit: (n) => n === Infinity || isWhole(3)(n) },
      call: (given) => classifier.classify(["a b"], given),
    },
    {
      name: "QuestionAnswerer.answer",
      good: {},
      takes: {
        ...batches,
        topK: countOrAll,
        stride: count,
        contextLength: isWhole(6),
        best: count,
        longest: countOrAll,
      },
      call: (given) => answerer.answer(questions, given),
    },
    {
      name: "trainLinearProbes",
      good: { steps: 2, batch: 64 },
      takes: {
        steps: count,
        batch: (n) => count(n) && (n as number) % 64 === 0,
        learningRate: notNegative,
        weightDecay: notNegative,
        seed,
      },
      call: (given) => {
        using _scope = device.scope();
        const task = { features, labels: Int32Array.of(0, 1, 0, 1, 0, 1), classes: 2 };
        v.trainLinearProbes([task], given);
      },
    },
    {
      name: "trainSparseAutoencoder",
      good: { features: 8, k: 2, steps: 1, batch: 8 },
      takes: {
        features: isWhole(2),
        k: isWhole(1, 8),
        steps: countOrNone,
        batch: isWhole(2),
        deadAfter: countOrNone,
        auxiliary: notNegative,
        reportEvery: count,
        seed,
      },
      required: ["features", "k", "steps"],
      call: async (given) => {
        using scope = device.detachedScope();
        const source: v.RowSource = { ...rows, next: (n) => scope.run(() => rows.next(n)) };
        (await v.trainSparseAutoencoder(source, given))[Symbol.dispose]();
      },
    },
    {
      name: "planStep",
      good: { batch: 1 },
      takes: { batch: isWhole(1, 4), accumulation: isWhole(1, 4), seed },
      required: ["batch"],
      call: (given) => v.planStep(device, ghost, given),
    },
  ] as Subject[];
}
