/**
 * What a command line may read and write: what its flags name, and nothing else.
 *
 * The launcher asks before it starts Deno, so this module loads no command: it goes by the table of flags, and
 * reads a command line as commander does. Run alone, it prints Deno's flags, one a line, and with them
 * `VITRAIL_TEMPORARY=…`, the one name that an unfinished file may have beside a file that is written.
 *
 * @module
 */
import { dirname, join, resolve } from "node:path";
import { escapeControls } from "../formats/messages.ts";
import type { CommandPaths, FlagTable, NamedValue } from "./flag_table.ts";
import table from "./flag_table.json" with { type: "json" };

/** What a command line may do. */
export interface Permissions {
  /** Paths that it may read, with all below them. */
  read: string[];
  /** Paths that it may write, with all below them. */
  write: string[];
  /** Why a path that it names cannot be granted. */
  refused: string[];
}

/** Where a command line runs. */
export interface Surroundings {
  /** The current folder. */
  cwd: string;
  /** Where Deno keeps npm packages: the corpora are some. */
  packages?: string;
  /** Where it is kept which kernels are fast here, if that is kept. */
  cache?: string;
  /** Name of an unfinished file beside one that is written. */
  temporary: string;
}

/** More than any file with flags has. */
const LARGEST_JSON = 1_000_000;

/** A path that a command line names, and what for. */
interface Named extends NamedValue {
  path: string;
  /** The flag; none for an argument. */
  flag?: string;
}

/** What a command line says, read as commander reads it. */
interface Parsed {
  command: CommandPaths;
  named: Named[];
  flags: Set<string>;
}

/** Reads a command line; unknown flags count as flags without a value, which the command will refuse. */
export function parseArguments(args: readonly string[], commands: FlagTable): Parsed {
  let name = "";
  let command = commands[name];
  const given = new Map<string, Named[]>();
  const operands: string[] = [];
  let ended = false;
  for (let i = 0; i < args.length; i++) {
    const argument = args[i];
    if (!ended && argument === "--") {
      ended = true;
      continue;
    }
    if (ended || !argument.startsWith("-") || argument === "-") {
      const inner = name === "" ? argument : `${name} ${argument}`;
      if (!ended && operands.length === 0 && Object.hasOwn(commands, inner)) {
        command = {
          ...commands[inner],
          options: { ...command.options, ...commands[inner].options },
        };
        name = inner;
      } else operands.push(argument);
      continue;
    }
    const cut = argument.startsWith("--") ? argument.indexOf("=") : -1;
    const flag = cut < 0 ? argument : argument.slice(0, cut);
    if (!Object.hasOwn(command.options, flag)) {
      given.set(flag, given.get(flag) ?? []);
      continue;
    }
    const option = command.options[flag];
    const values = cut < 0 ? args.slice(i + 1, ++i + 1) : [argument.slice(cut + 1)];
    while (option.many && i + 1 < args.length && !args[i + 1].startsWith("-")) {
      values.push(args[++i]);
    }
    // The last of several counts, as it does for commander.
    given.set(flag, values.map((path) => ({ ...option, path, flag })));
  }
  const named = operands.flatMap((path, i): Named[] => {
    const argument = command.arguments[i] ?? command.arguments.at(-1);
    const known = i < command.arguments.length || argument?.many;
    return argument && known ? [{ ...argument, path }] : [];
  });
  for (const [flag, option] of Object.entries(command.options)) {
    if (option.usual !== undefined && !given.has(flag)) {
      given.set(flag, [{ ...option, path: option.usual, flag }]);
    }
  }
  named.push(...[...given.values()].flat());
  return { command, named, flags: new Set(given.keys()) };
}

/** What a command line may read and write. */
export function permissionsOf(
  args: readonly string[],
  { cwd, packages, cache, temporary }: Surroundings,
  commands: FlagTable = table as FlagTable,
): Permissions {
  const { command, named, flags } = parseArguments(args, commands);
  const read = new Set<string>();
  const write = new Set<string>();
  const refused: string[] = [];
  const grant = ({ role, path, writtenWith }: Named): void => {
    if (role === undefined || path === "" || path === "-") return;
    const place = resolve(cwd, path);
    const written = role !== "read" && (writtenWith === undefined || flags.has(writtenWith));
    if (!written) {
      // Reading harms less than not reading: the folder above, where Deno cannot be told of the path.
      let near = place;
      while (/[,\n]/.test(near)) near = dirname(near);
      read.add(near);
      return;
    }
    if (/[,\n]/.test(place)) {
      refused.push(
        `Cannot write to ${path}: Deno cannot be told of a path with a comma; choose another`,
      );
      return;
    }
    if (place === dirname(place)) {
      refused.push(
        `Cannot write to ${path}: it is the root of the file system; choose a folder in it`,
      );
      return;
    }
    const folder = dirname(place);
    const places = role === "write directory" ? [place] : isThere(folder)
      // What is trained for it is kept beside it until it is done.
      ? [place, join(folder, temporary), ...writtenWith === undefined ? [] : [`${place}.part`]]
      : [folder];
    for (const one of places) {
      read.add(one);
      write.add(one);
    }
  };
  const said = [...named];
  for (const { path, role, flag } of named) {
    if (role === undefined || path === "-") continue;
    const place = resolve(cwd, path);
    if (flag === "--config") said.push(...namedIn(place, command, flags));
    // What a run was asked to read is read again when it goes on.
    if (role === "write directory" && flags.has("--resume")) {
      const run = namedIn(join(place, "training.json"), command, flags);
      said.push(...run.filter(({ role }) => role === "read"));
    }
    said.push(...baseOf(place, cwd));
  }
  said.forEach(grant);
  if (packages !== undefined) read.add(packages);
  if (cache !== undefined && command.tunes) {
    read.add(cache);
    write.add(cache);
  }
  return { read: [...read], write: [...write], refused };
}

/** The model that an adapter's directory names as its base. */
function baseOf(adapter: string, cwd: string): Named[] {
  const { base_model_name_or_path: base } = objectIn(join(adapter, "adapter_config.json"));
  if (typeof base !== "string") return [];
  return [cwd, adapter].map((from) => resolve(from, base))
    .filter((model) => isThere(join(model, "config.json")))
    .map((path) => ({ role: "read", path }));
}

/** The paths that a JSON file names under the flags of a command, unless the command line has them. */
function namedIn(file: string, { options }: CommandPaths, flags: Set<string>): Named[] {
  return Object.entries(objectIn(file)).flatMap(([key, path]): Named[] => {
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const option = Object.hasOwn(options, flag) ? options[flag] : undefined;
    const named = option?.role && typeof path === "string" && !flags.has(flag);
    return named ? [{ ...option, path, flag }] : [];
  });
}

/** The object in a JSON file; empty if there is none: the command says what is wrong with the file. */
function objectIn(file: string): Record<string, unknown> {
  try {
    const { isFile, size } = Deno.statSync(file);
    if (!isFile || size > LARGEST_JSON) return {};
    const value = JSON.parse(Deno.readTextFileSync(file));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Where Deno keeps npm packages on this system. */
function packagesFolder(): string | undefined {
  const { DENO_DIR, XDG_CACHE_HOME, HOME, LOCALAPPDATA } = Deno.env.toObject();
  const own = DENO_DIR ||
    (Deno.build.os === "windows"
      ? LOCALAPPDATA && join(LOCALAPPDATA, "deno")
      : Deno.build.os === "darwin"
      ? HOME && join(HOME, "Library/Caches/deno")
      : XDG_CACHE_HOME
      ? join(XDG_CACHE_HOME, "deno")
      : HOME && join(HOME, ".cache/deno"));
  return own ? join(own, "npm") : undefined;
}

if (import.meta.main) {
  const temporary = `.vitrail-${crypto.randomUUID().slice(0, 13)}.tmp`;
  const { read, write, refused } = permissionsOf(Deno.args, {
    cwd: Deno.cwd(),
    packages: packagesFolder(),
    cache: Deno.env.get("VITRAIL_CACHE") || undefined,
    temporary,
  });
  for (const line of refused) console.error(escapeControls(`error: ${line}`));
  if (refused.length > 0) Deno.exit(1);
  console.log(
    [
      `VITRAIL_TEMPORARY=${temporary}`,
      ...read.filter((path) => !/[,\n]/.test(path)).map((path) => `--allow-read=${path}`),
      ...write.map((path) => `--allow-write=${path}`),
    ].join("\n"),
  );
}
