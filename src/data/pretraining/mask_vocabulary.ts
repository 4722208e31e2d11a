/**
 * What masking needs of a tokenizer: its special tokens, and which tokens go on with a word.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { MaskVocabulary } from "./masking.ts";

/** The parts of a `tokenizer.json` that are looked at here. */
interface TokenizerFile {
  added_tokens?: { id: number; special: boolean }[];
  model: { vocab: Record<string, number>; continuing_subword_prefix?: string | null };
}

/**
 * Looks a tokenizer over.
 *
 * @throws {VitrailError} if it lacks one of BERT's special tokens
 */
export function maskVocabularyOf(tokenizer: Tokenizer): MaskVocabulary {
  const idOf = (token: string): number => {
    const id = tokenizer.tokenToId(token);
    if (id !== undefined) return id;
    throw new VitrailError(
      `Cannot pre-train BERT with this tokenizer: it has no ${token}; wanted one of BERT's, ` +
        "or one trained with `vitrail tokenizer train --kind wordpiece`",
    );
  };
  const file = tokenizer.toJson() as TokenizerFile;
  const own = {
    classId: idOf("[CLS]"),
    separatorId: idOf("[SEP]"),
    maskId: idOf("[MASK]"),
    padId: idOf("[PAD]"),
  };
  const unknown = tokenizer.tokenToId("[UNK]");
  const added = (file.added_tokens ?? []).filter(({ special }) => special).map(({ id }) => id);
  const specialIds = new Set([...Object.values(own), ...added]);
  if (unknown !== undefined) specialIds.add(unknown);
  const continues = new Uint8Array(tokenizer.vocabularySize);
  const prefix = file.model.continuing_subword_prefix;
  for (const [token, id] of Object.entries(file.model.vocab)) {
    if (prefix && token.startsWith(prefix) && token.length > prefix.length) continues[id] = 1;
  }
  return { size: tokenizer.vocabularySize, ...own, specialIds: [...specialIds], continues };
}
