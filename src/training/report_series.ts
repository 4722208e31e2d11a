/** From the records of a run to the curves of its report. @module */

import type { Chart, Curve } from "../formats/page/line_charts.ts";
import { metricNumber, type MetricsRecord } from "./metrics.ts";

/** Points of a curve beyond which a page would only grow, as no screen can show more. */
export const MOST_POINTS = 4000;
/** Points from which a noisy curve gets a smoothed one on top. */
const SMOOTHED_FROM = 60;

const KNOWN: Record<string, string> = {
  learningRate: "Learning rate",
  gradientNorm: "Gradient norm",
  tokensPerSecond: "Tokens per second",
};

/** A field's name as a heading: `validation/macroF1` is `Macro F1, validation`. */
export const words = (name: string): string => {
  const [, group, field] = /^(?:(train|validation)\/)?(.*)$/s.exec(name)!;
  const spaced = field.replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ")
    .replace(/\b[A-Z][a-z]+/g, (word) => word.toLowerCase());
  const heading = spaced.charAt(0).toUpperCase() + spaced.slice(1);
  return group ? `${heading}, ${group === "train" ? "training" : group}` : heading;
};

/** A field of all records that have it as a number, by step; a later record wins. */
export function pick(records: readonly MetricsRecord[], name: string): Map<number, number> {
  const found = new Map<number, number>();
  for (const record of records) {
    const value = metricNumber(record[name]);
    if (value !== undefined) found.set(record.step, value);
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

/**
 * Thins a curve to about {@linkcode MOST_POINTS}: of every group of points, the lowest and the
 * highest stay, so that no spike is lost, and a gap stays a gap.
 */
export function thin(curve: Curve): Curve {
  const { steps, values } = curve;
  if (values.length <= MOST_POINTS) return curve;
  const size = Math.ceil(values.length / (MOST_POINTS / 2));
  const kept = new Set<number>([0, values.length - 1]);
  for (let from = 0; from < values.length; from += size) {
    let [low, high] = [-1, -1];
    for (let i = from; i < Math.min(from + size, values.length); i++) {
      const value = values[i];
      if (value === null) {
        kept.add(i);
        continue;
      }
      if (low < 0 || value < values[low]!) low = i;
      if (high < 0 || value > values[high]!) high = i;
    }
    if (low >= 0) kept.add(low).add(high);
  }
  const indices = [...kept].sort((a, b) => a - b);
  return { ...curve, steps: indices.map((i) => steps[i]), values: indices.map((i) => values[i]) };
}

/**
 * A smooth curve through noisy values: at each point the weighted straight line through its
 * neighbours (Cleveland 1979, without the robust passes). Weights fall with distance d within h as
 * (1 - (d/h)³)³.
 *
 * A line, unlike a mean, neither lags nor leads where the values rise or fall, which at the ends, with
 * neighbours on one side only, a mean must. There are `reach` neighbours on either side, and at the
 * end as many in all; at the beginning, where losses fall steeply and bend, fewer. Gaps stay and do
 * not count.
 */
export function smooth(values: readonly (number | null)[], reach: number): (number | null)[] {
  const last = values.length - 1;
  return values.map((value, i) => {
    if (value === null) return null;
    const after = Math.min(Math.max(Math.min(reach, i), 2), last - i);
    const before = Math.min(Math.max(2 * Math.min(reach, i) - after, 0), i);
    const h = Math.max(before, after) + 1;
    let [weights, xs, ys, xx, xy] = [0, 0, 0, 0, 0];
    for (let x = -before; x <= after; x++) {
      const y = values[i + x];
      if (y === null) continue;
      const w = (1 - (Math.abs(x) / h) ** 3) ** 3;
      weights += w;
      xs += w * x;
      ys += w * y;
      xx += w * x * x;
      xy += w * x * y;
    }
    const spread = weights * xx - xs * xs;
    // The line's height at x = 0; a single value speaks for itself.
    return spread > 1e-9 * weights * weights ? (xx * ys - xs * xy) / spread : ys / weights;
  });
}

/** Whether a curve goes up and down at many of its points, so that its course is hard to see. */
function noisy(values: readonly (number | null)[]): boolean {
  const finite = values.filter((value) => value !== null);
  if (finite.length < SMOOTHED_FROM) return false;
  // Independent values turn at two points of three.
  let turns = 0;
  for (let i = 2; i < finite.length; i++) {
    if ((finite[i] - finite[i - 1]) * (finite[i - 1] - finite[i - 2]) < 0) turns++;
  }
  return turns > finite.length / 4;
}

/** The course of a noisy curve; any other as it is. */
export function smoothed(curve: Curve): Curve {
  const { label, values } = curve;
  if (!noisy(values)) return curve;
  const reach = Math.min(Math.max(Math.round(values.length / 25), 3), 200);
  return { ...curve, label: `${label}, smoothed`, values: smooth(values, reach) };
}

/** The curve alone, or faintly behind its mean. */
function withMean(curve: Curve): Curve[] {
  if (curve.values.length === 0) return [];
  const course = smoothed(curve);
  if (course === curve) return [curve];
  return [{ ...curve, label: `${curve.label}, each step`, style: "faint" }, course];
}

/** A curve of a field and the note about values that cannot be drawn. */
export function curveOf(
  found: Map<number, number>,
  label: string,
  style: Curve["style"],
): { curve: Curve; notes: string[] } {
  const all = [...found];
  const values = all.map(([, value]) => Number.isFinite(value) ? value : null);
  const bad = all.filter(([, value]) => !Number.isFinite(value));
  const notes = bad.length === 0 ? [] : [
    `${label}: ${bad.length} of ${all.length} values ${bad.length === 1 ? "is" : "are"} not ` +
    `finite, the first at step ${bad[0][0]} (${bad[0][1]}).`,
  ];
  return { curve: { label, style, steps: all.map(([step]) => step), values }, notes };
}

/** What is to be said of curves that {@linkcode thin} changes. */
export const thinned = (curves: Curve[]): string[] =>
  curves.some(({ values }) => values.length > MOST_POINTS)
    ? ["Thinned for drawing: the lowest and the highest of neighbouring values are shown."]
    : [];

function lossChart(train: Map<number, number>, validation: Map<number, number>): Chart {
  const { curve, notes } = curveOf(train, "Training", "train");
  const curves = withMean(curve);
  if (validation.size > 0) {
    const held = curveOf(validation, "Validation", "validation");
    curves.push(held.curve);
    notes.push(...held.notes);
  }
  return {
    title: "Loss, in nats",
    fromZero: false,
    logarithmic: true,
    curves: curves.map(thin),
    notes: [...notes, ...thinned(curves)],
  };
}

/**
 * The charts that records give: the loss, then whatever else was recorded as a number, the learning
 * rate, the gradient norm and the speed first.
 *
 * @param records as {@linkcode MetricsRecord}, with the fields `loss` and `validationLoss` for the
 * chart of the loss; records of one step may stand in several lines
 */
export function chartsOf(records: readonly MetricsRecord[]): Chart[] {
  const [train, validation] = [pick(records, "loss"), pick(records, "validationLoss")];
  const charts = train.size + validation.size > 0 ? [lossChart(train, validation)] : [];
  const names = new Set([...Object.keys(KNOWN), ...records.flatMap(Object.keys)]);
  for (const name of ["step", "loss", "validationLoss"]) names.delete(name);
  for (const name of names) {
    const title = KNOWN[name] ?? words(name);
    const { curve, notes } = curveOf(pick(records, name), title, "train");
    if (curve.values.length === 0) continue;
    notes.push(...thinned([curve]));
    const curves = withMean(curve).map(thin);
    charts.push({ title, fromZero: name in KNOWN, logarithmic: false, curves, notes });
  }
  return charts;
}
