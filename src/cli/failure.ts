/**
 * What the command line says when it fails: one line, and what to do.
 *
 * @module
 */
import { type Command, CommanderError } from "commander";
import { nearest } from "./choices.ts";
import { Interrupted } from "./interrupt.ts";

/** How a run that failed ends. */
export interface Failure {
  /** The line for stderr; none if help or the version was asked for and is already printed. */
  line?: string;
  /** The exit code. */
  code: number;
}

/** Puts an error into one line. */
export function describeFailure(
  error: unknown,
  { program, args }: { program: Command; args: readonly string[] },
): Failure {
  if (error instanceof CommanderError) {
    if (/help|version/.test(error.code)) return { code: error.exitCode };
    const command = commandOf(program, args);
    const missing = error.code === "commander.missingMandatoryOptionValue";
    const slip = missing ? unknownFlag(command, args) : undefined;
    const message = slip ??
      error.message.replace(/^error: /, "").replace(/ is invalid\. /, " is invalid: ").replace(
        /\s*\(Did you mean (one of )?(.*?)\?\)/,
        (_, __, words) => `; did you mean ${words}?`,
      );
    return {
      line: oneLine(`${message.replace(/\.$/, "")} (see ${path(command)} --help)`),
      code: 1,
    };
  }
  if (error instanceof Interrupted) return { line: error.message, code: error.code };
  if (error instanceof Deno.errors.NotCapable) {
    return { line: oneLine(withoutPermission(error)), code: 1 };
  }
  return { line: oneLine(error instanceof Error ? error.message : String(error)), code: 1 };
}

/** Characters of the longest line: a compiler may quote a whole damaged file. */
const LONGEST = 1500;

function oneLine(message: string): string {
  const line = message.replace(/\s*\n\s*/g, " ").trim();
  return `error: ${line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line}`;
}

/** Deno names flags of its own, which whoever runs `./vitrail` has no place to give. */
function withoutPermission(error: Error): string {
  const [, access, place] = error.message.match(/^Requires (\w+) access to "?([^"]*?)"?(, |$)/) ??
    [];
  if (access === "write" || access === "read") {
    const act = access === "write" ? "write to" : "read";
    return `Cannot ${act} ${place}: only what flags of the command line name may be ` +
      `${access === "write" ? "written" : "read"}`;
  }
  if (access === "all") {
    return `Cannot use ${place}: it belongs to the system; give --out DIRECTORY in the current ` +
      "folder, or another folder of yours";
  }
  return error.message;
}

/** The command that the arguments name, or the program. */
function commandOf(program: Command, args: readonly string[]): Command {
  let command = program;
  for (const argument of args) {
    const found = command.commands.find((c) => c.name() === argument);
    if (!found) break;
    command = found;
  }
  return command;
}

function path(command: Command): string {
  return command.parent ? `${path(command.parent)} ${command.name()}` : command.name();
}

/** A flag that the command does not have: told before a missing one, which it may stand for. */
function unknownFlag(command: Command, args: readonly string[]): string | undefined {
  const flags = command.options.flatMap(({ long, short }) => [long, short]).filter((f) =>
    f != null
  );
  const end = args.indexOf("--");
  for (const argument of end < 0 ? args : args.slice(0, end)) {
    const flag = argument.split("=")[0];
    if (!/^--?[a-z]/i.test(flag) || flags.includes(flag)) continue;
    const near = nearest(flag, flags);
    return `unknown option '${flag}'${near === undefined ? "" : `; did you mean ${near}?`}`;
  }
  return undefined;
}
