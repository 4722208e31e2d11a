/** One writer per directory: a lock that the operating system holds, and that dies with its process. @module */

import { VitrailError } from "../errors.ts";
import { describeIoError, quoteName, showPath } from "./messages.ts";

/** Who holds a lock. */
export interface LockHolder {
  /** Its process. */
  pid: number;
  /** When it took the lock, in ISO 8601. */
  since: string;
  /** Its command, as a user would type it. */
  command: string;
  /** The command that has begun to write outputs and not come to its end: its own, or a killed one's. */
  unfinished?: string;
}

/** The name of the lock within its directory. Removed again when its holder ends in order. */
export const LOCK_FILE = ".vitrail.lock";

/**
 * A directory that one process writes to. The operating system holds the lock on an open file and frees it
 * with the process, so a killed one leaves no lock behind. Its file stays, and tells the next holder what
 * was cut short: see {@linkcode DirectoryLock.unfinished}.
 *
 * @example
 * ```ts
 * import { DirectoryLock } from "./directory_lock.ts";
 *
 * using lock = new DirectoryLock(Deno.makeTempDirSync(), "train --out runs/mine");
 * lock.beginWriting();
 * ```
 */
export class DirectoryLock implements Disposable {
  /** The command of an earlier holder that was killed while it wrote outputs; none if all were finished. */
  readonly unfinished: string | undefined;
  readonly #path: string;
  readonly #holder: LockHolder;
  #file: Deno.FsFile | undefined;

  /**
   * Takes the lock.
   *
   * @param command what the holder is doing, for the message that refuses a second one
   * @throws {VitrailError} if another process holds it, which is named, or no file can be made there
   */
  constructor(directory: string, command: string) {
    this.#path = `${directory}/${LOCK_FILE}`;
    this.#holder = { pid: Deno.pid, since: new Date().toISOString(), command };
    const file = lockedFile(this.#path);
    if (file === undefined) throw new VitrailError(refusal(directory, this.#path));
    this.#file = file;
    // Kept until outputs are written again: this process may be killed before.
    this.unfinished = this.#holder.unfinished = readHolder(this.#path)?.unfinished;
    this.#write();
  }

  /** Notes that outputs are being written from now on. */
  beginWriting(): void {
    this.#holder.unfinished = this.#holder.command;
    this.#write();
  }

  /**
   * Gives the lock back and removes its file, unless that still tells of a killed command; a second call does
   * nothing.
   */
  [Symbol.dispose](): void {
    if (!this.#file) return;
    const { unfinished, command } = this.#holder;
    try {
      // While the lock is held: no other process can have locked this file meanwhile.
      if (unfinished === undefined || unfinished === command) Deno.removeSync(this.#path);
    } catch {
      // Windows removes no open file; an unlocked one that stays harms nothing.
    }
    this.#file.close();
    this.#file = undefined;
  }

  #write(): void {
    const bytes = new TextEncoder().encode(JSON.stringify(this.#holder) + "\n");
    try {
      // Cut off last: a process that is killed in between leaves a whole first line.
      this.#file!.seekSync(0, Deno.SeekMode.Start);
      this.#file!.writeSync(bytes);
      this.#file!.truncateSync(bytes.length);
    } catch {
      // A full disk: the lock holds without its words, and the outputs will say what is wrong.
    }
  }
}

/**
 * Looks whether another process holds the lock of a directory, and takes nothing.
 *
 * @throws {VitrailError} if one does; it is named
 */
export function refuseLocked(directory: string): void {
  const path = `${directory}/${LOCK_FILE}`;
  try {
    using file = Deno.openSync(path, { read: true });
    if (tryLock(file, false)) return;
  } catch {
    return; // There is none; other faults are reported when the lock is taken.
  }
  throw new VitrailError(refusal(directory, path));
}

/** The file of that path, locked; nothing if another process has it. */
function lockedFile(path: string): Deno.FsFile | undefined {
  for (;;) {
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path, { read: true, write: true, create: true });
    } catch (cause) {
      throw new VitrailError(`Cannot write ${showPath(path)}: ${describeIoError(cause)}`, {
        cause,
      });
    }
    if (!tryLock(file, true)) {
      file.close();
      return undefined;
    }
    if (isAt(file, path)) return file;
    // Its holder removed it between our opening and our locking: what lies there now is another file.
    file.close();
  }
}

/** Locks a file; a process that only looks has it for less time than this waits. */
function tryLock(file: Deno.FsFile, exclusive: boolean): boolean {
  try {
    for (let tries = 0; tries < 5; tries++) {
      if (file.tryLockSync(exclusive)) return true;
      pause();
    }
    return false;
  } catch {
    return true; // A file system without locks, such as some network ones: as good as it gets.
  }
}

/** Waits 20 ms. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
}

function isAt(file: Deno.FsFile, path: string): boolean {
  try {
    return file.statSync().ino === Deno.statSync(path).ino;
  } catch {
    return false;
  }
}

/** Tries to read the holder, who may have locked the file and not have written yet. */
function readHolder(path: string, patience = 0): LockHolder | undefined {
  for (let tries = 0; tries <= patience; tries++) {
    try {
      const { pid, since, command, unfinished } = JSON.parse(
        Deno.readTextFileSync(path).split("\n", 1)[0],
      );
      if (Number.isSafeInteger(pid) && !Number.isNaN(Date.parse(since))) {
        const cut = typeof unfinished === "string" ? { unfinished } : {};
        return { pid, since, command: String(command), ...cut };
      }
    } catch {
      // Empty as yet, of another kind, or, on Windows, not to be read while it is locked.
    }
    if (tries < patience) pause();
  }
  return undefined;
}

function refusal(directory: string, path: string): string {
  const holder = readHolder(path, 10);
  const who = holder
    ? `process ${holder.pid} has been writing there since ${localTime(holder.since)} ` +
      `(${quoteName(holder.command).slice(1, -1)})`
    : "another process is writing there";
  return `Cannot write to ${showPath(directory)}: ${who}; wait until it ends, or write elsewhere`;
}

/** A time as clocks on the wall show it. */
export function localTime(iso: string): string {
  const time = new Date(iso);
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(two).join("-");
  return `${day} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":")}`;
}
