/** Words for error messages: names from files, and faults of the file system. @module */

const LONGEST_NAME = 80;
const LONGEST_PATH = 400;

/**
 * Quotes a name that came from a file, so that it fits on one line of an error message: control
 * characters are escaped, long names are cut.
 *
 * @example
 * ```ts
 * import { quoteName } from "./messages.ts";
 *
 * console.log(quoteName("wte\nweight")); // "wte\nweight", on one line
 * ```
 */
export function quoteName(name: string): string {
  const short = name.length > LONGEST_NAME ? name.slice(0, LONGEST_NAME) + "…" : name;
  return escapeControls(JSON.stringify(short));
}

/** What a terminal obeys: the controls of C0 and C1, DEL, and marks that part lines or reorder text. */
// deno-lint-ignore no-control-regex -- these are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Spells out characters that a terminal would obey, as `\u001b` for ESC.
 *
 * @param options.keep the controls that stay, such as `"\n"`
 */
export function escapeControls(text: string, options: { keep?: string } = {}): string {
  const { keep = "" } = options;
  return text.replace(
    CONTROLS,
    (c) => keep.includes(c) ? c : "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}

/** Shows any JSON value in an error message, on one line and cut to a readable length. */
export function quoteValue(value: unknown): string {
  if (value === undefined) return "absent";
  if (typeof value === "string") return quoteName(value);
  if (typeof value === "number") return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return quoteName(text).slice(1, -1).replaceAll('\\"', '"');
}

/** The path as a user typed it, whether it came as a string or as a file URL. */
export function showPath(path: string | URL): string {
  const text = path instanceof URL ? decodeURIComponent(path.pathname) : path;
  const line = escapeControls(text.replace(/\s+/g, " "));
  if (line.length <= LONGEST_PATH) return line;
  // Its end says more than its middle.
  return `${line.slice(0, LONGEST_PATH / 2)}…${line.slice(-LONGEST_PATH / 2)}`;
}

const reasons: Record<string, string> = {
  ENOSPC: "no space left on the device; free some space and try again",
  EDQUOT: "the disk quota is used up; free some space and try again",
  EROFS: "the file system is read-only; choose another place",
  EACCES: "permission denied; change the permissions or choose another place",
  EPERM: "operation not permitted; change the permissions or choose another place",
  ENOENT: "no such file or directory",
  ENOTDIR: "a part of the path is a file, wanted a directory",
  EISDIR: "it is a directory, wanted a file",
  ENAMETOOLONG: "the name is too long",
};

/**
 * Says in one line why a call of the file system failed. A missing Deno permission keeps Deno's own
 * words, which name the flag to add.
 */
export function describeIoError(error: unknown): string {
  const code = (error as { code?: string } | null)?.code;
  if (code !== undefined && code in reasons) return reasons[code];
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s+/g, " ");
}
