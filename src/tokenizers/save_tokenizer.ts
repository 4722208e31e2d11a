/**
 * Writing a tokenizer so that `AutoTokenizer` of `transformers` gives its ids and texts too.
 *
 * @module
 */
import { writeFileAtomic } from "../formats/atomic_file.ts";
import type { AddedToken } from "./added_tokens.ts";
import type { Tokenizer } from "./json_tokenizer.ts";

/** Roles of special tokens, and the tokens that are known in each, the likeliest first. */
const ROLES: readonly (readonly [role: string, tokens: readonly string[]])[] = [
  ["unk_token", ["[UNK]", "<unk>"]],
  ["pad_token", ["[PAD]", "<pad>", "<|pad|>"]],
  ["cls_token", ["[CLS]"]],
  ["sep_token", ["[SEP]"]],
  ["mask_token", ["[MASK]", "<mask>"]],
];

/**
 * Writes `tokenizer.json`, and beside it `tokenizer_config.json` and `special_tokens_map.json`: without
 * them, `transformers` takes a GPT's or BERT's tokenizer for GPT-2's own or bert-base-uncased's.
 *
 * @param options.contextLength tokens that the model takes at once
 * @throws {VitrailError} if a file cannot be written
 */
export function saveTokenizer(
  directory: string,
  tokenizer: Tokenizer,
  { contextLength }: { contextLength?: number } = {},
): void {
  const roles = rolesOf(tokenizer);
  const isBert = roles.cls_token !== undefined && roles.sep_token !== undefined;
  const config = {
    // The class that takes tokenizer.json as it is; other classes set some of its parts anew.
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    // A GPT would add a token type's embedding to the tokens'.
    model_input_names: ["input_ids", ...isBert ? ["token_type_ids"] : [], "attention_mask"],
    ...contextLength !== undefined && { model_max_length: contextLength },
    ...roles,
  };
  const write = (name: string, content: unknown): void =>
    writeFileAtomic(`${directory}/${name}`, JSON.stringify(content, null, 2) + "\n");
  write("tokenizer_config.json", config);
  write("special_tokens_map.json", roles);
  writeFileAtomic(`${directory}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
}

/** The special tokens of a tokenizer by their roles: as its files name them, or by their names. */
function rolesOf(tokenizer: Tokenizer): Record<string, string> {
  const { added_tokens } = (tokenizer.toJson() ?? {}) as { added_tokens?: AddedToken[] | null };
  // A token that is special nowhere else would become so by having a role.
  const special = (added_tokens ?? []).filter((token) => token.special);
  const contents = new Set(special.map(({ content }) => content));
  const roles: Record<string, string> = {};
  for (const [role, tokens] of ROLES) {
    const token = tokens.find((content) => contents.has(content));
    if (token !== undefined) roles[role] = token;
  }
  const end = special.find(({ id }) => id === tokenizer.endOfText);
  if (end && end.content !== roles.sep_token) {
    roles.eos_token = end.content;
    roles.bos_token = contents.has("<s>") && end.content === "</s>" ? "<s>" : end.content;
  }
  for (const [role, token] of Object.entries(tokenizer.namedTokens ?? {})) {
    if (contents.has(token)) roles[role] = token;
  }
  return roles;
}
