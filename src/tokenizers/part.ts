/**
 * The parts of a `tokenizer.json`: each kind of part is a row of a table, which says what the part
 * must hold and makes a function of it.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { boolean, checkValue, object, optional, type Rule, text } from "../formats/json_rules.ts";
import { quoteName } from "../formats/messages.ts";

/** One kind of part. */
export interface Part<Made> {
  /** What it must hold beside its type. */
  rule: Rule<unknown>;
  /** Makes it work; `make` is for parts inside of it. */
  // deno-lint-ignore no-explicit-any -- each row has its own type, which its rule has checked
  make(part: any, make: (inner: AnyPart) => Made): Made;
}

/** Kinds of parts, by the name that the file has for them. */
export type PartTable<Made> = Readonly<Record<string, Part<Made>>>;

/** A part whose type is all that is known yet. */
export interface AnyPart {
  type: string;
}

/** What `ByteLevel` holds, be it a pre-tokenizer, a decoder or a post-processor. */
export const byteLevelRule = object({
  add_prefix_space: boolean,
  trim_offsets: boolean,
  use_regex: optional(boolean),
});

/** A part that is made by its table, which checks what is inside of it. */
export const anyPart: Rule<AnyPart> = object({ type: text });

/** A part, or none. */
export const optionalPart: Rule<AnyPart | null | undefined> = optional(anyPart);

/** A row of a table. */
export function definePart<T, Made>(
  rule: Rule<T>,
  make: (part: T, make: (inner: AnyPart) => Made) => Made,
): Part<Made> {
  return { rule, make };
}

/**
 * Makes a part of a file work.
 *
 * @param kind what such parts are called, for errors
 * @throws {VitrailError} if the table does not have it, or it does not hold what it must
 */
export function makePart<Made>(part: AnyPart, table: PartTable<Made>, kind: string): Made {
  if (!Object.hasOwn(table, part.type)) {
    throw new VitrailError(
      `${kind} ${quoteName(part.type)} is not supported, wanted ` +
        Object.keys(table).sort().join(", "),
    );
  }
  const fault = (reason: string) => new VitrailError(`${kind} ${part.type}: ${reason}`);
  checkValue(part, table[part.type].rule, { fault });
  return table[part.type].make(part, (inner) => makePart(inner, table, kind));
}
