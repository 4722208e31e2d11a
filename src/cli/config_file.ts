/**
 * Flags from a JSON file.
 *
 * @module
 */
import type { Command } from "commander";
import { VitrailError } from "../errors.ts";
import { readJsonObject } from "../formats/json_file.ts";
import { quoteValue } from "../formats/messages.ts";
import { nearest } from "./choices.ts";

/**
 * Puts the flags of a JSON file under those that were given: what stands on the command line stays.
 * Values are checked as if they stood there too. Keys are flags without their dashes in either
 * spelling, `learningRate` or `learning-rate`.
 *
 * @param flags changed in place
 * @param options.override whether the file counts more than the command line
 * @throws {VitrailError} if the file cannot be read, has a key that is no flag, or a value that the
 * flag does not take
 */
export function applyConfigFile(
  command: Command,
  file: string,
  flags: object,
  { override = false }: { override?: boolean } = {},
): void {
  const refuse = (reason: string): VitrailError =>
    new VitrailError(`Cannot use ${file}: ${reason}`);
  const names = command.options.map((option) => option.attributeName());
  for (const [key, value] of Object.entries(readJsonObject(file))) {
    const name = key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const option = command.options.find((option) => option.attributeName() === name);
    if (!option) {
      const near = nearest(name, names);
      const hint = near === undefined
        ? `see vitrail ${command.name()} --help`
        : `did you mean ${near}?`;
      throw refuse(`it sets ${quoteValue(key)}, which is no flag of ${command.name()}; ${hint}`);
    }
    const source = command.getOptionValueSource(name);
    if (!override && source !== "default" && source !== undefined) continue;
    const takesValue = option.required || option.optional;
    const fits = takesValue
      ? typeof value === "string" || Number.isFinite(value)
      : typeof value === "boolean";
    if (!fits) {
      const wanted = takesValue ? "a text or a number" : "true or false";
      throw refuse(`${key} is ${quoteValue(value)}, wanted ${wanted}`);
    }
    let parsed: unknown = value;
    try {
      if (takesValue) parsed = option.parseArg?.(String(value), undefined) ?? String(value);
    } catch (error) {
      throw refuse(
        `${key} is ${quoteValue(value)}: ${(error as Error).message.replace(/\.$/, "")}`,
      );
    }
    Object.assign(flags, { [name]: parsed });
  }
}
