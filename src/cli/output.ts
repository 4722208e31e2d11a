/**
 * Directories that commands write to.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { describeIoError, showPath } from "../formats/messages.ts";

/**
 * Makes a directory for `--out` or another flag, and those above it, if they are missing.
 *
 * @throws {VitrailError} if it cannot be made, or nothing can be written to it
 */
export function makeOutput(directory: string, flag = "--out"): void {
  const shown = showPath(directory);
  const probe = `${directory}/.vitrail-${crypto.randomUUID().slice(0, 13)}.tmp`;
  try {
    Deno.mkdirSync(directory, { recursive: true });
    // Told now: the first file may be due after hours.
    Deno.writeTextFileSync(probe, "");
    Deno.removeSync(probe);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) {
      throw new VitrailError(
        `Cannot write to ${shown}: ${flag} must be inside the current folder, or in a folder of ` +
          "yours that the command line names in full",
        { cause },
      );
    }
    const reason = cause instanceof Deno.errors.AlreadyExists
      ? "it is a file, wanted a directory"
      : describeIoError(cause);
    throw new VitrailError(`Cannot write to ${shown}: ${reason}`, { cause });
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
