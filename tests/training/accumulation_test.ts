/**
 * Micro-batches of unequal content are one batch of all, for every task: the loss, its terms and every
 * gradient.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  Bert,
  type BertHeadsSettings,
  bertPretraining,
  bertSequenceClassifier,
  completing,
  createBertConfig,
  createGptConfig,
  Gpt,
  GptClassifier,
  gptSequenceClassifier,
  type LabelKind,
  languageModelling,
  openDevice,
  questionAnswering,
  sequenceClassification,
  type Task,
  tokenClassification,
  Trainer,
} from "../../mod.ts";
import { relativeError } from "../compare.ts";
import { mulberry32 } from "./train_process.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [V, T] = [67, 16];
const size = { vocabularySize: V, contextLength: T, channels: 24, layers: 1, heads: 2 };
const gptConfig = createGptConfig(size, {
  embeddingDropout: 0,
  attentionDropout: 0,
  residualDropout: 0,
  initializerRange: 0.2,
});
const bertConfig = createBertConfig(size, {
  hiddenDropout: 0,
  attentionDropout: 0,
  initializerRange: 0.2,
});
const bert = (heads: BertHeadsSettings): Bert => new Bert(device, bertConfig, { heads });

/** Sequences in each micro-batch; one in three has much less to learn from, and one has nothing. */
const PARTS = [3, 1, 2, 4];
const random = mulberry32(12);
const below = (n: number): number => Math.floor(n * random());
const draw = (n: number, most: number) => Uint32Array.from({ length: n }, () => below(most));

/** What every batch has, and numbers of each kind that tasks ask for, of which some do not count. */
function makeBatch(sequences: number, part: number) {
  const shape: [number, number] = [sequences, T];
  const tokens = sequences * T;
  const share = [0.9, 0.1, 0, 0.4][part];
  const some = (n: number, most: number) =>
    Int32Array.from({ length: n }, () => random() < share ? below(most) : -100);
  const lengths = Uint32Array.from({ length: sequences }, () => 1 + below(T));
  const hidden = (i: number): boolean => i % T >= lengths[Math.floor(i / T)];
  const ids = draw(tokens, V);
  return {
    shape,
    ids,
    inputs: ids,
    lengths,
    time: T,
    mask: Float32Array.from({ length: tokens }, (_, i) => hidden(i) ? -Infinity : 0),
    segments: draw(tokens, 2),
    targets: some(tokens, V),
    tokens: some(tokens, V),
    labels: some(tokens, 3),
    begins: some(sequences, T),
    ends: some(sequences, T),
    follows: Int32Array.from(draw(sequences, 2)),
    single: Int32Array.from({ length: sequences }, () => below(3)),
    multiple: Float32Array.from({ length: 3 * sequences }, () => below(2)),
    number: Float32Array.from(
      { length: 3 * sequences },
      () => random() < share ? random() : NaN,
    ),
  };
}

type AnyBatch = ReturnType<typeof makeBatch>;
const parts = PARTS.map(makeBatch);

/** Arrays one behind another, numbers of sequences added up. */
function joined(batches: AnyBatch[]): AnyBatch {
  const join = (key: string): unknown => {
    const each = batches.map((batch) => batch[key as keyof AnyBatch]);
    if (key === "time") return T;
    if (key === "shape") return [PARTS.reduce((a, b) => a + b), T];
    const { constructor } = each[0] as Uint32Array;
    return (constructor as Uint32ArrayConstructor).from(
      each.flatMap((array) => [...array as Uint32Array]),
    );
  };
  return Object.fromEntries(Object.keys(batches[0]).map((key) => [key, join(key)])) as AnyBatch;
}

/** A task over what {@linkcode makeBatch} makes; `targets` names its labels. */
interface Case {
  make: () => Task<never>;
  targets?: "single" | "multiple" | "number";
}

const labels = ["a", "b", "c"];
const classifier = (family: "gpt2" | "bert", labelKind: LabelKind, weights?: number[]): Case => ({
  make: () => {
    const model = family === "bert"
      ? bertSequenceClassifier(bert({ kind: "sequence-classification", labels, labelKind }))
      : gptSequenceClassifier(
        new GptClassifier(device, gptConfig, { labels, labelKind, padId: 0 }),
      );
    return sequenceClassification(model, { weights });
  },
  targets: labelKind,
});

const cases: Record<string, Case> = {
  "language modelling": { make: () => languageModelling(new Gpt(device, gptConfig), T) },
  "language modelling in chunks": {
    make: () => {
      const model = new Gpt(device, gptConfig);
      model.logitBytes = 1;
      return languageModelling(model, T);
    },
  },
  "completions": { make: () => completing(new Gpt(device, gptConfig)) },
  "pre-training": { make: () => bertPretraining(bert({ kind: "pretraining" })) },
  "tags": { make: () => tokenClassification(bert({ kind: "token-classification", labels })) },
  "answers": { make: () => questionAnswering(bert({ kind: "question-answering" })) },
  "a class": classifier("gpt2", "single"),
  "a class, with weights": classifier("bert", "single", [0.2, 0, 7]),
  "several labels": classifier("bert", "multiple"),
  "numbers": classifier("gpt2", "number"),
};

/** The largest difference that was measured is 6.2e-7, of the bias of the next sentence's head. */
const BOUND = 1e-6;

/** Loss, terms and gradients of one step. */
async function step({ make, targets }: Case, batches: AnyBatch[]) {
  const task = make() as Task<unknown>;
  const trainer = new Trainer(task, { accumulation: batches.length, clip: 0 });
  trainer.step(targets ? batches.map((b) => ({ ...b, targets: b[targets] })) : batches, 0);
  const [{ loss, terms = {}, gradientNorm }] = await trainer.figures();
  return {
    figures: [loss, gradientNorm, ...Object.values(terms)],
    gradients: await device.read(...task.parameters.map((p) => p.gradient)),
    names: task.parameters.map((p) => p.name),
  };
}

for (const [name, subject] of Object.entries(cases)) {
  Deno.test(`micro-batches of unequal content are one batch: ${name}`, async () => {
    const whole = await step(subject, [joined(parts)]);
    const split = await step(subject, parts);
    assert.ok(whole.figures[0] > 0.1 && whole.figures[1] > 0.01, "there is something to learn");
    const off = relativeError(split.figures, whole.figures);
    assert.ok(off < BOUND, `the loss, its terms and the gradient's norm: ${off}`);
    const norms = whole.gradients.map((gradient) => Math.hypot(...gradient));
    const least = 1e-6 * Math.max(...norms);
    whole.names.forEach((parameter, i) => {
      // A number that all places share moves no softmax over places: its gradient is 0 but for rounding.
      if (name === "answers" && norms[i] < least) return;
      const off = relativeError(split.gradients[i], whole.gradients[i]);
      assert.ok(off < BOUND, `the gradient of ${parameter}: ${off}`);
    });
    // Nothing to learn anywhere is a loss of 0, and no gradient.
    const empty = parts.slice(2, 3);
    if (subject.targets) return;
    const { figures } = await step(subject, [...empty, ...empty]);
    if (name !== "pre-training") assert.deepEqual(new Set(figures), new Set([0]));
  });
}

Deno.test("a step takes as many batches as accumulation says", () => {
  const trainer = new Trainer(languageModelling(new Gpt(device, gptConfig), T), {
    accumulation: 3,
  });
  assert.throws(
    () => trainer.step(parts.slice(0, 2), 0),
    /from 2 batches: .* is 3, wanted as many/,
  );
});
