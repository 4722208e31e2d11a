/**
 * Directories that commands write to.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { grantedTemporaryName } from "../formats/atomic_file.ts";
import { describeIoError, showPath } from "../formats/messages.ts";

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
    const reason = cause instanceof Deno.errors.AlreadyExists
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

/** Whether two paths are one place. */
export function samePlace(a: string, b: string): boolean {
  try {
    return Deno.realPathSync(a) === Deno.realPathSync(b);
  } catch {
    return false; // one of them is not there yet
  }
}
