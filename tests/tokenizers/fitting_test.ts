/** A tokenizer and a model that do not belong together are told apart. @module */

import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { checkFit } from "../../src/tokenizers/fitting.ts";
import { loadTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import { folder } from "../data/files.ts";

Deno.test("a vocabulary larger than the model beside it is refused, wherever it is opened", async () => {
  const tokenizer = await trainCharacterTokenizer(["abcdefgh"]);
  const size = tokenizer.vocabularySize;
  const json = JSON.stringify(tokenizer.toJson());
  const at = (vocab_size: unknown, more: Record<string, string> = {}) =>
    folder({ "tokenizer.json": json, "config.json": JSON.stringify({ vocab_size }), ...more });
  {
    using made = at(size - 1);
    await assert.rejects(loadTokenizer(made.path), (error: Error) => {
      assert.ok(error instanceof VitrailError);
      assert.match(
        error.message,
        /tokenizer\.json with the model of the config\.json beside it: it has 10 tokens and the model a vocabulary of 9, so they do not belong together/,
      );
      return true;
    });
  }
  // Rows that no token needs are common, and so is a token for padding behind the vocabulary.
  for (const fits of [size, size + 54, undefined, "many"]) {
    using made = at(fits);
    assert.equal((await loadTokenizer(made.path)).vocabularySize, size);
  }
  using padded = at(size, { "tokenizer_config.json": '{"pad_token":"<pad>"}' });
  const found = await loadTokenizer(padded.path);
  assert.equal(found.vocabularySize, size + 1);
  checkFit(found, { vocabularySize: size });
  assert.throws(() => checkFit(tokenizer, { vocabularySize: 3 }), VitrailError);
});
