/**
 * Heat maps: on a page, where `heatmap.js` draws them on canvases, and as SVG for papers.
 *
 * @module
 */
import { escapeHtml, showValue } from "./html.ts";

/** Numbers in rows and columns. */
export interface Heatmap {
  /** What it shows. */
  title: string;
  /** A label for each row. */
  rows: readonly string[];
  /** A label for each column. */
  columns: readonly string[];
  /** Row after row; null where there is no number. */
  values: ArrayLike<number | null>;
  /** What rows and columns are, for the words about a cell: `layer`, `position`. */
  axes?: readonly [rows: string, columns: string];
  /**
   * `sequential` runs from nothing to the highest value, `diverging` from the lowest through zero to the
   * highest, both ends as far from zero. Sequential if absent.
   */
  scale?: "sequential" | "diverging";
  /** The value of full colour; the largest there is if absent. */
  most?: number;
  /** A small one, without labels at its sides: for many side by side. */
  small?: boolean;
}

/** Digits that a page keeps of a value. */
const DIGITS = 4;

/** What `heatmap.js` is given of a map: its values in few characters. */
export function heatmapData(map: Heatmap): unknown {
  return {
    ...map,
    values: Array.from(map.values, (v) => finite(v) ? Number(v!.toPrecision(DIGITS)) : null),
    most: fullColour(map),
  };
}

/**
 * The place of a map on a page: a picture with words for the cell under the cursor, which the arrow keys
 * move as well.
 *
 * @param index its number among those that the page's script is given
 */
export function heatmap(map: Heatmap, index: number): string {
  const { title, rows, columns, values, axes = ["row", "column"] } = map;
  const best = Array.from(values).reduce<number>(
    (most, v, i) => finite(v) && (most < 0 || v! > values[most]!) ? i : most,
    -1,
  );
  const highest = best < 0
    ? ""
    : ` Highest: ${showValue(values[best])} at ${axes[0]} ${
      rows[Math.floor(best / columns.length)]
    }, ${axes[1]} ${columns[best % columns.length]}.`;
  const about =
    `${title}: ${rows.length} by ${columns.length}.${highest} Arrow keys read the cells.`;
  return `<figure class="heatmap${map.small ? " small" : ""}" data-heatmap="${index}">
<figcaption>${escapeHtml(title)}</figcaption>
<div class="cells"><canvas tabindex="0" role="img" aria-label="${escapeHtml(about)}"></canvas></div>
<p class="readout script" role="status"></p>
</figure>`;
}

/** Ends of the colours of pictures for papers, on white. */
const COLOURS = { high: [11, 92, 173], low: [181, 66, 11] };
const [CELL, LETTER, LINE] = [22, 6.6, 12];

/** The map as an SVG of its own, on white. */
export function heatmapSvg(map: Heatmap): string {
  const { title, rows, columns, values } = map;
  const most = fullColour(map);
  const letters = (labels: readonly string[]) => LETTER * Math.max(...labels.map((l) => l.length));
  const [left, top] = [letters(rows) + 12, 34 + Math.min(letters(columns), 120)];
  const [width, height] = [left + CELL * columns.length + 12, top + CELL * rows.length + 12];
  const cells = Array.from(values, (value, i) => {
    if (!finite(value)) return "";
    const [row, column] = [Math.floor(i / columns.length), i % columns.length];
    return `<rect x="${left + CELL * column}" y="${
      top + CELL * row
    }" width="${CELL}" height="${CELL}" ` +
      `fill="${mixed(value! / most)}"><title>${
        escapeHtml(`${rows[row]}, ${columns[column]}: ${showValue(value)}`)
      }</title></rect>`;
  });
  const rowLabels = rows.map((label, i) =>
    `<text x="${left - 6}" y="${top + CELL * i + 15}" text-anchor="end">${escapeHtml(label)}</text>`
  );
  const columnLabels = columns.map((label, i) => {
    const [x, y] = [left + CELL * i + 15, top - 6];
    return `<text transform="translate(${x} ${y}) rotate(-90)">${escapeHtml(label)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
    `height="${height}" font-family="sans-serif" font-size="${LINE}" role="img">
<title>${escapeHtml(title)}</title>
<rect width="${width}" height="${height}" fill="#ffffff"/>
<text x="12" y="18" font-size="14">${escapeHtml(title)}</text>
${[...rowLabels, ...columnLabels, ...cells].filter(Boolean).join("\n")}
</svg>
`;
}

/** White for nothing, and one of two colours for 1 and -1. */
function mixed(part: number): string {
  const end = part >= 0 ? COLOURS.high : COLOURS.low;
  const share = Math.min(Math.abs(part), 1);
  const hex = end.map((c) => Math.round(255 + share * (c - 255)).toString(16).padStart(2, "0"));
  return `#${hex.join("")}`;
}

function fullColour({ values, most }: Heatmap): number {
  if (most !== undefined) return most;
  return Array.from(values).reduce<number>(
    (m, v) => finite(v) ? Math.max(m, Math.abs(v!)) : m,
    0,
  ) ||
    1;
}

const finite = (value: number | null | undefined): boolean => Number.isFinite(value ?? NaN);
