/**
 * Where special tokens stand around one text or two, as the post-processor of a `tokenizer.json` says.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import {
  anything,
  checkValue,
  countOrNone,
  listOf,
  mapOf,
  object,
  oneOf,
  optional,
  type Rule,
  text,
} from "../formats/json_rules.ts";
import { quoteName } from "../formats/messages.ts";
import { anyPart, definePart, makePart, type PartTable } from "./part.ts";
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

/** Special tokens of a template by name, and what stands at each place of it. */
const templateRule = object({
  single: listOf(object({ Sequence: optional(anything), SpecialToken: optional(anything) })),
  pair: listOf(object({ Sequence: optional(anything), SpecialToken: optional(anything) })),
  special_tokens: mapOf(object({ ids: listOf(countOrNone) })),
});
const sequenceRule = object({ id: oneOf("A", "B"), type_id: countOrNone });
const specialRule = object({ id: text, type_id: countOrNone });
/** A token and its id. */
const tokenRule: Rule<[string, number]> = {
  wanted: "a token and its id",
  holds: (v) => Array.isArray(v) && v.length === 2 && countOrNone.holds(v[1]),
};
const framedRule = object({ cls: tokenRule, sep: tokenRule });

/** The post-processors; those that put no token around texts have no template. */
const POST_PROCESSORS: PartTable<SequenceTemplate | undefined> = {
  ByteLevel: definePart(anything, () => undefined),
  BertProcessing: definePart(framedRule, ({ cls, sep }) => pairTemplate(cls[1], [sep[1]])),
  // <s> a </s></s> b </s>, all of one segment.
  RobertaProcessing: definePart(
    framedRule,
    ({ cls, sep }) => pairTemplate(cls[1], [sep[1]], { segment: 0, between: [sep[1], sep[1]] }),
  ),
  TemplateProcessing: definePart(templateRule, ({ single, pair, special_tokens: tokens }) => {
    const fault = (reason: string) =>
      new VitrailError(`post-processor TemplateProcessing: ${reason}`);
    const partOf = ({ Sequence, SpecialToken }: typeof single[number]): TemplatePart => {
      if (Sequence) {
        const { id, type_id } = checkValue(Sequence, sequenceRule, { fault, name: "Sequence" });
        return { text: id === "A" ? 0 : 1, segment: type_id };
      }
      const { id, type_id } = checkValue(SpecialToken, specialRule, {
        fault,
        name: "SpecialToken",
      });
      if (Object.hasOwn(tokens, id)) return { ids: tokens[id].ids, segment: type_id };
      throw fault(`special_tokens has no ${quoteName(id)}, which the template names`);
    };
    return { single: single.map(partOf), pair: pair.map(partOf) };
  }),
  Sequence: definePart(object({ processors: listOf(anyPart) }), ({ processors }, make) => {
    const found = processors.map(make).filter((template) => template !== undefined);
    if (found.length > 1) {
      throw new VitrailError(
        "post-processor Sequence: several of its parts put tokens around texts, wanted one",
      );
    }
    return found[0];
  }),
};

/**
 * The template of a tokenizer.
 *
 * @returns nothing if it puts no token around texts: then two are one behind the other
 * @throws {VitrailError} if its post-processor is of no known kind, or damaged
 */
export function sequenceTemplate(
  tokenizer: Pick<Tokenizer, "toJson">,
): SequenceTemplate | undefined {
  const { post_processor: part } = (tokenizer.toJson() ?? {}) as { post_processor?: unknown };
  if (part === undefined || part === null) return undefined;
  const fault = (reason: string) =>
    new VitrailError(`Cannot put texts together with this tokenizer: ${reason}`);
  try {
    return makePart(
      checkValue(part, anyPart, { fault, name: "post_processor" }),
      POST_PROCESSORS,
      "post-processor",
    );
  } catch (error) {
    if (error instanceof VitrailError && !error.message.startsWith("Cannot")) {
      throw fault(error.message);
    }
    throw error;
  }
}

/**
 * `[CLS] a [SEP]`, and `[CLS] a [SEP] b [SEP]` with the second text in a segment of its own.
 *
 * @param options.segment that of the second text
 * @param options.between what stands between both texts, if it is not `[SEP]`
 */
export function pairTemplate(
  cls: number,
  sep: readonly number[],
  options: { segment?: number; between?: readonly number[] } = {},
): SequenceTemplate {
  const { segment = 1, between = sep } = options;
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
