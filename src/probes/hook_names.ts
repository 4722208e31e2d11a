/**
 * Choosing hook points by name.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";

/**
 * Which hook points are meant: one name, in which `*` stands for any letters but a dot and `**` for any
 * letters at all (`blocks.*.attn.hook_pattern`); a regular expression; a predicate; or several of these.
 */
export type HookNames = string | RegExp | ((name: string) => boolean) | readonly HookNames[];

/**
 * The names that are meant, in the order of `all`.
 *
 * @param all every hook point there is, as `hookPoints` of a model lists them
 * @throws {VitrailError} if a name or pattern meets none of them
 *
 * @example
 * ```ts
 * import { matchHooks } from "./hook_names.ts";
 *
 * const all = ["hook_embed", "blocks.0.hook_resid_post", "blocks.1.hook_resid_post"];
 * console.log(matchHooks("blocks.*.hook_resid_post", all).length); // 2
 * ```
 */
export function matchHooks(names: HookNames, all: readonly string[]): string[] {
  const chosen = new Set<string>();
  for (const one of flat(names)) {
    const matches = matcher(one);
    const found = all.filter(matches);
    if (found.length === 0) {
      throw new VitrailError(
        `Cannot find the hook point ${typeof one === "function" ? "that is asked for" : one}: ` +
          `this model has ${all.length}, such as ${all.slice(0, 3).join(", ")}`,
      );
    }
    for (const name of found) chosen.add(name);
  }
  return all.filter((name) => chosen.has(name));
}

function flat(names: HookNames): (string | RegExp | ((name: string) => boolean))[] {
  if (typeof names === "string" || names instanceof RegExp || typeof names === "function") {
    return [names];
  }
  return names.flatMap(flat);
}

function matcher(one: string | RegExp | ((name: string) => boolean)): (name: string) => boolean {
  if (typeof one === "function") return one;
  if (one instanceof RegExp) return (name) => name.search(one) >= 0;
  const source = one.replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, (stars) => stars.length > 1 ? ".*" : "[^.]*");
  const pattern = new RegExp(`^${source}$`);
  return (name) => pattern.test(name);
}
