/**
 * What a `tokenizer.json` may hold at its outermost, and in the parts that are not run here: the Rust library
 * refuses a file whose padding is damaged, for every reader.
 *
 * @module
 */
import {
  absent,
  anything,
  boolean,
  closed,
  count,
  countOrNone,
  either,
  listOf,
  mapOf,
  object,
  oneOf,
  optional,
  type Rule,
  text,
  type ValueOf,
  whole,
} from "../formats/json_rules.ts";
import { addedTokensRule } from "./added_tokens.ts";
import { type AnyPart, byteLevelRule, optionalPart } from "./part.ts";

/** A token's id, of 32 bits there. */
const id = whole(0, 2 ** 32 - 1);
const direction = optional(oneOf("Left", "Right"));

const truncation = object({
  direction,
  max_length: countOrNone,
  strategy: oneOf("LongestFirst", "OnlyFirst", "OnlySecond"),
  stride: countOrNone,
});

const padding = object({
  strategy: either(oneOf("BatchLongest"), object({ Fixed: countOrNone })),
  direction: oneOf("Left", "Right"),
  pad_to_multiple_of: optional(count),
  pad_id: id,
  pad_type_id: id,
  pad_token: text,
});

/** A token and its id, as BERT's post-processor names them. */
const pair: Rule<[string, number]> = {
  wanted: "a token and its id",
  holds: (v) => Array.isArray(v) && v.length === 2 && text.holds(v[0]) && id.holds(v[1]),
};

/** One piece of a template: a special token, or what it is put around. */
const piece = either(
  closed(object({ SpecialToken: object({ id: text, type_id: id }) }), ["SpecialToken"]),
  closed(object({ Sequence: object({ id: oneOf("A", "B"), type_id: id }) }), ["Sequence"]),
);

const template = object({
  single: listOf(piece),
  pair: listOf(piece),
  special_tokens: mapOf(
    object({ id: text, ids: listOf(either(id, absent)), tokens: listOf(text) }),
  ),
});

/** What each kind of post-processor must hold. */
const POST_PROCESSORS: Record<string, Rule> = {
  BertProcessing: object({ sep: pair, cls: pair }),
  ByteLevel: byteLevelRule,
  RobertaProcessing: object({
    sep: pair,
    cls: pair,
    trim_offsets: boolean,
    add_prefix_space: boolean,
  }),
  Sequence: object({ processors: { wanted: "", holds: () => true } }),
  TemplateProcessing: {
    ...template,
    holds: (v) => {
      const named = [...listed(v, "single"), ...listed(v, "pair")]
        .map((one) => (one as { SpecialToken?: { id?: unknown } } | null)?.SpecialToken?.id)
        .filter((name) => typeof name === "string");
      const { special_tokens: known } = v as { special_tokens?: unknown };
      return template.holds(v) && typeof known === "object" && known !== null &&
        named.every((name) => Object.hasOwn(known, name));
    },
  },
};

function listed(value: unknown, key: string): unknown[] {
  const list = (value as Record<string, unknown> | null)?.[key];
  return Array.isArray(list) ? list : [];
}

/** A post-processor, or a sequence of them. */
const postProcessor: Rule<AnyPart> = {
  wanted: `a post-processor (${Object.keys(POST_PROCESSORS).join(", ")}) with its special tokens`,
  holds: (v) => {
    const { type } = (v ?? {}) as { type?: unknown };
    return typeof type === "string" && Object.hasOwn(POST_PROCESSORS, type) &&
      POST_PROCESSORS[type].holds(v);
  },
  *inside(v) {
    yield* POST_PROCESSORS[(v as AnyPart).type].inside!(v);
    const { processors } = v as { processors?: unknown };
    if (processors !== undefined) yield ["processors", processors, listOf(postProcessor)];
  },
};

const file = object({
  version: either(oneOf("1.0"), absent),
  truncation: optional(truncation),
  padding: optional(padding),
  added_tokens: addedTokensRule,
  normalizer: optionalPart,
  pre_tokenizer: optionalPart,
  post_processor: optional(postProcessor),
  decoder: optionalPart,
  model: mapOf(anything),
});

/** The whole file. */
export const fileRule: Rule<ValueOf<typeof file>> = closed(file, [
  "version",
  "truncation",
  "padding",
  "added_tokens",
  "normalizer",
  "pre_tokenizer",
  "post_processor",
  "decoder",
  "model",
]);
