/** Whether a tokenizer and a model belong together. @module */

import { VitrailError } from "../errors.ts";
import type { Tokenizer } from "./json_tokenizer.ts";

/**
 * Checks that a model has a row for every token of a vocabulary. A model may have more, which no token
 * needs; tokens that were added to the vocabulary may lie behind it until a text has one.
 *
 * @param options.tokenizerName what to call the tokenizer in the error
 * @param options.modelName what to call the model
 * @throws {VitrailError} if the vocabulary is larger than the model's
 */
export function checkFit(
  tokenizer: Tokenizer,
  { vocabularySize }: { vocabularySize: number },
  { tokenizerName = "this tokenizer", modelName = "the model" } = {},
): void {
  const tokens = tokenizer.modelSize ?? tokenizer.vocabularySize;
  if (tokens <= vocabularySize) return;
  throw new VitrailError(
    `Cannot use ${tokenizerName} with ${modelName}: it has ${tokens} tokens and the model a ` +
      `vocabulary of ${vocabularySize}, so they do not belong together; wanted the tokenizer that ` +
      "the model was trained with",
  );
}
