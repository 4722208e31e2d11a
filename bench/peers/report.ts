/**
 * Comparisons as a table in the terminal, in Markdown and in JSON.
 *
 * @module
 */
import { formatTable } from "../harness.ts";
import type { Comparison } from "./compare.ts";

const digits = (x: number): string =>
  x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toPrecision(2);

/** One problem: a row a library. */
export function comparisonTable(comparison: Comparison): string {
  const { task, label, call, calls, rounds, flops, outcomes, failures, ratio, aim } = comparison;
  const ours = outcomes[0].milliseconds.median;
  const table = formatTable(
    ["", "ms", "shortest", "longest", "GFLOP/s", "time, ours = 1", "dispatches", "waits", "off by"],
    outcomes.map(({ name, milliseconds, dispatches, waits, difference }) => [
      name,
      digits(milliseconds.median),
      digits(milliseconds.shortest),
      digits(milliseconds.longest),
      flops ? digits(flops / milliseconds.median / 1e6) : "",
      (milliseconds.median / ours).toFixed(2),
      digits(dispatches),
      `${waits}`,
      difference === 0 ? "0" : difference.toExponential(1),
    ]),
  );
  const said = [
    `${task}, ${label}: a call is ${call}; ${calls} to a read-back, median of ${rounds} rounds`,
    table,
    ...failures.map(({ name, reason }) => `${name} does not run here: ${reason}`),
  ];
  if (ratio) {
    const wanted = aim ? `, wanted ${aim.toFixed(1)}${ratio >= aim ? "" : ": NOT reached"}` : "";
    said.push(`ours is ${ratio.toFixed(2)} times as fast as the best of the others${wanted}`);
  }
  return said.join("\n");
}

/** All problems: a row each, for a page of Markdown. */
export function markdownTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.filter(({ outcomes }) => outcomes.length > 1).map((comparison) => {
    const { task, label, outcomes: [ours, ...others], ratio, aim, equal } = comparison;
    const best = others.reduce((a, b) => a.milliseconds.median <= b.milliseconds.median ? a : b);
    return [
      `${task.replaceAll("_", " ")}, ${label}`,
      digits(ours.milliseconds.median),
      digits(best.milliseconds.median),
      best.name,
      `**${ratio!.toFixed(1)}×**`,
      aim ? `${aim}×` : "",
      equal ? "yes" : "NO",
    ];
  });
  const heading = ["", "ours, ms", "best peer, ms", "which", "ratio", "wanted", "equal"];
  return [heading, ["---", "--:", "--:", "---", "--:", "--:", "---"], ...rows]
    .map((row) => `| ${row.join(" | ")} |`).join("\n");
}
