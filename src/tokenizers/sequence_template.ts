/**
 * Where special tokens stand around one text or two, as the post-processor of a `tokenizer.json` says.
 *
 * @module
 */
import { JsonTokenizer, type Tokenizer } from "./tokenizer.ts";

/** A part of a sequence: the tokens of a text, or ids that always stand there. */
export type TemplatePart =
  | { text: 0 | 1; segment: number }
  | { ids: readonly number[]; segment: number };

/** The parts of a sequence of one text, and of one of two. */
export interface SequenceTemplate {
  /** Of one text. */
  single: readonly TemplatePart[];
  /** Of two. */
  pair: readonly TemplatePart[];
}

/** The post-processors that put tokens around texts, and those that do not. */
interface PostProcessor {
  type: string;
  processors?: PostProcessor[];
  single?: TemplateEntry[];
  pair?: TemplateEntry[];
  special_tokens?: Record<string, { ids: number[] }>;
  cls?: [string, number];
  sep?: [string, number];
}

type TemplateEntry =
  | { Sequence: { id: "A" | "B"; type_id: number } }
  | { SpecialToken: { id: string; type_id: number } };

/**
 * The template of a tokenizer.
 *
 * @returns nothing if it puts no token around texts: then two are one behind the other
 */
export function sequenceTemplate(
  tokenizer: Pick<Tokenizer, "toJson">,
): SequenceTemplate | undefined {
  const { post_processor } = (tokenizer.toJson() ?? {}) as { post_processor?: PostProcessor };
  return templateOf(post_processor);
}

function templateOf(processor: PostProcessor | null | undefined): SequenceTemplate | undefined {
  switch (processor?.type) {
    case "Sequence":
      return processor.processors?.map(templateOf).find((found) => found !== undefined);
    case "TemplateProcessing": {
      const { single = [], pair = [], special_tokens = {} } = processor;
      const partOf = (entry: TemplateEntry): TemplatePart =>
        "Sequence" in entry
          ? { text: entry.Sequence.id === "A" ? 0 : 1, segment: entry.Sequence.type_id }
          : {
            ids: special_tokens[entry.SpecialToken.id]?.ids ?? [],
            segment: entry.SpecialToken.type_id,
          };
      return { single: single.map(partOf), pair: pair.map(partOf) };
    }
    case "BertProcessing":
      return pairTemplate(processor.cls![1], [processor.sep![1]], 1);
    case "RobertaProcessing": {
      // <s> a </s></s> b </s>, all of one segment.
      const sep = processor.sep![1];
      return pairTemplate(processor.cls![1], [sep], 0, [sep, sep]);
    }
    default:
      return undefined;
  }
}

/** `[CLS] a [SEP]`, and `[CLS] a [SEP] b [SEP]` with the second text in a segment of its own. */
export function pairTemplate(
  cls: number,
  sep: readonly number[],
  segment = 1,
  between: readonly number[] = sep,
): SequenceTemplate {
  const head: TemplatePart[] = [{ ids: [cls], segment: 0 }, { text: 0, segment: 0 }];
  return {
    single: [...head, { ids: sep, segment: 0 }],
    pair: [...head, { ids: between, segment: 0 }, { text: 1, segment }, { ids: sep, segment }],
  };
}

/**
 * A tokenizer that puts the end of a text between the two of a pair: what it was without one, if it knows
 * no such token.
 */
export function separatingPairs(tokenizer: Tokenizer): Tokenizer {
  const { endOfText } = tokenizer;
  if (endOfText === undefined) return tokenizer;
  const json = tokenizer.toJson() as { added_tokens: { id: number; content: string }[] };
  const { content: id } = json.added_tokens.find(({ id }) => id === endOfText)!;
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  return new JsonTokenizer({
    ...json,
    post_processor: {
      type: "TemplateProcessing",
      single: [sequence("A")],
      pair: [sequence("A"), { SpecialToken: { id, type_id: 0 } }, sequence("B")],
      special_tokens: { [id]: { id, ids: [endOfText], tokens: [id] } },
    },
  });
}

/** One text, or two one behind the other, with nothing around them. */
export const BARE_TEMPLATE: SequenceTemplate = {
  single: [{ text: 0, segment: 0 }],
  pair: [{ text: 0, segment: 0 }, { text: 1, segment: 0 }],
};
