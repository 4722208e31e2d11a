/** PEFT's `adapter_config.json` of a LoRA adapter, read and written. @module */

import { VitrailError } from "../errors.ts";
import { type AtomicFile, stageFile } from "./atomic_file.ts";
import { readJsonObject } from "./json_file.ts";
import {
  anything,
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
} from "./json_rules.ts";
import { quoteName, quoteValue, showPath } from "./messages.ts";
import { withinTime } from "./time_limit.ts";

/** File of an adapter's settings. */
export const ADAPTER_CONFIG = "adapter_config.json";
/** File of an adapter's weights. */
export const ADAPTER_WEIGHTS = "adapter_model.safetensors";
/** What PEFT puts before every name of the model that it wraps. */
export const PEFT_PREFIX = "base_model.model.";

/** What `adapter_config.json` says. */
export interface PeftConfig {
  /** r. */
  rank: number;
  /** alpha: what is added is multiplied by alpha/r. */
  alpha: number;
  /** alpha of single layers, by the ends of their names or patterns of these. */
  alphas: Readonly<Record<string, number>>;
  /** Dropout on what an adapted layer reads. */
  dropout: number;
  /** Ends of the names of adapted layers. */
  targets: string[];
  /** Layers that are trained whole and saved with the adapter. */
  trainedWhole: string[];
  /** Multiply by alpha/√r in place of alpha/r (Kalajdzievski 2023, arXiv:2312.03732). */
  rankStabilized: boolean;
  /** Whether the adapted weights are stored (in, out), as GPT-2's are. */
  fanInFanOut: boolean;
  /** What the model is for, in PEFT's words, such as `CAUSAL_LM`. */
  taskType?: string;
  /** The directory or name of the model that it was trained on. */
  base?: string;
}

/** Keys of variants that compute something else, and the values that do not. */
const variants: { key: string; plain: unknown[]; effect: string }[] = [
  { key: "bias", plain: ["none"], effect: "biases are trained too" },
  { key: "use_dora", plain: [false], effect: "it is DoRA" },
  { key: "use_qalora", plain: [false], effect: "it is QALoRA" },
  { key: "lora_bias", plain: [false], effect: "B has a bias" },
  { key: "layer_replication", plain: [null], effect: "layers are used several times" },
  { key: "target_parameters", plain: [null], effect: "it changes tensors that are no layers" },
  { key: "use_bdlora", plain: [null, false], effect: "it is block-diagonal" },
  { key: "kasa_config", plain: [null], effect: "it is KaSA" },
  { key: "velora_config", plain: [null], effect: "it is VeLoRA" },
  { key: "monteclora_config", plain: [null], effect: "it is MonteCLoRA" },
  { key: "arrow_config", plain: [null], effect: "it routes between adapters" },
  { key: "megatron_config", plain: [null], effect: "its model is Megatron's" },
  { key: "alora_invocation_tokens", plain: [null], effect: "it begins at a token" },
  { key: "trainable_token_indices", plain: [null], effect: "it changes single embeddings" },
  { key: "arrow_config", plain: [null], effect: "it routes between adapters" },
  { key: "kasa_config", plain: [null], effect: "it is KaSA" },
  { key: "monteclora_config", plain: [null], effect: "it is MonteCLoRA" },
  { key: "velora_config", plain: [null], effect: "it is VeLoRA" },
];

/** Ways to begin that leave the model's own weights as they are: what was trained is all in the file. */
const INITS = [true, false, "gaussian", "eva", "orthogonal", "mica"];

/** Ways to begin that subtract from the model's own weights what A and B begin with. */
const CHANGES_BASE = /^(pissa|olora|loftq|corda|lora_ga)/;

const names = optional(either(text, listOf(text)));
/** Settings of a way to begin, which PEFT refuses to read as anything else. */
const settings = optional(mapOf(anything));

/** Keys whose values are plain. */
const rule = object({
  target_modules: names,
  modules_to_save: names,
  exclude_modules: names,
  use_rslora: optional(boolean),
  fan_in_fan_out: optional(boolean),
  task_type: optional(oneOf(
    "SEQ_CLS",
    "SEQ_2_SEQ_LM",
    "CAUSAL_LM",
    "TOKEN_CLS",
    "QUESTION_ANS",
    "FEATURE_EXTRACTION",
  )),
  corda_config: settings,
  eva_config: settings,
  loftq_config: settings,
  lora_ga_config: settings,
  base_model_name_or_path: optional(text),
});

/**
 * Reads `adapter_config.json` of an adapter's directory.
 *
 * @throws {VitrailError} when it is missing, no LoRA, lacks a value, or asks for a variant of LoRA whose
 * numbers Vitrail would not reproduce
 */
export function readPeftConfig(directory: string): PeftConfig {
  const path = `${directory}/${ADAPTER_CONFIG}`;
  const json = readJsonObject(path, {
    wanted: `a directory with ${ADAPTER_CONFIG} and ${ADAPTER_WEIGHTS}, as PEFT writes it`,
  });
  return parsePeftConfig(json, { source: path });
}

/**
 * Translates the contents of an `adapter_config.json`.
 *
 * @throws {VitrailError} as `readPeftConfig`
 */
export function parsePeftConfig(
  json: Record<string, unknown>,
  options: { source?: string } = {},
): PeftConfig {
  const action = `Cannot use ${showPath(options.source ?? "this adapter_config.json")}`;
  const want = (key: string, holds: boolean, wanted: string): void => {
    if (holds) return;
    throw new VitrailError(`${action}: ${key} is ${quoteValue(json[key])}, wanted ${wanted}`);
  };
  want("peft_type", json.peft_type === "LORA", '"LORA"');
  for (const { key, plain, effect } of variants) {
    const value = json[key] ?? plain[0];
    const same = plain.some((p) => JSON.stringify(p) === JSON.stringify(value));
    want(key, same, `${JSON.stringify(plain[0])}: ${effect}, which is not supported`);
  }
  const plain = checkValue(json, rule, {
    fault: (reason) => new VitrailError(`${action}: ${reason}`),
  });
  const init = typeof json.init_lora_weights === "string"
    ? json.init_lora_weights.toLowerCase()
    : json.init_lora_weights ?? true;
  want(
    "init_lora_weights",
    typeof init !== "string" || !CHANGES_BASE.test(init),
    "true: it changes the model's own weights, which the adapter's file does not hold; save it again " +
      "with PEFT's save_pretrained(…, path_initial_model_for_weight_conversion=…)",
  );
  want(
    "init_lora_weights",
    INITS.includes(init as string),
    "true, false or a way to begin of PEFT",
  );
  const dropout = json.lora_dropout ?? 0;
  const alphas = json.alpha_pattern ?? {};
  want("alpha_pattern", numbersByName.holds(alphas), numbersByName.wanted);
  for (const pattern of Object.keys(alphas)) {
    want("alpha_pattern", asRegExp(pattern) !== undefined, "patterns that JavaScript has too");
  }
  want("r", Number.isInteger(json.r) && (json.r as number) > 0, "a whole number above 0");
  want("lora_alpha", Number.isFinite(json.lora_alpha), "a number");
  want("lora_dropout", typeof dropout === "number" && dropout >= 0 && dropout < 1, "0 to below 1");
  return {
    rank: json.r as number,
    alpha: json.lora_alpha as number,
    dropout: dropout as number,
    targets: words(plain.target_modules),
    trainedWhole: words(plain.modules_to_save),
    rankStabilized: plain.use_rslora === true,
    alphas: alphas as Record<string, number>,
    fanInFanOut: plain.fan_in_fan_out === true,
    taskType: plain.task_type ?? undefined,
    base: plain.base_model_name_or_path ?? undefined,
  };
}

/** `adapter_config.json` of an adapter's directory, which takes its name together with the weights. */
export function stagePeftConfig(directory: string, config: PeftConfig): AtomicFile {
  const json = JSON.stringify(formatPeftConfig(config), null, 2) + "\n";
  return stageFile(`${directory}/${ADAPTER_CONFIG}`, json);
}

/** The object that `adapter_config.json` holds, keys sorted as PEFT sorts them. */
export function formatPeftConfig(config: PeftConfig): Record<string, unknown> {
  return {
    alpha_pattern: config.alphas,
    base_model_name_or_path: config.base ?? null,
    bias: "none",
    fan_in_fan_out: config.fanInFanOut,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: config.trainedWhole.length > 0 ? config.trainedWhole : null,
    peft_type: "LORA",
    r: config.rank,
    rank_pattern: {},
    target_modules: config.targets,
    task_type: config.taskType ?? null,
    use_dora: false,
    use_rslora: config.rankStabilized,
  };
}

const numbersByName: Rule = {
  wanted: "numbers by the names of layers",
  holds: (v) =>
    typeof v === "object" && v !== null && !Array.isArray(v) &&
    Object.values(v).every(Number.isFinite),
};

/** A pattern of PEFT's, which reaches to the end of a layer's name; undefined if there is none such here. */
function asRegExp(pattern: string): RegExp | undefined {
  try {
    return new RegExp(`^(.*\\.)?(${pattern})$`);
  } catch {
    return undefined;
  }
}

/**
 * alpha of a layer: that of the first pattern which names it, or the adapter's.
 *
 * @throws {VitrailError} if a pattern backtracks without end
 */
export function alphaOf({ alpha, alphas }: PeftConfig, layer: string): number {
  for (const [pattern, own] of Object.entries(alphas)) {
    const fault = (): VitrailError =>
      new VitrailError(
        `Cannot use alpha_pattern ${quoteName(pattern)}: it takes longer than 1 s on ` +
          `${quoteName(layer)}, since it backtracks without end`,
      );
    if (withinTime(() => asRegExp(pattern)?.test(layer), { seconds: 1, fault })) return own;
  }
  return alpha;
}

/** A list of names; PEFT also takes a single one, or none. */
function words(value: string | string[] | null | undefined): string[] {
  return typeof value === "string" ? [value] : value ?? [];
}
