/**
 * Filling masks: probabilities as the loss sees them, alone or in a padded batch, and what is refused.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Run } from "../../src/autograd/run.ts";
import { VitrailError } from "../../src/errors.ts";
import { createBertConfig } from "../../src/formats/bert_config.ts";
import type { BertHeadsSettings } from "../../src/formats/huggingface_bert.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { MaskFiller } from "../../src/inference/fill_mask.ts";
import { Bert } from "../../src/models/bert.ts";
import { preTrain } from "../../src/models/bert_tasks.ts";
import { freshWeights } from "../../src/models/weights.ts";
import { encodePair } from "../../src/tokenizers/bert_encoder.ts";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import { trainWordPieceTokenizer } from "../../src/tokenizers/train_word_piece.ts";
import { assertClose } from "../compare.ts";

const WORDS =
  "The hungry sparrow singing behind the river waited for the sleeping dogs of the house. ";
const tokenizer = await trainWordPieceTokenizer([WORDS.repeat(3)], { vocabularySize: 97 });
const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

function makeModel(kind: BertHeadsSettings["kind"], vocabularySize = tokenizer.vocabularySize) {
  const config = createBertConfig({
    vocabularySize,
    contextLength: 29,
    channels: 36,
    layers: 1,
    heads: 3,
  }, { initializerRange: 0.3 });
  return new Bert(device, config, {
    heads: { kind, labels: ["a", "b"], labelKind: "single" } as BertHeadsSettings,
    source: freshWeights(12),
  });
}

const TEXTS = [
  "The [MASK] sparrow waited for the [MASK]ing dogs behind the house",
  "[MASK]",
  "Singing, the [MASK] [MASK].",
];

Deno.test("guesses have the probabilities of the loss, the likeliest first", async () => {
  using _scope = device.scope();
  const model = makeModel("pretraining");
  const [{ masks, text }] = await new MaskFiller(model, tokenizer).fill([TEXTS[0]], { topK: 7 });
  assert.equal(masks.length, 2);
  const maskId = tokenizer.tokenToId("[MASK]")!;
  const { ids } = encodePair(tokenizer, text);
  const places = [...ids.keys()].filter((i) => ids[i] === maskId);
  for (const [m, { guesses, begin, end }] of masks.entries()) {
    assert.equal(text.slice(begin, end), "[MASK]");
    assert.equal(guesses.length, 7);
    for (const { id, token, score } of guesses) {
      assert.equal(tokenizer.tokenToId(token), id);
      const tokens = new Int32Array(ids.length).fill(-100);
      tokens[places[m]] = id;
      const { losses } = preTrain(new Run(device), model, { ids: model.ids(ids), tokens });
      const [loss] = await losses[0].result.read();
      assertClose([Math.exp(-loss)], [score], { bound: 1e-5, label: `${token} in place ${m}` });
    }
    const best = guesses.map(({ score }) => score);
    assert.deepEqual(best, best.toSorted((a, b) => b - a));
  }
  // None that was left out is likelier: seven in order are the first of all in order.
  const [all] = await new MaskFiller(model, tokenizer).fill([text], { topK: 97 });
  masks.forEach(({ guesses }, m) => {
    assert.deepEqual(all.masks[m].guesses.slice(0, 7), guesses);
    const sum = all.masks[m].guesses.reduce((total, { score }) => total + score, 0);
    assert.ok(Math.abs(sum - 1) < 1e-9);
  });
});

Deno.test("a text alone and in a padded batch is filled alike, in the order given", async () => {
  using _scope = device.scope();
  const filler = new MaskFiller(makeModel("masked-language"), tokenizer);
  const together = await filler.fill(TEXTS, { batch: 3 });
  assert.deepEqual(together.map(({ text }) => text), TEXTS);
  for (const [i, text] of TEXTS.entries()) {
    const [alone] = await filler.fill([text]);
    assert.equal(alone.filled, together[i].filled);
    const scores = ({ masks }: typeof alone) =>
      masks.flatMap(({ guesses }) => guesses.map(({ score }) => score));
    assertClose(scores(together[i]), scores(alone), { bound: 1e-5, label: text });
  }
});

Deno.test("a piece that goes on with a word joins the word before it", async () => {
  using _scope = device.scope();
  const model = makeModel("masked-language");
  const filler = new MaskFiller(model, tokenizer);
  const piece = [...Array(97).keys()].find((id) => tokenizer.decode([id]).startsWith("##")) ??
    tokenizer.tokenToId("##s")!;
  // A bias that leaves no doubt.
  const bias = model.parameters.find(({ name }) => name === "cls.predictions.bias")!;
  const values = new Float32Array(tokenizer.vocabularySize);
  values[piece] = 1e4;
  device.write(bias, values);
  const [{ filled, masks }] = await filler.fill(["two dog [MASK], asleep"]);
  const { token } = masks[0].guesses[0];
  assert.ok(token.startsWith("##"));
  assert.equal(filled, `two dog${token.slice(2)}, asleep`);
});

Deno.test("models, tokenizers and texts that do not fit are told in one line", async () => {
  using _scope = device.scope();
  const filler = new MaskFiller(makeModel("masked-language"), tokenizer);
  const message = (reason: string) => new VitrailError(reason);
  await assert.rejects(
    filler.fill(["[MASK]", "no gap"]),
    message('Cannot fill in "no gap": it has no [MASK]; put one where a word goes'),
  );
  await assert.rejects(filler.fill([`[MASK] ${"dogs ".repeat(40)}`]), /context is 29; shorten the/);
  assert.throws(
    () => new MaskFiller(makeModel("sequence-classification"), tokenizer),
    message(
      "Cannot fill masks with this BERT: its head is for sequence-classification; " +
        "wanted one that was pre-trained and not fine-tuned since",
    ),
  );
  const characters = await trainCharacterTokenizer([WORDS]);
  assert.throws(
    () => new MaskFiller(makeModel("masked-language"), characters),
    /the tokenizer has no \[MASK\]; wanted the one that the model was made with/,
  );
  assert.throws(
    () => new MaskFiller(makeModel("masked-language", 29), tokenizer),
    /it has \d+ tokens and the model a vocabulary of 29, so they do not belong together/,
  );
});
