/**
 * The tokens at which a generation stops.
 *
 * @module
 */
import { endOfTextIds, type GptConfig } from "../formats/gpt_config.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";

/**
 * The tokens that end what a model writes: those that its configuration names, which
 * `generation_config.json` and `config.json` say, or else the one of its tokenizer.
 */
export function endTokens(
  config: Pick<GptConfig, "endOfTextId">,
  tokenizer?: Pick<Tokenizer, "endOfText">,
): number[] {
  const named = endOfTextIds(config);
  if (named.length > 0 || tokenizer?.endOfText === undefined) return named;
  return [tokenizer.endOfText];
}

/**
 * Names the tokenizer's end of a text in the configuration of a model that names none, so that a
 * directory written from it ends where this one does, in `transformers` too.
 */
export function nameEnd(
  { config }: { config: GptConfig },
  tokenizer?: Pick<Tokenizer, "endOfText">,
): void {
  const id = tokenizer?.endOfText;
  if (endOfTextIds(config).length > 0 || id === undefined || id >= config.vocabularySize) return;
  config.endOfTextId = id;
}
