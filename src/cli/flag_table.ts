/**
 * What every flag and argument of every command names: a path to read, a path to write, or neither.
 *
 * The launcher grants reading and writing by this table before the commands are loaded, which would take
 * longer than many of them run. It is written into `flag_table.json` by `deno task flags`.
 *
 * @module
 */
import type { Argument, Command, Option } from "commander";

/** What a value is: something else than a path, a path to read, a file to write, a directory to write. */
export type Role = "value" | "read" | "write file" | "write directory";

/** A flag that takes a value, or an argument. */
export interface NamedValue {
  /** What it names; something else than a path if absent. */
  role?: Exclude<Role, "value">;
  /** Takes all values up to the next flag. */
  many?: true;
  /** Where it is written if the flag is absent. */
  usual?: string;
  /** A flag without which it is only read. */
  writtenWith?: string;
}

/** A command as far as paths are concerned. */
export interface CommandPaths {
  /** Flags that take a value, by their names with dashes. */
  options: Record<string, NamedValue>;
  /** Its arguments in order. */
  arguments: NamedValue[];
  /** Whether it keeps which kernels are fast here, in the user's cache. */
  tunes?: true;
}

/** Commands by their names, such as `probe lens`; the program's own is empty. */
export type FlagTable = Record<string, CommandPaths>;

/** Flags that name what a command writes; all other paths are read. */
const WRITTEN = ["--out", "--html", "--svg", "--trace", "--json", "--lens"];

/** Flags of those that are written only beside another one. */
const WRITTEN_WITH: Record<string, string> = { "--lens": "--train-on" };

/** What stands between the brackets of a flag or argument that names a path. */
const PATH = /\b(directory|file|source|runs|path|folder)\b/;

/** The table of a command and all below it. */
export function flagTable(command: Command, name = ""): FlagTable {
  const options = Object.fromEntries(
    command.options.filter(({ required, optional }) => required || optional)
      .flatMap((option) =>
        [option.long, option.short].filter((flag) => flag != null)
          .map((flag) => [flag, namedOption(option)])
      ),
  );
  const below = command.commands.map((inner) => {
    const table = flagTable(inner, `${name} ${inner.name()}`.trimStart());
    // `profile --kernel FILE` passes its flags on to `profile kernel`.
    const passed = Object.hasOwn(options, `--${inner.name()}`);
    if (passed) Object.assign(options, Object.values(table)[0].options);
    return table;
  });
  const tunes = name === "tune" || command.options.some(({ long }) => long === "--no-tune");
  const own = {
    options,
    arguments: command.registeredArguments.map(namedArgument),
    ...tunes && { tunes },
  };
  return Object.assign({ [name]: own }, ...below);
}

function namedOption({ flags, long, variadic, defaultValue }: Option): NamedValue {
  const placeholder = flags.match(/[<[](.*)[>\]]/)?.[1] ?? "";
  const role = roleOf(placeholder, WRITTEN.includes(long ?? ""));
  return {
    ...role !== "value" && { role },
    ...variadic && { many: true },
    ...role.startsWith("write") && typeof defaultValue === "string" && { usual: defaultValue },
    ...long && Object.hasOwn(WRITTEN_WITH, long) && { writtenWith: WRITTEN_WITH[long] },
  };
}

function namedArgument(argument: Argument): NamedValue {
  const role = roleOf(argument.name(), false);
  return { ...role !== "value" && { role }, ...argument.variadic && { many: true } };
}

function roleOf(placeholder: string, written: boolean): Role {
  if (!PATH.test(placeholder)) return "value";
  if (!written) return "read";
  return /directory/.test(placeholder) ? "write directory" : "write file";
}
