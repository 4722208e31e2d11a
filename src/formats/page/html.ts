/** Pieces of HTML for a page, made from text that nobody vouches for. @module */

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** The control characters that HTML forbids or that would vanish; tab and line feed stay. */
// deno-lint-ignore no-control-regex -- these are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/**
 * Text for an element or for an attribute in quotes. Control characters become `�`.
 *
 * @example
 * ```ts
 * import { escapeHtml } from "./html.ts";
 *
 * console.log(escapeHtml("</script>")); // "&lt;/script&gt;"
 * ```
 */
export function escapeHtml(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(CONTROLS, "\ufffd")
    .replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** A value as JSON that may stand in a `<script type="application/json">`. */
export function jsonForScript(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** A number as a reader wants it: digits grouped, fractions to five digits. */
export function showValue(value: unknown): string {
  if (typeof value !== "number") return typeof value === "string" ? value : JSON.stringify(value);
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e15)) {
    return value.toExponential(4).replace(/\.?0+e/, "e");
  }
  const digits = Number.isInteger(value) ? 21 : 5;
  return value.toLocaleString("en-US", { maximumSignificantDigits: digits });
}

/** A configuration as rows: the keys of objects within objects are joined by dots. */
export function flatten(config: Record<string, unknown>, prefix = ""): [string, string][] {
  return Object.entries(config).flatMap(([key, value]): [string, string][] => {
    const name = prefix + key;
    if (typeof value === "bigint") return [[name, String(value)]];
    // What JSON does not know is left out, as it would be in a file.
    if (value === undefined || JSON.stringify(value) === undefined) return [];
    const plain = typeof value === "object" && value !== null && !Array.isArray(value) &&
      Object.keys(value).length > 0;
    if (plain) return flatten(value as Record<string, unknown>, name + ".");
    // Digits are not grouped here: these are values to copy into a command. Those beyond the fifteenth
    // are rounding, as in 0.00030000000000000003.
    const digits = typeof value === "number" && String(Number(value.toPrecision(15)));
    return [[name, digits || showValue(value)]];
  });
}

/** A table with a heading row; all cells are escaped, the first of a row names it. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join("");
  const body = rows.map(([first, ...rest]) =>
    `<tr><th scope="row">${escapeHtml(first)}</th>${
      rest.map((text) => `<td>${escapeHtml(text)}</td>`).join("")
    }</tr>`
  );
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${body.join("\n")}\n</tbody></table>`;
}
