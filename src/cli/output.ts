/**
 * Places that commands write to: made, guarded and locked, all of them here.
 *
 * @module
 */
import type { Command } from "commander";
import { dirname } from "node:path";
import { VitrailError } from "../errors.ts";
import { grantedTemporaryName } from "../formats/atomic_file.ts";
import { DirectoryLock } from "../formats/directory_lock.ts";
import { describeIoError, showPath } from "../formats/messages.ts";
import { printNotice } from "./printer.ts";

/** Files that decide what a directory is to those who open it: a model, a tokenizer, an adapter. */
const MODEL_FILES = [
  "config.json",
  "generation_config.json",
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
  "adapter_config.json",
  "adapter_model.safetensors",
  "adapter_model.bin",
];
/** Files that decide how a directory tokenizes. */
export const TOKENIZER_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "vocab.txt",
  "merges.txt",
  "tokenizer.model",
];
/** Every file of a model's directory that a command replaces, or that would speak beside what it writes. */
export const MODEL_DIRECTORY: readonly string[] = [...MODEL_FILES, ...TOKENIZER_FILES];

/** How an output is guarded. */
export interface GuardOptions {
  /** Replace what is there. */
  overwrite?: boolean;
  /** The flag that names the output; `--out` if absent. */
  flag?: string;
  /** Whether what is there may be continued. */
  resumable?: boolean;
}

/** Adds the flag without which nothing that exists is replaced. */
export function addOverwriteFlag(command: Command): Command {
  return command.option("--overwrite", "replace what is there", false);
}

/**
 * The guard of every output: nothing that exists is replaced unless that is asked for.
 *
 * @param paths files that a command would write
 * @throws {VitrailError} if one of them is there
 */
export function refuseToReplace(
  paths: readonly string[],
  { overwrite, flag = "--out", resumable }: GuardOptions,
): void {
  const found = overwrite ? undefined : paths.find(exists);
  if (found === undefined) return;
  throw new VitrailError(
    `Cannot write ${showPath(found)}: it is there already; ` +
      `${resumable ? "continue it with --resume, " : ""}replace it with --overwrite, or give ` +
      `another ${flag}`,
  );
}

/**
 * Prepares files that a command writes at its end: a long one must not find out then that it cannot.
 *
 * @param files paths by the flags that name them; absent ones are left out
 * @throws {VitrailError} if one exists, is a directory, is named twice, or cannot be written
 */
export function claimFiles(
  files: Readonly<Record<string, string | undefined>>,
  { overwrite }: Pick<GuardOptions, "overwrite">,
): void {
  const seen = new Map<string, string>();
  for (const [flag, path] of Object.entries(files)) {
    if (path === undefined) continue;
    const other = seen.get(path);
    if (other !== undefined) {
      throw new VitrailError(`Cannot write ${showPath(path)} twice: ${other} and ${flag} name it`);
    }
    seen.set(path, flag);
    if (kindOf(path) === "directory" || path.endsWith("/")) {
      throw new VitrailError(
        `Cannot write ${showPath(path)}: it is a directory, wanted a file for ${flag}`,
      );
    }
    refuseToReplace([path], { overwrite, flag });
    makeOutput(dirname(path), flag);
  }
}

/** A directory that this process alone writes to. */
export interface ClaimedDirectory {
  /** Whether what lies there is the unfinished work of the same command, which was killed. */
  unfinished: boolean;
}

/** Locks of this process, given back when it ends. */
const locks = new Map<string, DirectoryLock>();

/**
 * Claims a directory for this process: made if it is missing, locked against other processes until this one
 * ends, cleared of what killed processes left half done, and guarded.
 *
 * What a killed command of the same name left unfinished is replaced without `--overwrite`: a model without
 * its configuration is of no use.
 *
 * @param replaces names within the directory of what would be replaced
 * @throws {VitrailError} if another process writes there, something would be replaced, or nothing can be
 * written
 */
export function claimDirectory(
  directory: string,
  { replaces, ...options }: GuardOptions & { replaces: readonly string[] },
): ClaimedDirectory {
  makeOutput(directory, options.flag);
  const lock = lockDirectory(directory);
  removeLeftovers(directory);
  const unfinished = lock.unfinished !== undefined &&
    commandName(lock.unfinished) === commandName(ownCommand());
  const paths = replaces.map((name) => `${directory}/${name}`);
  if (!unfinished) refuseToReplace(paths, options);
  else if (paths.some(exists)) {
    printNotice(
      `${
        commandName(lock.unfinished!)
      } was ended here before it was done: what it left is replaced`,
    );
  }
  lock.beginWriting();
  return { unfinished };
}

/** Locks a directory until the process ends; a second time does nothing. */
export function lockDirectory(directory: string): DirectoryLock {
  const place = Deno.realPathSync(directory);
  const lock = locks.get(place) ?? new DirectoryLock(directory, ownCommand());
  locks.set(place, lock);
  return lock;
}

/** Gives all locks back. */
export function releaseDirectories(): void {
  for (const lock of locks.values()) lock[Symbol.dispose]();
  locks.clear();
}

/** Removes files of a directory that are replaced as a whole, so that none speaks beside the new ones. */
export function removeFiles(directory: string, names: readonly string[]): void {
  for (const name of names) {
    try {
      Deno.removeSync(`${directory}/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

const ownCommand = (): string => Deno.args.join(" ");
/** The words before the first flag, such as `probe induction`. */
const commandName = (command: string): string => command.split(" -")[0];

/** What a killed process leaves: files under a temporary name, or a folder of them. */
const LEFTOVER = /^(\.vitrail-[0-9a-f]{8}-[0-9a-f]{4}|data\.[0-9a-f]{8})\.tmp$/;

/** Removes what killed processes left half written in a directory that is locked. */
function removeLeftovers(directory: string): void {
  for (const { name } of [...Deno.readDirSync(directory)]) {
    if (LEFTOVER.test(name)) Deno.removeSync(`${directory}/${name}`, { recursive: true });
  }
}

/**
 * Writes files that belong together into a claimed directory. They are made in a temporary folder within
 * it, and renamed into place when all of them are whole; the configuration, by which a directory counts as
 * a model, comes last. What was there of a model before goes with the first rename.
 *
 * @param write makes the files in the folder that it is given
 */
export async function writeTogether(
  directory: string,
  write: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = `${directory}/.vitrail-${crypto.randomUUID().slice(0, 13)}.tmp`;
  try {
    // Those in a folder of a run, such as its merged model's, are removed nowhere else.
    removeLeftovers(directory);
    Deno.mkdirSync(folder);
    await write(folder);
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
    const last = (name: string): number => Number(name === "config.json");
    removeFiles(directory, MODEL_DIRECTORY);
    for (const name of names.toSorted((a, b) => last(a) - last(b))) {
      Deno.renameSync(`${folder}/${name}`, `${directory}/${name}`);
    }
  } catch (cause) {
    if (cause instanceof VitrailError) throw cause;
    throw new VitrailError(`Cannot write to ${showPath(directory)}: ${describeIoError(cause)}`, {
      cause,
    });
  } finally {
    try {
      Deno.removeSync(folder, { recursive: true });
    } catch {
      // The next claim removes it; a fault that is under way is the one to report.
    }
  }
}

/**
 * Makes a directory for `--out` or another flag, and those above it, if they are missing.
 *
 * @throws {VitrailError} if it cannot be made, or nothing can be written to it
 */
export function makeOutput(directory: string, flag = "--out"): void {
  const shown = showPath(directory);
  const probe = `${directory}/${
    grantedTemporaryName() ?? `.vitrail-${crypto.randomUUID().slice(0, 13)}.tmp`
  }`;
  try {
    if (isMissing(directory)) Deno.mkdirSync(directory, { recursive: true });
    // Told now: the first file may be due after hours.
    Deno.writeTextFileSync(probe, "");
    Deno.removeSync(probe);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) {
      throw new VitrailError(
        `Cannot write to ${shown}: Deno was not started with leave to; start it with ./vitrail, ` +
          `which grants what ${flag} names`,
        { cause },
      );
    }
    const reason = kindOf(directory) === "file"
      ? "it is a file, wanted a directory"
      : describeIoError(cause);
    throw new VitrailError(`Cannot write to ${shown}: ${reason}`, { cause });
  }
}

/** Whether there is no such directory yet; one that may not be looked at is the folder of a named file. */
function isMissing(directory: string): boolean {
  try {
    return !Deno.statSync(directory).isDirectory;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

/** What lies at a path, links followed. */
function kindOf(path: string): "file" | "directory" | undefined {
  try {
    return Deno.statSync(path).isDirectory ? "directory" : "file";
  } catch {
    return undefined;
  }
}

/** Whether anything lies at a path, a broken link too. */
function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    // A part of the path may be a file, which the making of the directory then tells.
    return !(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory);
  }
}

/** Whether two paths are one place. */
export function samePlace(a: string, b: string): boolean {
  try {
    return Deno.realPathSync(a) === Deno.realPathSync(b);
  } catch {
    return false; // one of them is not there yet
  }
}
