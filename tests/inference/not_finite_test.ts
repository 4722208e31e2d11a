/** Weights that are not finite end every kind of inference, with the layer and the weight. @module */

import assert from "node:assert/strict";
import type { Parameter } from "../../src/autograd/parameter.ts";
import { createBertConfig } from "../../src/formats/bert_config.ts";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import type { BertHeadsSettings } from "../../src/formats/huggingface_bert.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { QuestionAnswerer } from "../../src/inference/answer.ts";
import { MaskFiller } from "../../src/inference/fill_mask.ts";
import { Tagger } from "../../src/inference/tag.ts";
import { TextClassifier } from "../../src/inference/text_classifier.ts";
import { Bert } from "../../src/models/bert.ts";
import { GptClassifier } from "../../src/models/gpt_classifier.ts";
import {
  bertSequenceClassifier,
  gptSequenceClassifier,
} from "../../src/models/sequence_classifier.ts";
import { freshWeights } from "../../src/models/weights.ts";
import { evaluate } from "../../src/training/evaluate.ts";
import { sequenceClassification } from "../../src/training/sequence_classification.ts";
import { PIECES, tinyTokenizer } from "../data/pretraining/tiny_bert_tokenizer.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const tokenizer = tinyTokenizer();
const size = { vocabularySize: PIECES.length, contextLength: 17, channels: 8, layers: 2, heads: 2 };
const wide = { initializerRange: 0.5 };
const settings = { labels: ["a", "b"], labelKind: "single" } as const;

function bert(kind: BertHeadsSettings["kind"]): Bert {
  return new Bert(device, createBertConfig(size, wide), {
    heads: { kind, ...settings, labels: ["a", "b"] } as BertHeadsSettings,
    source: freshWeights(4),
  });
}

/** A model under each of its uses, and what it says it cannot do. */
function uses(): [Pick<Bert, "parameters">, () => Promise<unknown>, string][] {
  const [tags, answers, masks, classes] = [
    bert("token-classification"),
    bert("question-answering"),
    bert("masked-language"),
    bertSequenceClassifier(bert("sequence-classification")),
  ];
  const gpt = gptSequenceClassifier(
    new GptClassifier(device, createGptConfig(size, wide), {
      ...settings,
      labels: ["a", "b"],
      padId: 0,
      source: freshWeights(5),
    }),
  );
  const question = { id: "1", question: "who", context: "a b . c d" };
  return [
    [tags, () => new Tagger(tags, tokenizer).tagWords([["a", "b"], ["c"]]), "tag the sentences"],
    [
      answers,
      () => new QuestionAnswerer(answers, tokenizer).answer([question]),
      "answer the questions",
    ],
    [masks, () => new MaskFiller(masks, tokenizer).fill(["a [MASK] b"]), "fill the masks"],
    [
      classes,
      () => new TextClassifier(classes, tokenizer).classify(["a b", "c"]),
      "classify the texts",
    ],
    [gpt, () => new TextClassifier(gpt, tokenizer).classify(["a b", "c"]), "classify the texts"],
    [
      gpt,
      () =>
        evaluate(sequenceClassification(gpt), [
          {
            ids: Uint32Array.of(5, 6),
            lengths: Uint32Array.of(2),
            time: 2,
            targets: Int32Array.of(1),
          },
        ]),
      "evaluate the model",
    ],
  ];
}

Deno.test("all that reads logits refuses what is not finite, and names where it began", async () => {
  for (const [n, [{ parameters }, use, what]] of uses().entries()) {
    await use();
    const broken = [
      "query.weight",
      "c_attn.weight",
      "intermediate.dense.bias",
      "mlp.c_proj.weight",
    ];
    const chosen = parameters.filter(({ name, parts }) =>
      /(layer|h)\.1\./.test(name) &&
      broken.some((end) => name.endsWith(end) || parts?.some((part) => part.endsWith(end)))
    );
    assert.ok(chosen.length >= 2, `${what}: ${chosen.map(({ name }) => name)}`);
    for (const parameter of chosen) {
      const values = await parameter.read() as Float32Array<ArrayBuffer>;
      // Queries that are infinite may hide all keys, as a mask does: what is left of them is 0.
      const value = n % 2 === 0 || /qkv|c_attn/.test(parameter.name) ? NaN : Infinity;
      device.write(parameter, values.map((v, i) => i === 1 ? value : v));
      await assert.rejects(use(), (error: Error) => {
        assert.equal(error.name, "VitrailError", error.stack);
        const wanted =
          `Cannot ${what}: the model's results are not finite; the first numbers that are ` +
          "not finite (";
        assert.ok(error.message.startsWith(wanted), error.message);
        assert.match(error.message, /\) are those of blocks\.1\./);
        assert.ok(
          error.message.includes(`the weight ${parameter.name} holds ${value} at [`),
          error.message,
        );
        return true;
      });
      device.write(parameter, values);
    }
    await use();
  }
});

Deno.test("a head that is not finite is behind the last hook point", async () => {
  const [[model, use]] = uses();
  const head = model.parameters.find(({ name }) => name === "classifier.weight") as Parameter;
  device.write(head, new Float32Array(head.size).fill(NaN));
  await assert.rejects(
    use(),
    /they begin behind the last hook point, and the weight classifier\.weight/,
  );
});
