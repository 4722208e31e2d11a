/**
 * Plots of a few lines as SVG, for the docs.
 *
 * @module
 */

/** A line through points, or the points alone. */
export interface Series {
  /** What the legend says. */
  name: string;
  /** Colour. */
  colour: string;
  /** Points instead of a line. */
  points?: boolean;
  /** (x, y) in the axes' units. */
  values: readonly (readonly [number, number])[];
}

/** One pair of axes, both from zero. */
export interface Panel {
  /** Heading. */
  title: string;
  /** What x counts. */
  x: string;
  /** What y counts. */
  y: string;
  /** What is drawn. */
  series: readonly Series[];
}

const [WIDTH, HEIGHT] = [440, 320];
const INSET = { left: 62, right: 30, top: 36, bottom: 46 };

/** About five round steps from 0 to beyond `most`. */
function ticks(most: number): number[] {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((s) => s >= rough)!;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
}

function drawPanel({ title, x, y, series }: Panel, at: number): string {
  const all = series.flatMap(({ values }) => values);
  const [xTicks, yTicks] = [0, 1].map((i) => ticks(Math.max(...all.map((point) => point[i]))));
  const across = (v: number): number =>
    at + INSET.left + v / xTicks.at(-1)! * (WIDTH - INSET.left - INSET.right);
  const up = (v: number): number =>
    HEIGHT - INSET.bottom - v / yTicks.at(-1)! * (HEIGHT - INSET.top - INSET.bottom);
  const px = (v: number): string => v.toFixed(1);
  const text = (left: number, top: number, words: string, more = ""): string =>
    `<text x="${px(left)}" y="${px(top)}" ${more}>${words}</text>`;
  const label = (v: number): string => v.toLocaleString("en");
  const middle = 'text-anchor="middle"';
  const [left, right, floor] = [across(0), across(xTicks.at(-1)!), up(0)];
  return [
    text((left + right) / 2, 20, title, `${middle} font-weight="bold"`),
    text((left + right) / 2, HEIGHT - 8, x, middle),
    text(left - 8, INSET.top - 8, y, 'text-anchor="end"'),
    ...yTicks.flatMap((v) => [
      `<path d="M${px(left)} ${px(up(v))}H${px(right)}" stroke="#ddd"/>`,
      text(left - 8, up(v) + 4, label(v), 'text-anchor="end"'),
    ]),
    ...xTicks.map((v) => text(across(v), floor + 18, label(v), middle)),
    ...series.flatMap(({ name, colour, points, values }, i) => {
      const top = INSET.top + 14 + 18 * i;
      const dot = (cx: number, cy: number): string =>
        `<circle cx="${px(cx)}" cy="${px(cy)}" r="4" fill="${colour}"/>`;
      const line = (d: string): string =>
        `<path d="${d}" fill="none" stroke="${colour}" stroke-width="2"/>`;
      const path = values.map(([a, b]) => `${px(across(a))} ${px(up(b))}`).join("L");
      return [
        ...points ? values.map(([a, b]) => dot(across(a), up(b))) : [line(`M${path}`)],
        points ? dot(left + 20, top - 4) : line(`M${px(left + 12)} ${px(top - 4)}h16`),
        text(left + 36, top, name),
      ];
    }),
  ].join("\n");
}

/** Panels side by side. */
export function linePlot(panels: readonly Panel[]): string {
  const width = WIDTH * panels.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" ` +
    `font-family="sans-serif" font-size="12" fill="#333">\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n` +
    panels.map((panel, i) => drawPanel(panel, i * WIDTH)).join("\n") + "\n</svg>\n";
}
