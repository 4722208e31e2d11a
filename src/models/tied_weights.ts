/**
 * Embeddings and the head that decodes by them: one tensor or two, and under which names a file has them.
 *
 * @module
 */
import type { SafetensorsFile } from "../formats/safetensors.ts";
import { storedName, type StoredNames } from "./weights.ts";

/** Two names of one tensor: the table of tokens, and the weight of the head that decodes by it. */
export interface TiedNames {
  /** (V, C). */
  token: string;
  /** (V, C). */
  head: string;
}

/** The same of a family, with the prefix of its files, and the keys that ask for its tensors. */
interface FamilyNames extends TiedNames {
  prefix: string;
  keys: NonNullable<StoredNames["keys"]>;
}

/** A GPT's. */
export const GPT2: FamilyNames = {
  prefix: "transformer.",
  token: "transformer.wte.weight",
  head: "lm_head.weight",
  keys: [
    [/wte\./, "vocab_size and n_embd"],
    [/wpe\./, "n_positions and n_embd"],
    [/^lm_head\./, "tie_word_embeddings false, vocab_size and n_embd"],
    [/^score\./, "num_labels and n_embd"],
    [/\.h\.\d+\.mlp\./, "n_layer, n_inner and n_embd"],
    [/\.h\.\d+\./, "n_layer and n_embd"],
    [/./, "n_embd"],
  ],
};

/** A BERT's. */
export const BERT: FamilyNames = {
  prefix: "bert.",
  token: "bert.embeddings.word_embeddings.weight",
  head: "cls.predictions.decoder.weight",
  keys: [
    [/word_embeddings\.|^cls\.predictions\.bias/, "vocab_size and hidden_size"],
    [/position_embeddings\./, "max_position_embeddings and hidden_size"],
    [/token_type_embeddings\./, "type_vocab_size and hidden_size"],
    [/^cls\.predictions\.decoder\./, "tie_word_embeddings false, vocab_size and hidden_size"],
    [/^classifier\./, "architectures, num_labels or id2label, and hidden_size"],
    [/^(cls|qa_outputs)\.|pooler\./, "architectures and hidden_size"],
    [/\.\d+\.(intermediate|output)\./, "num_hidden_layers, intermediate_size and hidden_size"],
    [/\.layer\.\d+\./, "num_hidden_layers and hidden_size"],
    [/./, "hidden_size"],
  ],
};

/** BERT's bias of the head, which its files have twice or under either name. */
const BIAS = { own: "cls.predictions.bias", decoder: "cls.predictions.decoder.bias" };

/** What was found of a model's head in its file. */
export interface StoredHead {
  /** Whether the head is the token embedding. */
  tieWeights: boolean;
  /** Where the file has the model's tensors. */
  names: StoredNames;
}

/** What is done about a head. */
export interface HeadOptions {
  /** Is called if config.json and the file do not agree. */
  warn: (message: string) => void;
  /** Makes two tensors of one that is tied: an adapter is about to replace half of it. */
  untie?: boolean;
}

/** Whether the head of a GPT-2 file is its embedding, as config.json says or as the tensors show. */
export function gptHead(
  file: SafetensorsFile,
  tieWeights: boolean,
  options: HeadOptions,
): StoredHead {
  const tied = tieWeights && !hasOtherHead(file, GPT2, options.warn);
  return {
    tieWeights: tied && !options.untie,
    names: { prefix: GPT2.prefix, instead: tied ? eachOther(GPT2) : {}, keys: GPT2.keys },
  };
}

/** The same of a BERT file, whose head has a bias as well: the decoder's, if the file has both. */
export function bertHead(
  file: SafetensorsFile,
  tieWeights: boolean,
  options: HeadOptions,
): StoredHead {
  const tied = tieWeights && !hasOtherHead(file, BERT, options.warn);
  return {
    tieWeights: tied && !options.untie,
    names: {
      prefix: BERT.prefix,
      keys: BERT.keys,
      instead: { [BIAS.own]: [BIAS.decoder], ...tied && eachOther(BERT) },
    },
  };
}

/** Where one of two tied tensors is not in the file, the other one is it. */
function eachOther({ token, head }: TiedNames): Record<string, readonly string[]> {
  return { [token]: [token, head], [head]: [head, token] };
}

/**
 * Whether a file that should have one tensor has two that differ. `transformers` takes the head of the
 * file then, and warns.
 */
function hasOtherHead(
  file: SafetensorsFile,
  { prefix, token, head }: FamilyNames,
  warn: (message: string) => void,
): boolean {
  const [one, other] = [token, head].map((name) => storedName(file, name, { prefix }));
  if (one === undefined || other === undefined || !file.has(one) || !file.has(other)) return false;
  if (sameTensor(file, one, other)) return false;
  warn(
    `config.json has tie_word_embeddings true, but ${other} of the file is not ${one}: the head of the ` +
      "file is used; write tie_word_embeddings false into config.json to be rid of this warning",
  );
  return true;
}

/** Whether two tensors of a file hold the same numbers. */
export function sameTensor(file: SafetensorsFile, one: string, other: string): boolean {
  const [first, second] = [one, other].map((name) => file.read(name));
  return first.length === second.length && first.every((v, i) => v === second[i]);
}
