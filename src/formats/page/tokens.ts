/**
 * Tokens in colour, and tables whose cells are: each says more when it is pointed at or reached by keys.
 *
 * @module
 */
import { escapeHtml } from "./html.ts";

/** A token, or a cell, with the strength of its colour. */
export interface Coloured {
  /** What is written. */
  text: string;
  /** From -1 to 1: how strong its colour is, and which of two. Absent: none. */
  value?: number;
  /** What is said about it when it is pointed at. */
  note?: string;
}

/** Text as its tokens, each in the colour of its value, with a line below for what is said about them. */
export function colouredTokens(tokens: readonly Coloured[]): string {
  const spans = tokens.map((token) => `<span${marks(token)}>${visible(token.text)}</span>`);
  return `<div class="notes"><p class="tokens">${
    spans.join("")
  }</p><p class="readout script" role="status"></p></div>`;
}

/**
 * A table of coloured cells with a label before each row.
 *
 * @param heads of all columns, that of the labels first
 */
export function colouredTable(
  heads: readonly string[],
  rows: readonly { label: string; cells: readonly Coloured[] }[],
): string {
  const head = heads.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join("");
  const body = rows.map(({ label, cells }) =>
    `<tr><th scope="row"${label.length > LONG ? ' class="long"' : ""}>${escapeHtml(label)}</th>${
      cells.map((cell) => `<td${marks(cell)}>${visible(cell.text)}</td>`).join("")
    }</tr>`
  );
  return `<div class="notes"><div class="scroll coloured"><table><thead><tr>${head}</tr></thead><tbody>
${body.join("\n")}
</tbody></table></div><p class="readout script" role="status"></p></div>`;
}

/** Letters of a row's name beyond which a phone breaks it. */
const LONG = 14;
/** The strength up to which the page's own ink can be read on a colour, by day and in the dark. */
const MOST_INK = 0.5;

function marks({ value, note }: Coloured): string {
  const strength = Math.min(Math.abs(value ?? 0), 1);
  const style = value === undefined || !Number.isFinite(value)
    ? ""
    : ` class="${value < 0 ? "low" : "high"}${strength > MOST_INK ? " strong" : ""}" ` +
      `style="--v:${(100 * strength).toFixed(0)}%"`;
  return style + (note === undefined ? "" : ` data-note="${escapeHtml(note)}"`);
}

/** A line break is shown as a sign, and then broken. */
const visible = (text: string): string => escapeHtml(text).replaceAll("\n", "⏎<br>");
