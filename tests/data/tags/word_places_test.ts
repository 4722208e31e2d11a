/** Places of words in sequences of either family. @module */

import assert from "node:assert/strict";
import { trainBytePairTokenizer } from "../../../src/tokenizers/train_bpe.ts";
import { wordSequences } from "../../../src/data/tags/word_places.ts";
import { PIECES, tinyTokenizer } from "../pretraining/tiny_bert_tokenizer.ts";

Deno.test("BERT's words are looked at in their first piece or in their last", () => {
  const options = { tokenizer: tinyTokenizer(), family: "bert", contextLength: 7 } as const;
  const words = [["abc", "d'a", "b"], ["d", "ab"]];
  const first = wordSequences(words, options);
  const last = wordSequences(words, { ...options, piece: "last" });
  const at = ({ ids, places }: (typeof first)[number]) =>
    Array.from(places, (place) => PIECES[ids[place]]);
  assert.deepEqual(first.map(at), [["a"], ["d", "b"], ["d", "a"]]);
  assert.deepEqual(last.map(at), [["##c"], ["a", "b"], ["d", "##b"]]);
  assert.deepEqual(first.map(({ sentence, word }) => [sentence, word]), [[0, 0], [0, 1], [1, 0]]);
});

Deno.test("a GPT reads the words of a sentence as its text, in as many parts as it takes", async () => {
  const text = "It's the 3rd time, said Anna-Lena; she didn't laugh (much) at 12.50 o'clock.";
  const tokenizer = await trainBytePairTokenizer([text.repeat(9)], { vocabularySize: 290 });
  const words = text.split(" ");
  const options = { tokenizer, family: "gpt2" } as const;
  const [whole, ...none] = wordSequences([words], { ...options, contextLength: 200 });
  assert.equal(none.length, 0);
  assert.deepEqual(whole.ids, tokenizer.encode(text));
  const between = (from: number, to: number) => tokenizer.decode(whole.ids.slice(from, to)).trim();
  const ends = [...whole.places.subarray(1), whole.ids.length];
  assert.deepEqual(Array.from(whole.places, (place, w) => between(place, ends[w])), words);
  const [{ places: lasts }] = wordSequences([words], {
    ...options,
    contextLength: 200,
    piece: "last",
  });
  assert.deepEqual([...lasts], ends.map((end) => end - 1));

  const parts = wordSequences([["no"], words], { ...options, contextLength: 16 });
  assert.ok(parts.length > 3);
  assert.deepEqual(parts.slice(1).flatMap(({ ids }) => [...ids]), [...whole.ids]);
  let word = 0;
  for (const part of parts.slice(1)) {
    assert.ok(part.ids.length <= 16);
    assert.deepEqual([part.sentence, part.word], [1, word]);
    word += part.places.length;
  }
  assert.equal(word, words.length);
  assert.throws(
    () => wordSequences([["a", ""]], { ...options, tokenizer: emptyFor(" "), contextLength: 9 }),
    /Cannot look at word 2 of sentence 1, "": the tokenizer leaves nothing of it/,
  );

  function emptyFor(blank: string) {
    const encode = (text: string) => text === blank ? new Uint32Array() : tokenizer.encode(text);
    return Object.assign(Object.create(tokenizer), { encode });
  }
});
