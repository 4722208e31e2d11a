/** The models of a `tokenizer.json`. @module */

import { VitrailError } from "../../errors.ts";
import { checkValue, type Rule } from "../../formats/json_rules.ts";
import { quoteName, quoteValue } from "../../formats/messages.ts";
import { bpeRule, BytePairModel } from "./bpe.ts";
import type { Model, OnUnknown } from "./model.ts";
import { UnigramModel, unigramRule } from "./unigram.ts";
import { WordLevelModel, wordLevelRule } from "./word_level.ts";
import { WordPieceModel, wordPieceRule } from "./word_piece.ts";

/** A row of the table. */
interface Row {
  rule: Rule<unknown>;
  // deno-lint-ignore no-explicit-any -- each row has its own type, which its rule has checked
  make: new (part: any, onUnknown: OnUnknown) => Model;
}

/** Every model that is known, in the order in which a file without a type is tried. */
const MODELS: Readonly<Record<string, Row>> = {
  BPE: { rule: bpeRule, make: BytePairModel },
  WordPiece: { rule: wordPieceRule, make: WordPieceModel },
  WordLevel: { rule: wordLevelRule, make: WordLevelModel },
  Unigram: { rule: unigramRule, make: UnigramModel },
};

/**
 * The model that a file describes.
 *
 * @throws {VitrailError} if it is none, or holds something that it may not
 */
export function makeModel(part: Record<string, unknown>, onUnknown: OnUnknown): Model {
  const fault = (reason: string) => new VitrailError(`model: ${reason}`);
  const type = part.type ?? Object.keys(MODELS).find((name) => fits(part, MODELS[name].rule));
  if (typeof type !== "string" || !Object.hasOwn(MODELS, type)) {
    throw new VitrailError(
      `model ${typeof type === "string" ? quoteName(type) : quoteValue(type)} is not supported, ` +
        `wanted ${Object.keys(MODELS).join(", ")}`,
    );
  }
  const { rule, make } = MODELS[type];
  checkValue(part, rule, { fault });
  try {
    return new make(part, onUnknown);
  } catch (cause) {
    throw cause instanceof VitrailError ? fault(cause.message) : cause;
  }
}

function fits(part: unknown, rule: Rule<unknown>): boolean {
  try {
    checkValue(part, rule, { fault: (reason) => new VitrailError(reason) });
    return true;
  } catch {
    return false;
  }
}
