/**
 * The whole examination of a model with its tokenizer: the evidence, and a sequence to look at.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { Gpt } from "../../models/gpt.ts";
import { type AttentionFindings, examineAttention } from "../attention/findings.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { ProbeSubject } from "../subject.ts";
import { examineInduction, type InductionEvidence } from "./evidence.ts";
import { inductionSequences } from "./sequences.ts";

/** What was found. */
export interface InductionFindings {
  /** Which heads, and what shows it. */
  evidence: InductionEvidence;
  /** One short sequence, as all heads attend to it. */
  example: AttentionFindings;
}

/** Tokens of the sequence to look at. */
const SHORT = 25;

/**
 * Examines a GPT: one of our own making, or any other.
 *
 * @throws {VitrailError} if it is no GPT, or its context is too short for tokens to repeat
 */
export async function examineInductionOf(
  subject: ProbeSubject,
  options: { seed?: number } = {},
): Promise<InductionFindings> {
  const { model, tokenizer } = subject;
  if (!(model instanceof Gpt)) {
    throw new VitrailError(
      "Cannot look for induction heads in a BERT, which sees what follows: wanted a GPT",
    );
  }
  const drawn = { ...options, begin: tokenizer.endOfText ?? 0, firstId: firstLetter(tokenizer) };
  const evidence = await examineInduction(model, drawn);
  const sequence = Math.min(SHORT, model.config.contextLength);
  const { inputs: ids } = inductionSequences(model, { ...drawn, batch: 1, sequence });
  const tokens = Array.from(ids, (id) => subject.token(id));
  const example = await examineAttention(subject, { text: tokens.join(""), ids, tokens });
  return { evidence, example };
}

/** The first id that stands for text. */
function firstLetter(tokenizer: Tokenizer): number {
  const { added_tokens = [] } = tokenizer.toJson() as { added_tokens?: { id: number }[] };
  const special = new Set(added_tokens.map(({ id }) => id));
  let id = 0;
  while (special.has(id)) id++;
  return id;
}
