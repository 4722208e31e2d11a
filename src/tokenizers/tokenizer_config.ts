/**
 * The files beside a `tokenizer.json`, and what they change in it: `tokenizer_config.json`,
 * `special_tokens_map.json` and `added_tokens.json`, as `AutoTokenizer` of `transformers` reads them.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import {
  boolean,
  countOrNone,
  either,
  mapOf,
  object,
  optional,
  type Rule,
  text,
  type ValueOf,
} from "../formats/json_rules.ts";
import { quoteName } from "../formats/messages.ts";
import type { AddedToken } from "./added_tokens.ts";

/** A token by its content, or with how it is found in a text. */
const tokenRule = object({
  content: text,
  lstrip: optional(boolean),
  rstrip: optional(boolean),
  single_word: optional(boolean),
  normalized: optional(boolean),
  special: optional(boolean),
});
const named = optional(either(text, tokenRule));
/** A key that nothing is asked of: `transformers` allows other values there. */
const someTokens = optional(
  { wanted: "tokens", holds: (value) => typeof value === "object" } as Rule<object>,
);

/** The roles of special tokens that a file may name. */
const ROLES = {
  unk_token: named,
  bos_token: named,
  eos_token: named,
  pad_token: named,
  sep_token: named,
  cls_token: named,
  mask_token: named,
};
const roleNames = Object.keys(ROLES) as (keyof typeof ROLES)[];

/** What a `special_tokens_map.json` holds. */
export const specialTokensRule = object({
  ...ROLES,
  additional_special_tokens: someTokens,
  extra_special_tokens: someTokens,
});

/** What a `tokenizer_config.json` holds. */
export const tokenizerConfigRule = object({
  ...ROLES,
  additional_special_tokens: someTokens,
  extra_special_tokens: someTokens,
  tokenizer_class: optional(text),
  added_tokens_decoder: optional(mapOf(tokenRule)),
  add_prefix_space: optional(boolean),
  do_lower_case: optional(boolean),
  strip_accents: optional(boolean),
  tokenize_chinese_chars: optional(boolean),
  split_special_tokens: optional(boolean),
  model_max_length: { wanted: "anything", holds: () => true } as Rule<unknown>,
});

/** What an `added_tokens.json` holds. */
export const addedTokensFileRule: Rule<Record<string, number>> = mapOf(countOrNone);

/** A `tokenizer_config.json`. */
export type TokenizerConfig = ValueOf<typeof tokenizerConfigRule>;

/** The files beside a tokenizer; those that are not there are absent. */
export interface SideFiles {
  config?: TokenizerConfig;
  specialTokens?: ValueOf<typeof specialTokensRule>;
  addedTokens?: Record<string, number>;
  /** `model_type` of the model's own `config.json`. */
  modelType?: unknown;
  /** Its `vocab_size`. */
  vocabularySize?: number;
}

type Token = ValueOf<typeof tokenRule>;

/** The classes that read `vocab.json` and `merges.txt`, and `vocab.txt`, as we do. */
const CLASSES = {
  "vocab.json": ["GPT2Tokenizer"],
  "vocab.txt": ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer"],
};

/** The tokenizer's class in `transformers`; of a model without one, what goes with its type. */
function classOf({ config, modelType }: SideFiles): string | undefined {
  const named = config?.tokenizer_class ??
    (modelType === "gpt2" ? "GPT2Tokenizer" : modelType === "bert" ? "BertTokenizer" : undefined);
  return named?.replace(/Fast$/, "");
}

/**
 * Checks that a class reads the files of an older directory as we do.
 *
 * @throws {VitrailError} if it does not, and names the class
 */
export function checkClass(file: keyof typeof CLASSES, path: string, files: SideFiles): void {
  const named = files.config?.tokenizer_class?.replace(/Fast$/, "");
  if (named === undefined || CLASSES[file].includes(named)) return;
  throw new VitrailError(
    `Cannot use ${path}/${file}: tokenizer_config.json says tokenizer_class ${quoteName(named)}, ` +
      `which is supported only with a tokenizer.json; wanted ${CLASSES[file].join(" or ")}`,
  );
}

/** The contents of a `tokenizer.json` that are changed here. */
interface TokenizerFile {
  added_tokens?: AddedToken[] | null;
  normalizer?: { type: string } | null;
  pre_tokenizer?: { type: string } | null;
  decoder?: { type: string } | null;
}

/**
 * A `tokenizer.json` with what the files beside it say.
 *
 * @throws {VitrailError} if they ask for something that is not supported
 */
export function configure(json: unknown, files: SideFiles): unknown {
  const { config } = files;
  if (typeof json !== "object" || json === null) return json;
  if (config?.split_special_tokens) {
    throw new VitrailError(
      "Cannot use tokenizer_config.json: split_special_tokens is true, wanted false",
    );
  }
  const file = json as TokenizerFile;
  const out: TokenizerFile = { ...file };
  const own = Array.isArray(file.added_tokens) ? file.added_tokens : [];
  const extra = extraTokens(files, new Set(own.map((token) => token?.content)));
  // A file that holds something else than a list is refused by who reads the whole of it.
  if (extra.length > 0 && (file.added_tokens === null || Array.isArray(file.added_tokens ?? []))) {
    out.added_tokens = [...file.added_tokens ?? [], ...extra];
  }
  if (!config) return out;
  const name = classOf(files);
  // These classes set their parts anew, whatever the file says of them.
  if (name === "GPT2Tokenizer" && file.pre_tokenizer?.type === "ByteLevel") {
    const add_prefix_space = config.add_prefix_space ?? false;
    out.pre_tokenizer = { ...file.pre_tokenizer, add_prefix_space } as TokenizerFile["decoder"];
  }
  if (CLASSES["vocab.txt"].includes(name ?? "") && file.normalizer?.type === "BertNormalizer") {
    out.normalizer = bertNormalizer(config);
    if (file.decoder?.type === "WordPiece") {
      out.decoder = { ...file.decoder, cleanup: true } as TokenizerFile["decoder"];
    }
  }
  return out;
}

/** BERT's normalizer with the settings of a configuration. */
export function bertNormalizer(
  config: TokenizerConfig,
): { type: "BertNormalizer" } & Record<string, unknown> {
  return {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: config.tokenize_chinese_chars ?? true,
    strip_accents: config.strip_accents ?? null,
    lowercase: config.do_lower_case ?? true,
  };
}

/** Special tokens by their roles, as files name them. */
export function namedTokens(
  { config = {}, specialTokens = {} }: SideFiles,
): Record<string, string> {
  const found: Record<string, string> = {};
  // A configuration that lists its tokens says all: the other file is for older ones.
  const sources = config.added_tokens_decoder ? [config] : [config, specialTokens];
  for (const source of sources) {
    for (const role of roleNames) {
      const token = source[role];
      if (token) found[role] = typeof token === "string" ? token : token.content;
    }
  }
  return found;
}

/**
 * Tokens that are added behind those of the file. One that it has already takes what a list of added
 * tokens says of it, and is left alone where it has no more than a role.
 */
function extraTokens(files: SideFiles, own: ReadonlySet<string>): AddedToken[] {
  const { config = {}, specialTokens = {}, addedTokens = {} } = files;
  const decoder = config.added_tokens_decoder;
  const roles: Token[] = [];
  const found: [id: number, token: Token][] = [];
  for (const source of decoder ? [config] : [config, specialTokens]) {
    for (const role of roleNames) {
      const token = source[role];
      if (token) roles.push(typeof token === "string" ? { content: token } : token);
    }
    for (const list of [source.additional_special_tokens, source.extra_special_tokens]) {
      for (const token of Array.isArray(list) ? list : []) {
        roles.push(typeof token === "string" ? { content: token } : token);
      }
    }
  }
  const isNamed = (content: string): boolean => roles.some((role) => role.content === content);
  for (const [id, token] of Object.entries(decoder ?? {})) {
    found.push([Number(id), { ...token, special: token.special || isNamed(token.content) }]);
  }
  if (!decoder) {
    for (const [content, id] of Object.entries(addedTokens)) {
      const special = isNamed(content);
      found.push([id, { content, special, normalized: !special }]);
    }
  }
  found.sort(([a], [b]) => a - b);
  const known = new Set([...own, ...found.map(([, { content }]) => content)]);
  const missing = roles.filter(({ content }) => !known.has(content) && known.add(content));
  return [
    ...found.map(([, token]) => complete(token)),
    ...missing.map((token) => complete({ ...token, special: true })),
  ];
}

/** A token with all that it may leave out. */
function complete(token: Token): AddedToken {
  const { content, lstrip, rstrip, single_word, normalized, special } = token;
  return {
    // Its id is the vocabulary's, or the next that is free.
    id: 0,
    content,
    lstrip: lstrip ?? false,
    rstrip: rstrip ?? false,
    single_word: single_word ?? false,
    normalized: normalized ?? !(special ?? false),
    special: special ?? false,
  };
}
