/** Subword alignment: tags at first pieces, long sentences divided, words of text. @module */

import assert from "node:assert/strict";
import { tagBatch, tagNumbers, tagSequences } from "../../../src/data/tags/tag_sequences.ts";
import { splitWords } from "../../../src/data/words.ts";
import { PIECES, tinyTokenizer } from "../pretraining/tiny_bert_tokenizer.ts";

const tokenizer = tinyTokenizer();
const pieces = (ids: Uint32Array) => Array.from(ids, (id) => PIECES[id]).join(" ");

Deno.test("a tag stands at its word's first piece, and nothing is asked elsewhere", () => {
  const sentences = [["abc", "d'a", "\u0007", "b"], ["zebra", "d"]];
  const { sequences, divided, cutWords } = tagSequences(sentences, {
    tokenizer,
    contextLength: 29,
  });
  assert.deepEqual([divided, cutWords], [0, 0]);
  assert.equal(pieces(sequences[0].ids), "[CLS] a ##b ##c d ' a [UNK] b [SEP]");
  assert.equal(pieces(sequences[1].ids), "[CLS] [UNK] d [SEP]");
  const tags = [[3, 1, 0, 2], [2, 4]];
  const sizes = { padId: 0, contextLength: 29 };
  const { shape, labels } = tagBatch(sequences, (s) => tags[s], sizes);
  assert.deepEqual(shape, [2, 16]);
  const _ = -100;
  assert.deepEqual([...labels], [
    ...[_, 3, _, _, 1, _, _, 0, 2, _, _, _, _, _, _, _],
    ...[_, 2, 4, _, _, _, _, _, _, _, _, _, _, _, _, _],
  ]);
});

Deno.test("a sentence that is too long is divided between words, and each word keeps its tag", () => {
  const words = ["ab", "c", "abcd", "abcda", "d", "dd", "a"];
  const { sequences, divided, cutWords } = tagSequences([["a"], words], {
    tokenizer,
    contextLength: 6,
  });
  assert.deepEqual(sequences.map(({ ids }) => pieces(ids)), [
    "[CLS] a [SEP]",
    "[CLS] a ##b c [SEP]",
    "[CLS] a ##b ##c ##d [SEP]",
    "[CLS] a ##b ##c ##d [SEP]", // of abcda, the last piece did not fit
    "[CLS] d d ##d a [SEP]",
  ]);
  assert.deepEqual([divided, cutWords], [1, 1]);
  const { labels, shape } = tagBatch(
    sequences.slice(1),
    () => Int32Array.from(words.keys()),
    { padId: 0, contextLength: 6 },
  );
  const asked = [...labels].filter((label) => label !== -100);
  assert.deepEqual([shape[1], ...asked], [6, 0, 1, 2, 3, 4, 5, 6]);
  assert.throws(() => tagSequences([["a"]], { tokenizer, contextLength: 2 }), /no room for a word/);
});

Deno.test("a tag that does not exist in training is told with its sentence", () => {
  const sentence = { id: "x.conll:7", tags: ["B", "A"] };
  assert.deepEqual(tagNumbers([sentence], ["A", "B"]), [Int32Array.of(1, 0)]);
  assert.throws(() => tagNumbers([sentence], ["A", "C"]), {
    name: "VitrailError",
    message: 'Cannot use the tag "B" of x.conll:7: the model knows A, C',
  });
});

Deno.test("a text's words: punctuation apart, abbreviations and what words have inside whole", () => {
  const cut = (text: string) => splitWords(text).map((word) => word.text).join("|");
  assert.equal(cut(`"I don't know," said Mr. Smith.`), `"|I|don't|know|,|"|said|Mr.|Smith|.`);
  assert.equal(cut("the U.S. (in 1961) -- or..."), "the|U.S.|(|in|1961|)|--|or|...");
  assert.equal(cut("well-known $3.5, 10%; 'em!"), "well-known|$3.5|,|10%|;|'em|!");
  assert.equal(cut("  J. F. K.\n?! "), "J.|F.|K.|?|!");
  assert.equal(cut("«Où?» “Hé”"), "«|Où|?|»|“|Hé|”");
  for (const { text, begin } of splitWords("¿Qué… (U.S.)?")) {
    assert.equal("¿Qué… (U.S.)?".slice(begin, begin + text.length), text);
  }
});
