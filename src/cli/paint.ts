/**
 * Colour on a terminal: tokens by strength, and small heat maps; plain text where nobody sees colours.
 *
 * @module
 */
import type { Coloured } from "../formats/page/tokens.ts";
import type { Heatmap } from "../formats/page/heatmap.ts";
import { coloured, isTerminal } from "./printer.ts";

/** Steps of the 256 colours from the terminal's own background outwards: blue for high, orange for low. */
const HIGH = [17, 18, 19, 20, 21, 27];
const LOW = [52, 88, 94, 130, 166, 202];
/** The same in signs, for where there are no colours. */
const SHADES = " ·░▒▓█";

/** Whether standard output shows colours: a terminal does, unless NO_COLOR is set; FORCE_COLOR always. */
export function hasColour(): boolean {
  const set = (name: string) =>
    Deno.permissions.querySync({ name: "env", variable: name }).state === "granted" &&
    (Deno.env.get(name) ?? "") !== "";
  if (set("NO_COLOR")) return false;
  return set("FORCE_COLOR") || isTerminal();
}

/** Tokens in the colours of their values; without colours, each strong one with its value behind it. */
export function paintTokens(tokens: readonly Coloured[], colour = hasColour()): string {
  return tokens.map(({ text, value = 0 }) => {
    if (!colour) return Math.abs(value) < 0.1 ? text : `${text}(${value.toFixed(2)})`;
    return painted(text, value);
  }).join(colour ? "" : " ");
}

/** A heat map of two columns a cell, rows and columns labelled; without colours, in shades of signs. */
export function paintHeatmap(map: Heatmap, colour = hasColour()): string {
  const { rows, columns, values } = map;
  const numbers = Array.from(values, (v) => v ?? 0);
  const most = map.most ?? (numbers.reduce((m, v) => Math.max(m, Math.abs(v)), 0) || 1);
  const wide = Math.max(...rows.map((label) => label.length));
  const lines = rows.map((label, row) => {
    const cells = columns.map((_, column) => {
      const part = numbers[row * columns.length + column] / most;
      if (colour) return painted("  ", part);
      const shade = SHADES[Math.min(Math.round(Math.abs(part) * 5), 5)];
      return (part < 0 ? "-" : shade) + shade;
    });
    return `${label.padStart(wide)} ${cells.join("")}`;
  });
  // Columns are named below, one a line, with a mark at its place where they are few enough to follow.
  const names = columns.map((label, i) => `${i}:${label.replaceAll("\n", "⏎")}`).join(" ");
  const ruler = columns.map((_, i) => String(i % 100).padStart(2)).join("");
  return [map.title, `${" ".repeat(wide)} ${ruler}`, ...lines, names].join("\n");
}

function painted(text: string, value: number): string {
  const step = Math.min(Math.round(Math.abs(value) * HIGH.length), HIGH.length);
  if (step === 0) return text;
  return coloured(text, `48;5;${(value < 0 ? LOW : HIGH)[step - 1]}`, "97");
}
