/**
 * Choosing parameters and layers by their names, and freezing those that are chosen.
 *
 * @module
 */
import type { Parameter } from "../autograd/parameter.ts";
import { VitrailError } from "../errors.ts";

/** How much of a name a pattern must reach: to its end, or any run of its components. */
export type NameReach = "end" | "anywhere";

/**
 * Whether a pattern names (part of) a dotted name. It is made of whole components, such as `c_attn` or
 * `h.0.attn`; `*` stands for any letters within one component.
 *
 * @param reach `end`: the name ends with the pattern, as PEFT chooses layers; `anywhere`: the name holds
 * it, so that `h.0` means all of block 0
 */
export function matchesName(name: string, pattern: string, reach: NameReach): boolean {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*+/g, "[^.]*");
  return new RegExp(`(^|\\.)${escaped}${reach === "end" ? "$" : "(\\.|$)"}`).test(name);
}

/**
 * Freezes the parameters that any pattern names, as `matchesName` does anywhere in a name: they ask for
 * no gradient kernel, and an optimizer made afterwards keeps no state for them.
 *
 * @returns the parameters that are now frozen by these patterns
 * @throws {VitrailError} if a pattern names nothing, or only one part of a parameter that holds several
 *
 * @example
 * ```ts
 * import { createGptConfig, freeze, Gpt, openDevice } from "../../mod.ts";
 *
 * const device = await openDevice();
 * const size = { vocabularySize: 10, contextLength: 16, channels: 8, layers: 2, heads: 2 };
 * const model = new Gpt(device, createGptConfig(size));
 * const frozen = freeze(model.parameters, ["wte", "wpe", "h.0"]);
 * console.log(frozen.length); // 14: two tables, and the twelve parameters of block 0
 * device.destroy();
 * ```
 */
export function freeze(
  parameters: readonly Parameter[],
  patterns: readonly string[],
): Parameter[] {
  const frozen = new Set<Parameter>();
  for (const pattern of patterns) {
    const found = parameters.filter((p) => chosen(p, pattern));
    if (found.length === 0) {
      throw new VitrailError(
        `Cannot freeze ${pattern}: no parameter has that in its name; ` +
          `wanted whole parts of names such as ${parameters[0]?.name}, with * for any letters`,
      );
    }
    found.forEach((p) => frozen.add(p));
  }
  for (const p of frozen) p.frozen = true;
  return [...frozen];
}

/** Whether a pattern names a parameter, of which it must name all parts or none. */
function chosen(p: Parameter, pattern: string): boolean {
  if (matchesName(p.name, pattern, "anywhere")) return true;
  const parts = p.parts ?? [];
  const named = parts.filter((part) => matchesName(part, pattern, "anywhere"));
  if (named.length > 0 && named.length < parts.length) {
    throw new VitrailError(
      `Cannot freeze ${pattern}: ${named.join(", ")} lies in one tensor with ` +
        `${parts.filter((part) => !named.includes(part)).join(", ")}; freeze all of them or none`,
    );
  }
  return named.length > 0;
}
