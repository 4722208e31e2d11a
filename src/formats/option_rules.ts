/** What the numbers of a call may be, and the error when one is not. @module */

import { VitrailError } from "../errors.ts";
import { type Rule, whole } from "./json_rules.ts";
import { quoteValue } from "./messages.ts";

export { notNegative, positive, probability } from "./config_rules.ts";
export { boolean, count, countOrNone, listOf, oneOf, type Rule, whole } from "./json_rules.ts";

/** A seed of random numbers: what 32 bits hold. */
export const seedRule: Rule<number> = whole(0, 2 ** 32 - 1);

/** A part of a whole. */
export const part: Rule<number> = {
  wanted: "a number from 0 to 1",
  holds: (value) => typeof value === "number" && value >= 0 && value <= 1,
};

/** A number of any sign. */
export const finite: Rule<number> = { wanted: "a number", holds: (v) => Number.isFinite(v) };

/** A whole number from 1, or `Infinity` for all that there are. */
export const countOrAll: Rule<number> = {
  wanted: "a whole number from 1, or Infinity",
  holds: (v) => v === Infinity || (Number.isSafeInteger(v) && (v as number) >= 1),
};

/**
 * Holds the values of a call, defaults in place of what was left out, against their rules.
 *
 * @param action what the call does, such as `Cannot draw batches`
 * @throws {VitrailError} at the first that breaks its rule; it names the action, the value and the wanted one
 *
 * @example
 * ```ts
 * import { checkOptions, count, seedRule } from "./option_rules.ts";
 *
 * try {
 *   checkOptions("Cannot draw batches", { batch: 8, seed: -1 }, { batch: count, seed: seedRule });
 * } catch (error) {
 *   console.log((error as Error).message); // … seed is -1, wanted a whole number from 0 to 4294967295
 * }
 * ```
 */
export function checkOptions<Name extends string>(
  action: string,
  values: { readonly [K in NoInfer<Name>]?: unknown },
  rules: Readonly<Record<Name, Rule>>,
): void {
  for (const [name, rule] of Object.entries(rules) as [Name, Rule][]) {
    const value = values[name];
    if (rule.holds(value)) continue;
    throw new VitrailError(`${action}: ${name} is ${quoteValue(value)}, wanted ${rule.wanted}`);
  }
}
