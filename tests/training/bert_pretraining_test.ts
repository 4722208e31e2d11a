/**
 * Pre-training as a task: its terms, its accuracies, and that it learns what can be learnt.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Run } from "../../src/autograd/run.ts";
import {
  type PretrainingBatch,
  PretrainingSampler,
} from "../../src/data/pretraining/pretraining_batches.ts";
import type { SentenceCorpus } from "../../src/data/pretraining/sentence_corpus.ts";
import { createBertConfig } from "../../src/formats/bert_config.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { Bert } from "../../src/models/bert.ts";
import { preTrain } from "../../src/models/bert_tasks.ts";
import { freshWeights } from "../../src/models/weights.ts";
import { bertPretraining, pretrainingAccuracy } from "../../src/training/bert_pretraining.ts";
import { evaluate } from "../../src/training/evaluate.ts";
import { Trainer } from "../../src/training/trainer.ts";
import { makeCorpus, VOCABULARY } from "../data/pretraining/pretraining_cases.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

function makeModel(kind: "pretraining" | "masked-language" = "pretraining"): Bert {
  const config = createBertConfig({
    vocabularySize: VOCABULARY.size,
    contextLength: 29,
    channels: 36,
    layers: 1,
    heads: 3,
  }, { initializerRange: 0.1, hiddenDropout: 0, attentionDropout: 0 });
  return new Bert(device, config, { heads: { kind }, source: freshWeights(5) });
}

const corpus = makeCorpus(Array.from({ length: 61 }, (_, i) => 2 + i % 7));
const OPTIONS = { batch: 13, sequence: 29, shortProbability: 0.3 };

/** The losses of each masked token and of each pair, from logits that are read back. */
async function byHand(model: Bert, batches: PretrainingBatch[]) {
  const found = { masked: [] as number[], next: [] as number[], right: [0, 0] };
  for (const { shape, ids, segments, mask, tokens, follows } of batches) {
    using _scope = device.scope();
    const { logits, rows } = preTrain(new Run(device), model, {
      ids: model.ids(ids, shape),
      segments: device.upload(Uint32Array.from(segments), shape),
      mask: mask && device.upload(Float32Array.from(mask), shape),
      tokens,
      follows,
    });
    const lossOf = (row: ArrayLike<number>, target: number): [number, boolean] => {
      const own = Array.from(row);
      const sum = own.reduce((all, logit) => all + Math.exp(logit), 0);
      return [Math.log(sum) - own[target], own.indexOf(Math.max(...own)) === target];
    };
    const [all, pairs] = await device.read(logits.tokens, logits.follows);
    rows!.forEach((row, i) => {
      const [loss, right] = lossOf(all.subarray(i * 197, (i + 1) * 197), tokens[row]);
      found.masked.push(loss);
      found.right[0] += right ? 1 : 0;
    });
    follows!.forEach((label, b) => {
      const [loss, right] = lossOf(pairs.subarray(2 * b, 2 * b + 2), label);
      found.next.push(loss);
      found.right[1] += right ? 1 : 0;
    });
  }
  return found;
}

Deno.test("losses and accuracies of an evaluation count every masked token and every pair once", async () => {
  const model = makeModel();
  const batches = [...new PretrainingSampler(corpus, VOCABULARY, OPTIONS).first()];
  assert.ok(new Set(batches.map(({ shape }) => shape.join())).size > 2, "batches differ in size");
  const { masked, next, right } = await byHand(model, batches);
  const mean = (all: number[]) => all.reduce((sum, x) => sum + x, 0) / all.length;
  const { terms, tokens, loss } = await evaluate(bertPretraining(model), batches);
  assert.equal(tokens, masked.length);
  const close = (a: number, b: number) => assert.ok(Math.abs(a / b - 1) < 1e-5, `${a}, ${b}`);
  close(terms!.maskedLoss, mean(masked));
  close(terms!.nextSentenceLoss, mean(next));
  close(loss, mean(masked) + mean(next));
  const found = await pretrainingAccuracy(model, batches);
  const labels = batches.flatMap(({ follows }) => [...follows!]);
  const elsewhere = labels.reduce((sum, label) => sum + label, 0);
  assert.deepEqual(found, {
    maskedAccuracy: right[0] / masked.length,
    nextSentenceAccuracy: right[1] / next.length,
    nextSentenceBaseline: Math.max(elsewhere, labels.length - elsewhere) / labels.length,
  });
});

Deno.test("without pairs there is one term, and no accuracy of next sentences", async () => {
  const model = makeModel("masked-language");
  const sampler = new PretrainingSampler(corpus, VOCABULARY, { ...OPTIONS, pairs: false });
  assert.deepEqual(bertPretraining(model).terms, ["maskedLoss"]);
  assert.ok((await evaluate(bertPretraining(model), sampler.first(3))).loss > 0);
  assert.deepEqual(Object.keys(await pretrainingAccuracy(model, sampler.first(3))), [
    "maskedAccuracy",
  ]);
});

/** Seven documents, each of six words of its own: what is masked, and what follows, can be known. */
function makeTopics(): SentenceCorpus {
  const ids: number[] = [];
  const [sentences, begins]: number[][] = [[], []];
  for (let d = 0; d < 7; d++) {
    begins.push(sentences.length);
    for (let s = 0; s < 61; s++) {
      sentences.push(ids.length);
      for (let i = 0; i < 5; i++) ids.push(5 + 6 * d + (s + i * i) % 6);
    }
  }
  begins.push(sentences.length);
  sentences.push(ids.length);
  return {
    ids: Uint32Array.from(ids),
    sentences: Uint32Array.from(sentences),
    documents: Uint32Array.from(begins),
  };
}

Deno.test("words and topics are learnt: both losses fall far below those of a guess", async () => {
  const model = makeModel();
  const task = bertPretraining(model);
  const trainer = new Trainer(task, { weightDecay: 0 });
  const sampler = new PretrainingSampler(makeTopics(), VOCABULARY, { batch: 16, sequence: 29 });
  for (let n = 0; n < 400; n++) {
    trainer.step([sampler.at(n)], 3e-3 * Math.min(1, (n + 1) / 20));
    if (trainer.full) await trainer.figures();
  }
  const other = new PretrainingSampler(makeTopics(), VOCABULARY, {
    batch: 16,
    sequence: 29,
    seed: 1,
  });
  const { terms } = await evaluate(task, other.first(8));
  const { nextSentenceAccuracy } = await pretrainingAccuracy(model, other.first(8));
  assert.ok(terms!.maskedLoss < Math.log(197) / 2, JSON.stringify(terms));
  assert.ok(terms!.nextSentenceLoss < Math.LN2 / 2, JSON.stringify(terms));
  assert.ok(nextSentenceAccuracy! > 0.9, `${nextSentenceAccuracy}`);
});
