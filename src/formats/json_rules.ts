/** What the values of a JSON file may be, and the error when one is not. @module */

import { quoteName, quoteValue } from "./messages.ts";

/** What one value may be. `T` is its type once it was checked. */
export interface Rule<T = unknown> {
  /** Follows "wanted" in the error. */
  wanted: string;
  /** Whether a value is so, apart from what is inside it. */
  holds(value: unknown): boolean;
  /** The values inside it that have rules of their own, by key or index. */
  inside?(value: unknown): Iterable<readonly [key: string | number, value: unknown, rule: Rule]>;
  /** Never set: it carries the type. */
  readonly type?: T;
}

/** The type of what a rule has checked. */
export type ValueOf<R> = R extends Rule<infer T> ? T : never;

/**
 * Holds a value, and all that is inside it, against a rule.
 *
 * @param options.fault makes the error from one line that names the place, its value and the wanted one
 * @param options.name what the value is called there; the places inside it alone if absent
 * @returns the same value
 *
 * @example
 * ```ts
 * import { checkValue, count, object, text } from "./json_rules.ts";
 *
 * const rule = object({ file: text, tokens: count });
 * const fault = (reason: string) => new Error(reason);
 * console.log(checkValue(JSON.parse('{ "file": "a", "tokens": 3 }'), rule, { fault }).tokens); // 3
 * ```
 */
export function checkValue<T>(
  value: unknown,
  rule: Rule<T>,
  options: { fault: (reason: string) => Error; name?: string },
): T {
  const { fault, name = "" } = options;
  if (!rule.holds(value)) {
    const state = name === "" ? "it holds" : `${name} is`;
    throw fault(`${state} ${quoteValue(value)}, wanted ${rule.wanted}`);
  }
  for (const [key, inner, innerRule] of rule.inside?.(value) ?? []) {
    // The path is put together only for values that may fail or hold others.
    if (innerRule.inside === undefined && innerRule.holds(inner)) continue;
    checkValue(inner, innerRule, { fault, name: join(name, key) });
  }
  return value as T;
}

function join(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  const shown = /^[\w.-]{1,60}$/.test(key) ? key : quoteName(key);
  return path === "" ? shown : `${path}.${shown}`;
}

/** Any value at all, absent ones included. */
export const anything: Rule<unknown> = { wanted: "anything", holds: () => true };

/** A string. */
export const text: Rule<string> = { wanted: "a text", holds: (v) => typeof v === "string" };

/** A truth value. */
export const boolean: Rule<boolean> = {
  wanted: "true or false",
  holds: (v) => typeof v === "boolean",
};

/** A number; JSON has none that are not finite. */
export const number: Rule<number> = { wanted: "a number", holds: (v) => Number.isFinite(v) };

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Rule<number> {
  return {
    wanted: `a whole number from ${least}` + (most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ""),
    holds: (v) => Number.isSafeInteger(v) && (v as number) >= least && (v as number) <= most,
  };
}

/** A whole number from 1. */
export const count: Rule<number> = whole(1);

/** A whole number, or 0 if there may be none. */
export const countOrNone: Rule<number> = whole(0);

/** One of some words. */
export function oneOf<W extends string>(...words: W[]): Rule<W> {
  return {
    wanted: words.map((word) => `"${word}"`).join(" or "),
    holds: (v) => (words as unknown[]).includes(v),
  };
}

/** The value `null`. */
export const nothing: Rule<null> = { wanted: "null", holds: (v) => v === null };

/** A key that is not there. */
export const absent: Rule<undefined> = { wanted: "none", holds: (v) => v === undefined };

/** What a rule allows, or nothing: the key may be absent or `null`. */
export function optional<T>(rule: Rule<T>): Rule<T | null | undefined> {
  const none = (v: unknown) => v === undefined || v === null;
  return {
    wanted: rule.wanted,
    holds: (v) => none(v) || rule.holds(v),
    ...rule.inside && { inside: (v: unknown) => none(v) ? [] : rule.inside!(v) },
  };
}

/** What the first rule allows, or else the second, and so on; each must differ at its outermost. */
export function either<R extends Rule[]>(...rules: R): Rule<ValueOf<R[number]>> {
  return {
    wanted: rules.map(({ wanted }) => wanted).join(" or "),
    holds: (v) => rules.some((rule) => rule.holds(v)),
    inside: (v) => rules.find((rule) => rule.holds(v))?.inside?.(v) ?? [],
  };
}

/** A list with a rule for every item. */
export function listOf<T>(
  rule: Rule<T>,
  options: { wanted?: string; length?: number } = {},
): Rule<T[]> {
  const { length } = options;
  return {
    wanted: options.wanted ??
      `a list of ${length === undefined ? "" : `${length} × `}${rule.wanted}`,
    holds: (v) => Array.isArray(v) && (length === undefined || v.length === length),
    *inside(v) {
      for (const [i, item] of (v as unknown[]).entries()) yield [i, item, rule];
    },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object with any keys and a rule for every value. */
export function mapOf<T>(
  rule: Rule<T>,
  options: { wanted?: string } = {},
): Rule<Record<string, T>> {
  return {
    wanted: options.wanted ?? "an object",
    holds: isObject,
    *inside(v) {
      for (const [key, item] of Object.entries(v as object)) yield [key, item, rule];
    },
  };
}

/** The keys of an object that may be absent. */
type Absent<F> = { [K in keyof F]: undefined extends ValueOf<F[K]> ? K : never }[keyof F];

/** What a rule allows, if it has no key beside these. */
export function closed<T>(rule: Rule<T>, keys: readonly string[]): Rule<T> {
  const all = keys.join(", ");
  return {
    ...rule,
    wanted: `${rule.wanted} with no key but ${all}`,
    holds: (v) => rule.holds(v) && Object.keys(v as object).every((key) => keys.includes(key)),
  };
}

/** An object with a rule for each key; keys without a rule may be there too. */
export function object<F extends Record<string, Rule>>(
  fields: F,
): Rule<
  & { [K in Exclude<keyof F, Absent<F>>]: ValueOf<F[K]> }
  & { [K in Absent<F>]?: ValueOf<F[K]> }
> {
  return {
    wanted: "an object { … }",
    holds: isObject,
    *inside(v) {
      for (const [key, rule] of Object.entries(fields)) {
        // Own keys alone: every object inherits a `constructor` and a `toString`.
        yield [key, Object.hasOwn(v as object, key) ? (v as typeof fields)[key] : undefined, rule];
      }
    },
  };
}
