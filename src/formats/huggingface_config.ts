/**
 * What the config.json of every family has in common: which keys are checked and read past, and which ask
 * for a model that Vitrail would compute otherwise.
 *
 * @module
 */

import { VitrailError } from "../errors.ts";
import { isAdapter, isFile } from "./adapter_base.ts";
import { readJsonObject } from "./json_file.ts";
import {
  boolean,
  checkValue,
  either,
  listOf,
  mapOf,
  object,
  oneOf,
  optional,
  type Rule,
  text,
  whole,
} from "./json_rules.ts";
import { labelRules } from "./huggingface_labels.ts";
import { quoteValue, showPath } from "./messages.ts";

/** The object that `config.json` holds. */
export type ConfigJson = Record<string, unknown>;

/**
 * Reads `config.json` of a model directory; nothing in it is checked.
 *
 * @returns the object and its path
 * @throws {VitrailError} when the file is missing, in an adapter's directory with what to do, or not JSON
 */
export function readConfigJson(directory: string): { json: ConfigJson; path: string } {
  const path = `${directory}/config.json`;
  if (isAdapter(directory) && !isFile(path)) {
    throw new VitrailError(
      `Cannot use ${
        showPath(directory)
      } as a model: it holds a LoRA adapter; give it as --adapter, or ` +
        "merge it into its model first, with `vitrail merge`",
    );
  }
  const json = readJsonObject(path, {
    wanted: "a Hugging Face model directory with config.json, model.safetensors, tokenizer.json",
  });
  return { json, path };
}

/** A key that changes the forward pass, the value that does not, and what the key does otherwise. */
export interface Variant {
  /** The key. */
  key: string;
  /** Its value in a model as Vitrail has it; null if it must be absent, an object for any empty one. */
  plain: unknown;
  /** What another value makes of the model. */
  effect: string;
}

/** What is known of a family's config.json. */
export interface Family {
  /** `model_type`. */
  modelType: string;
  /** Names that `transformers` takes for those of the family, such as `hidden_size` for `n_embd`. */
  generalNames: Readonly<Record<string, string>>;
  /** Classes of `transformers` that Vitrail opens. */
  architectures: readonly string[];
  /** Keys that change nothing here, and what they may be all the same. */
  readPast: Readonly<Record<string, Rule>>;
  /** Keys that change the forward pass. */
  variants: readonly Variant[];
}

/** Names of types, as PyTorch has them: of a key, of which the file of the weights says the truth. */
const DTYPES = ["float64", "float32", "float16", "bfloat16", "float", "half", "double", "auto"];

/** A whole number of either sign: `transformers` writes -1 for what is none. */
const integer: Rule = { wanted: "a whole number", holds: (v) => Number.isSafeInteger(v) };

/** Which of its kernels `transformers` takes: a name, or one for each part of a model. */
const implementation: Rule = optional(either(text, mapOf(text)));

const readPast: Family["readPast"] = {
  architectures: optional(listOf(text)),
  bos_token_id: optional(integer),
  eos_token_id: optional({
    ...either(integer, listOf(integer)),
    wanted: "a token id, or a list of them",
  }),
  pad_token_id: optional(integer),
  chunk_size_feed_forward: integer,
  dtype: optional(oneOf(...DTYPES)),
  torch_dtype: optional(oneOf(...DTYPES)),
  ...labelRules,
  num_labels: whole(1, 1_000_000),
  problem_type: optional(
    oneOf("regression", "single_label_classification", "multi_label_classification"),
  ),
  is_encoder_decoder: boolean,
  use_cache: boolean,
  output_hidden_states: optional(boolean),
  attn_implementation: implementation,
  _attn_implementation: implementation,
  layer_types: optional(listOf(oneOf("full_attention"))),
};

const variants: readonly Variant[] = [
  { key: "is_encoder_decoder", plain: false, effect: "it has an encoder and a decoder" },
  { key: "quantization_config", plain: null, effect: "its weights are quantized" },
  { key: "transformers_weights", plain: null, effect: "its weights are in another file" },
  { key: "sliding_window", plain: null, effect: "tokens see only the nearest before them" },
  { key: "attention_chunk_size", plain: null, effect: "tokens see only those of their chunk" },
  { key: "pruned_heads", plain: {}, effect: "some heads are left out" },
  { key: "per_layer_config", plain: {}, effect: "its layers differ" },
];

/**
 * Checks what a family's config.json says beside sizes and rates.
 *
 * @returns the same under the family's own names, and what each of them is called in the file
 * @throws {VitrailError} if it is of another family or class, if a value is of the wrong kind, or if it
 * asks for a variant that Vitrail does not have; the message names the key
 */
export function checkConfigJson(
  json: ConfigJson,
  family: Family,
  action: string,
): { json: ConfigJson; nameOf: (key: string) => string } {
  if (json.model_type !== family.modelType) {
    throw new VitrailError(
      `${action}: model_type is ${quoteValue(json.model_type)}, wanted "${family.modelType}"`,
    );
  }
  const fault = (reason: string) => new VitrailError(`${action}: ${reason}`);
  const rules = Object.entries({ ...readPast, ...family.readPast });
  checkValue(json, object(Object.fromEntries(rules.map(([k, rule]) => [k, orAbsent(rule)]))), {
    fault,
  });
  const [architecture] = (json.architectures ?? []) as string[];
  if (architecture !== undefined && !family.architectures.includes(architecture)) {
    throw new VitrailError(
      `${action}: architectures names ${quoteValue(architecture)}, wanted one of ` +
        family.architectures.join(", "),
    );
  }
  for (const { key, plain, effect } of [...variants, ...family.variants]) {
    const value = json[key] ?? plain;
    if (value === plain || isEmpty(value) && isEmpty(plain)) continue;
    throw new VitrailError(
      typeof plain === "object"
        ? `${action}: it has ${key} (${effect}), which is not supported; export the model without it`
        : `${action}: ${key} is ${quoteValue(value)} (${effect}), which is not supported, ` +
          `wanted ${quoteValue(plain)}`,
    );
  }
  // `transformers` sets the general names last: they win.
  const own = { ...json };
  const given: Record<string, string> = {};
  for (const [general, key] of Object.entries(family.generalNames)) {
    if (json[general] === undefined) continue;
    own[key] = json[general];
    given[key] = general;
  }
  return { json: own, nameOf: (key) => given[key] ?? key };
}

function orAbsent({ wanted, holds, inside = () => [] }: Rule): Rule {
  return {
    wanted,
    holds: (v) => v === undefined || holds(v),
    inside: (v) => v === undefined ? [] : inside(v),
  };
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** The value of a key, or another one if it is absent: null is a value, and mostly a wrong one. */
export function valueOr(json: ConfigJson, key: string, otherwise: unknown): unknown {
  return json[key] === undefined ? otherwise : json[key];
}
