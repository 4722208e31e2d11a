/** The nonlinearities of MLPs, by the names that `transformers` gives them. @module */

import { oneOf, type Rule } from "./json_rules.ts";

/**
 * A nonlinearity: `gelu` is exact, `gelu_new` its tanh approximation (GPT-2), `gelu_10` the exact one
 * clipped to ±10; the others are as in PyTorch.
 */
export type ActivationName =
  | "gelu"
  | "gelu_new"
  | "gelu_10"
  | "quick_gelu"
  | "relu"
  | "relu2"
  | "relu6"
  | "leaky_relu"
  | "silu"
  | "hardswish"
  | "mish"
  | "sigmoid"
  | "tanh"
  | "laplace"
  | "sqrtsoftplus"
  | "linear";

/**
 * A name of `transformers`, and the numbers behind it. Several names stand for one function in several
 * spellings, equal to rounding.
 */
const names: Readonly<Record<string, ActivationName>> = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "gelu_new",
  gelu_fast: "gelu_new",
  gelu_pytorch_tanh: "gelu_new",
  gelu_python_tanh: "gelu_new",
  gelu_accurate: "gelu_new",
  gelu_10: "gelu_10",
  quick_gelu: "quick_gelu",
  relu: "relu",
  relu2: "relu2",
  relu6: "relu6",
  leaky_relu: "leaky_relu",
  silu: "silu",
  swish: "silu",
  hardswish: "hardswish",
  mish: "mish",
  sigmoid: "sigmoid",
  tanh: "tanh",
  laplace: "laplace",
  sqrtsoftplus: "sqrtsoftplus",
  linear: "linear",
};

/** One nonlinearity, under the name that a configuration of ours has for it. */
export const activationRule: Rule = oneOf(...new Set(Object.values(names)));

/** What `transformers` has as well and Vitrail refuses, since it brings weights of its own. */
const LEARNED = ["prelu", "xielu"];

/** The nonlinearity behind a name of `transformers`; undefined if Vitrail has none of that name. */
export function parseActivation(name: unknown): ActivationName | undefined {
  return typeof name === "string" && Object.hasOwn(names, name) ? names[name] : undefined;
}

/** The names that a `config.json` may have, for an error. */
export function wantedActivations(name: unknown): string {
  const learned = LEARNED.includes(name as string) ? " (it learns weights of its own)" : "";
  return `${learned}, wanted one of ${Object.keys(names).map((n) => `"${n}"`).join(", ")}`;
}
