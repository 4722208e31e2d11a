/**
 * Embeddings and the head that decodes by them: one tensor or two, and under which names a file has them.
 *
 * @module
 */
import type { SafetensorsFile } from "../formats/safetensors.ts";
import { storedName, type StoredNames } from "./weights.ts";

/** Names of a family: the prefix of its files, the table of tokens, and the head's weight. */
interface TiedNames {
  prefix: string;
  token: string;
  head: string;
}

const GPT2: TiedNames = {
  prefix: "transformer.",
  token: "transformer.wte.weight",
  head: "lm_head.weight",
};

const BERT: TiedNames = {
  prefix: "bert.",
  token: "bert.embeddings.word_embeddings.weight",
  head: "cls.predictions.decoder.weight",
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

/** Whether the head of a GPT-2 file is its embedding, as config.json says or as the tensors show. */
export function gptHead(
  file: SafetensorsFile,
  tieWeights: boolean,
  warn: (message: string) => void,
): StoredHead {
  const tied = tieWeights && !hasOtherHead(file, GPT2, warn);
  const instead = tied && !has(file, GPT2.token, GPT2) ? { [GPT2.token]: [GPT2.head] } : {};
  return { tieWeights: tied, names: { prefix: GPT2.prefix, instead, because: asksFor(GPT2) } };
}

/** The same of a BERT file, whose head has a bias as well: the decoder's, if the file has both. */
export function bertHead(
  file: SafetensorsFile,
  tieWeights: boolean,
  warn: (message: string) => void,
): StoredHead {
  const tied = tieWeights && !hasOtherHead(file, BERT, warn);
  const alone = tied && !has(file, BERT.token, BERT);
  return {
    tieWeights: tied,
    names: {
      prefix: BERT.prefix,
      because: asksFor(BERT),
      instead: {
        [BIAS.own]: [BIAS.decoder],
        ...alone && { [BERT.token]: [BERT.head] },
      },
    },
  };
}

function asksFor({ head }: TiedNames): Record<string, string> {
  return { [head]: "config.json asks for it by tie_word_embeddings false" };
}

function has(file: SafetensorsFile, name: string, { prefix }: TiedNames): boolean {
  return storedName(file, name, { prefix }) !== undefined;
}

/**
 * Whether a file that should have one tensor has two that differ. `transformers` takes the head of the
 * file then, and warns.
 */
function hasOtherHead(
  file: SafetensorsFile,
  { prefix, token, head }: TiedNames,
  warn: (message: string) => void,
): boolean {
  const [one, other] = [token, head].map((name) => storedName(file, name, { prefix }));
  if (one === undefined || other === undefined || !file.has(one) || !file.has(other)) return false;
  const values = [one, other].map((name) => file.read(name));
  if (values[0].length === values[1].length && values[0].every((v, i) => v === values[1][i])) {
    return false;
  }
  warn(
    `config.json has tie_word_embeddings true, but ${other} of the file is not ${one}: the head of the ` +
      "file is used; write tie_word_embeddings false into config.json to be rid of this warning",
  );
  return true;
}
