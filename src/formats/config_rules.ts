/** What the fields of a model's configuration may be, and the error when one is not. @module */

import { VitrailError } from "../errors.ts";
import { type Rule, whole } from "./json_rules.ts";
import { quoteValue } from "./messages.ts";

export { boolean, count, countOrNone, oneOf, type Rule } from "./json_rules.ts";

/** A width, a length or a number of ids: shaders index with 32 bits. */
export const size: Rule<number> = whole(1, 2 ** 31 - 1);

/** The same, or 0 if there may be none. */
export const sizeOrNone: Rule<number> = whole(0, 2 ** 31 - 1);

/** Blocks: ten times what the deepest published Transformer has (arXiv:2203.00555, 1,000 layers). */
export const depth: Rule<number> = whole(1, 10_000);

/** A rule for each field. */
export type Rules<Field extends string> = Record<Field, Rule>;

/** A probability that leaves something over. */
export const probability: Rule = {
  wanted: "a number from 0 to below 1",
  holds: (value) => typeof value === "number" && value >= 0 && value < 1,
};

/** A finite number above zero. */
export const positive: Rule = {
  wanted: "a number above 0",
  holds: (value) => Number.isFinite(value) && (value as number) > 0,
};

/** A finite number from zero on. */
export const notNegative: Rule = {
  wanted: "a number from 0",
  holds: (value) => Number.isFinite(value) && (value as number) >= 0,
};

/** How to go on checking what involves more than one field. */
export interface Checked<Config> {
  /** What a field is called where the user wrote it. */
  nameOf(field: keyof Config & string): string;
  /** Throws that a field is not as wanted. */
  refuse(field: keyof Config & string, wanted: string): never;
}

/**
 * Holds each field against its rule.
 *
 * @throws {VitrailError} at the first field that breaks its rule; it names the field, its value and
 * the wanted one
 */
export function checkRules<Config extends object, Field extends keyof Config & string>(
  config: Config,
  rules: Rules<Field>,
  options: { action: string; fieldNames: Partial<Record<keyof Config, string>> },
): Checked<Config> {
  const { action, fieldNames } = options;
  const nameOf = (field: keyof Config & string): string => fieldNames[field] ?? field;
  const refuse = (field: keyof Config & string, wanted: string): never => {
    const state = `${nameOf(field)} is ${quoteValue(config[field])}`;
    throw new VitrailError(`${action}: ${state}, wanted ${wanted}`);
  };
  for (const [field, rule] of Object.entries(rules) as [Field, Rule][]) {
    if (!rule.holds(config[field])) refuse(field, rule.wanted);
  }
  return { nameOf, refuse };
}
