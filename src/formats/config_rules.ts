/** What the fields of a model's configuration may be, and the error when one is not. @module */

import { VitrailError } from "../errors.ts";
import { quoteValue } from "./messages.ts";

/** What one field may be. */
export interface Rule {
  /** Said in the error. */
  wanted: string;
  /** Whether a value is so. */
  holds(value: unknown): boolean;
}

/** A rule for each field. */
export type Rules<Field extends string> = Record<Field, Rule>;

/** A whole number from 1. */
export const count: Rule = {
  wanted: "a whole number from 1",
  holds: (value) => Number.isSafeInteger(value) && (value as number) >= 1,
};

/** A whole number, or 0 where there may be none. */
export const countOrNone: Rule = {
  wanted: "a whole number from 0",
  holds: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
};

/** A probability that leaves something over. */
export const probability: Rule = {
  wanted: "a number from 0 to below 1",
  holds: (value) => typeof value === "number" && value >= 0 && value < 1,
};

/** A truth value. */
export const boolean: Rule = {
  wanted: "true or false",
  holds: (value) => typeof value === "boolean",
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

/** One of some words. */
export function oneOf(...words: string[]): Rule {
  return {
    wanted: words.map((word) => `"${word}"`).join(" or "),
    holds: (value) => words.includes(value as string),
  };
}

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
