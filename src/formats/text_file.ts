/** Reading whole files that a user named, of bounded size, with faults in plain words. @module */

import { VitrailError } from "../errors.ts";
import { describeIoError, showPath } from "./messages.ts";

/** Bytes of the largest text that fits into one of V8's strings, about. */
const LARGEST_TEXT_BYTES = 500_000_000;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The bytes of a file that a user named. Pipes and devices, which may never end, are refused.
 *
 * @param options.most the largest size that is read, in bytes
 * @param options.wanted what the file should be, for the error when it is missing
 * @throws {VitrailError} when it is missing, too large, or not a file
 */
export function readSmallFile(
  path: string | URL,
  options: { wanted?: string; most?: number } = {},
): Uint8Array<ArrayBuffer> {
  const { most = LARGEST_TEXT_BYTES } = options;
  const shown = showPath(path);
  const wanted = options.wanted === undefined ? "" : `; wanted ${options.wanted}`;
  try {
    const { isFile, size } = Deno.statSync(path);
    if (!isFile) {
      throw new VitrailError(`Cannot read ${shown}: it is not a file${wanted || "; wanted one"}`);
    }
    if (size > most) {
      throw new VitrailError(`Cannot read ${shown}: ${size} bytes, wanted at most ${most}`);
    }
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof VitrailError) throw error;
    throw new VitrailError(`Cannot read ${shown}: ${describeIoError(error)}${wanted}`, {
      cause: error,
    });
  }
}

/**
 * The text of a file that a user named, as {@linkcode readSmallFile} reads it.
 *
 * @throws {VitrailError} as there, or when it is not UTF-8
 */
export function readSmallText(
  path: string | URL,
  options: { wanted?: string; most?: number } = {},
): string {
  const bytes = readSmallFile(path, options);
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new VitrailError(`Cannot read ${showPath(path)}: it is not UTF-8 text`, { cause });
  }
}
