/** Files that appear whole or not at all: a temporary name, a sync, a rename. @module */

import { VitrailError } from "../errors.ts";
import { describeIoError, showPath } from "./messages.ts";

/** The directory that holds `path`, and the path as a plain string. */
function locate(path: string | URL): { target: string; directory: string; separator: string } {
  let target = typeof path === "string" ? path : decodeURIComponent(path.pathname);
  const windows = Deno.build.os === "windows";
  if (windows && path instanceof URL) target = target.replace(/^\/([A-Za-z]:)/, "$1");
  const cut = Math.max(target.lastIndexOf("/"), windows ? target.lastIndexOf("\\") : -1);
  if (cut < 0) return { target, directory: ".", separator: "/" };
  return { target, directory: target.slice(0, cut), separator: target[cut] };
}

/**
 * The one name under which the launcher lets an unfinished file lie beside a file that a command line
 * names; undefined where it grants the whole directory, or there is no launcher.
 */
export function grantedTemporaryName(): string | undefined {
  const variable = "VITRAIL_TEMPORARY";
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  const name = state === "granted" ? Deno.env.get(variable) : undefined;
  return name !== undefined && /^\.vitrail-[0-9a-f-]{13}\.tmp$/.test(name) ? name : undefined;
}

/**
 * A file under a temporary name in the directory of its final one. `commit` syncs it to disk and
 * renames it over the final name; `abort` removes it. Until `commit` returns, an older file of the
 * final name is untouched. Neither call may be followed by another write.
 *
 * A process that is killed outright leaves `.vitrail-*.tmp` behind, and never a half-written file
 * under the final name.
 *
 * @example
 * ```ts
 * import { AtomicFile } from "./atomic_file.ts";
 *
 * const directory = Deno.makeTempDirSync();
 * using file = new AtomicFile(`${directory}/notes.txt`);
 * file.write(new TextEncoder().encode("whole, or not at all"));
 * file.commit();
 * ```
 */
export class AtomicFile {
  readonly #path: string;
  readonly #directory: string;
  #temporary: string;
  #file: Deno.FsFile | undefined;

  /**
   * Creates the temporary file.
   *
   * @throws {VitrailError} when the directory is missing or cannot be written, or when `path` is a
   * directory
   */
  constructor(path: string | URL) {
    const { target, directory, separator } = locate(path);
    this.#path = target;
    this.#directory = directory === "" ? separator : directory;
    if (this.#isDirectory(target)) throw this.#fault({ code: "EISDIR" });
    // A short name of its own: adding to the final name could pass the longest name allowed.
    this.#temporary = `${directory}${separator}.vitrail-${crypto.randomUUID().slice(0, 13)}.tmp`;
    try {
      this.#create();
    } catch (error) {
      const granted = grantedTemporaryName();
      if (!(error instanceof Deno.errors.NotCapable) || !granted) throw this.#fault(error);
      this.#temporary = `${directory}${separator}${granted}`;
      try {
        this.#create();
      } catch (second) {
        throw this.#fault(second);
      }
    }
  }

  #create(): void {
    this.#file = Deno.openSync(this.#temporary, { write: true, createNew: true });
  }

  /**
   * Appends all of `bytes`.
   *
   * @throws {VitrailError} when the bytes cannot be stored, for example on a full disk; the
   * temporary file is then already gone
   */
  write(bytes: Uint8Array): void {
    const file = this.#open();
    try {
      let written = 0;
      while (written < bytes.byteLength) written += file.writeSync(bytes.subarray(written));
    } catch (error) {
      this.abort();
      throw this.#fault(error);
    }
  }

  /**
   * Makes the file durable and gives it its final name.
   *
   * @throws {VitrailError} when it cannot be synced or renamed; the temporary file is then already
   * gone
   */
  commit(): void {
    const file = this.#open();
    try {
      file.syncSync();
      file.close();
      // Set before the rename: whatever happens after it, the new file must not be removed.
      this.#file = undefined;
      Deno.renameSync(this.#temporary, this.#path);
    } catch (error) {
      if (this.#file === undefined) this.#remove();
      else this.abort();
      throw this.#fault(error);
    }
    this.#syncDirectory();
  }

  /** Closes and removes the temporary file; does nothing after `commit` or a first `abort`. */
  abort(): void {
    if (this.#file === undefined) return;
    this.#file.close();
    this.#file = undefined;
    this.#remove();
  }

  /** The same as {@linkcode AtomicFile.abort}: leaving the scope without `commit` keeps nothing. */
  [Symbol.dispose](): void {
    this.abort();
  }

  #open(): Deno.FsFile {
    if (this.#file === undefined) {
      throw new VitrailError(
        `Cannot write ${showPath(this.#path)}: it was already committed or aborted, open a new one`,
      );
    }
    return this.#file;
  }

  /** Files take their names in turn: what the rename would refuse must be known before the first. */
  #isDirectory(path: string): boolean {
    // Asking first, because to look without the permission would stop and prompt on a terminal.
    if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return false;
    try {
      return Deno.statSync(path).isDirectory;
    } catch {
      return false;
    }
  }

  #remove(): void {
    try {
      Deno.removeSync(this.#temporary);
    } catch {
      // The first fault is the one to report; a leftover temporary file harms nothing.
    }
  }

  /** Makes the rename itself survive a power cut, where the system allows syncing a directory. */
  #syncDirectory(): void {
    // Asking first, because opening without the permission would stop and prompt on a terminal.
    const permission = Deno.permissions.querySync({ name: "read", path: this.#directory });
    if (permission.state !== "granted") return;
    try {
      using directory = Deno.openSync(this.#directory, { read: true });
      directory.syncSync();
    } catch {
      // Windows and some network file systems refuse; the file's own bytes are synced already.
    }
  }

  #fault(error: unknown): VitrailError {
    const path = showPath(this.#path);
    if ((error as { code?: string }).code === "ENOENT") {
      return new VitrailError(
        `Cannot write ${path}: no directory ${showPath(this.#directory)}; create it first`,
        { cause: error },
      );
    }
    if (error instanceof Deno.errors.NotCapable) {
      // Deno would name the temporary file, and granting that one would not help.
      const directory = showPath(this.#directory);
      return new VitrailError(
        `Cannot write ${path}: Deno may not write there, run again with --allow-write=${directory}`,
        { cause: error },
      );
    }
    return new VitrailError(`Cannot write ${path}: ${describeIoError(error)}`, { cause: error });
  }
}

/**
 * A small file that is written and has not its name yet: `commit` gives it that. For files that belong
 * together: all that can fail has been done when the first of them takes its name.
 *
 * @param path where the file goes; its directory must exist
 * @param contents text, stored as UTF-8, or bytes
 * @throws {VitrailError} when the file cannot be written; an older file stays as it was
 *
 * @example
 * ```ts
 * import { stageFile } from "./atomic_file.ts";
 *
 * const directory = Deno.makeTempDirSync();
 * using first = stageFile(`${directory}/a.json`, "{}\n");
 * using second = stageFile(`${directory}/b.json`, "{}\n");
 * first.commit();
 * second.commit();
 * ```
 */
export function stageFile(path: string | URL, contents: string | Uint8Array): AtomicFile {
  const file = new AtomicFile(path);
  file.write(typeof contents === "string" ? new TextEncoder().encode(contents) : contents);
  return file;
}

/**
 * Writes a small file so that a reader sees the old contents or the new ones, never a part.
 *
 * @param path where the file goes; its directory must exist
 * @param contents text, stored as UTF-8, or bytes
 * @throws {VitrailError} when the file cannot be written; an older file stays as it was
 *
 * @example
 * ```ts
 * import { writeFileAtomic } from "./atomic_file.ts";
 *
 * const directory = Deno.makeTempDirSync();
 * writeFileAtomic(`${directory}/state.json`, JSON.stringify({ step: 197 }) + "\n");
 * ```
 */
export function writeFileAtomic(path: string | URL, contents: string | Uint8Array): void {
  using file = stageFile(path, contents);
  file.commit();
}
