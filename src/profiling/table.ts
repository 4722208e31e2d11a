/**
 * A profile as a table for a terminal.
 *
 * @module
 */
import type { KernelRow, Profile } from "./summary.ts";

/** A figure in three digits and no exponent; a dash for what is not known. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return digits > 4 ? value.toExponential(1) : value.toFixed(digits);
}

/** A part in per cent. */
export function percent(value: number | undefined): string {
  return value === undefined ? "–" : `${(100 * value).toFixed(1)} %`;
}

/** How often in one unit: a whole number where it is one. */
const times = (calls: number): string => String(Number(calls.toFixed(1)));

/** A workgroup's size without the ones at its end. */
export function groupSize({ shader }: KernelRow): string {
  if (!shader) return "–";
  const size = [...shader.workgroupSize];
  while (size.length > 1 && size.at(-1) === 1) size.pop();
  return size.join("×");
}

/** Headings and the cells under them; where kernels are of several cases, the case comes first. */
export function cells(profile: Profile): { heads: string[]; rows: string[][] } {
  const several = profile.kernels.some((row) => row.case !== undefined);
  const heads = [
    ...several ? ["case"] : [],
    "kernel",
    "calls",
    "ms",
    "host ms",
    // A part of unlike things' sum says nothing.
    ...several ? [] : ["share"],
    "GFLOP/s",
    "GB/s",
    "FLOP/byte",
    "of roof",
    "workgroup",
    "bindings",
    "memory",
  ];
  const rows = profile.kernels.map((row) => [
    ...several ? [row.case ?? ""] : [],
    row.kernel,
    times(row.calls),
    figure(row.milliseconds),
    figure(row.host),
    ...several ? [] : [percent(row.share)],
    figure(row.gflops),
    figure(row.gigabytes),
    figure(row.intensity),
    percent(row.roofShare),
    groupSize(row),
    row.shader ? String(row.shader.bindings.length) : "–",
    row.shader ? `${row.shader.workgroupBytes} B` : "–",
  ]);
  return { heads, rows };
}

/** What stands beside the table: where times come from, and the host's beside the device's. */
export function remarks(profile: Profile): string[] {
  const { adapter, timing, roof, unit, units, gpu, wall, host, submit, kernels } = profile;
  const busy = kernels.reduce((sum, { milliseconds }) => sum + (milliseconds ?? 0), 0);
  const lines = [`${adapter}; ${units} ${unit}${units === 1 ? "" : "s"} recorded`];
  if (roof) {
    lines.push(
      `roof, measured on this adapter: ${figure(roof.gigabytes)} GB/s by a copy, ` +
        `${figure(roof.gflops)} GFLOP/s by a matmul`,
    );
  }
  if (timing === "replay") {
    lines.push(
      "this adapter has no timestamps: each kind of dispatch was run again by itself, on zeros, " +
        "and timed by the host's clock",
    );
  } else if (timing === "counts") {
    lines.push("this adapter has no timestamps: calls are counted, not timed");
  }
  const parts = [`${times(profile.dispatches)} dispatch${profile.dispatches === 1 ? "" : "es"}`];
  if (timing !== "counts") parts.push(`kernels ${figure(busy)} ms`);
  if (gpu !== undefined) parts.push(`device ${figure(gpu)} ms`);
  if (wall !== undefined) parts.push(`wall without the profiler ${figure(wall)} ms`);
  if (host !== undefined && wall !== undefined) {
    parts.push(`host ${figure(host)} ms (${percent(host / wall)} of wall)`);
  }
  parts.push(`submits ${figure(submit)} ms`);
  lines.push(`a ${unit}: ${parts.join(", ")}`);
  return lines;
}

/** The whole text; times are those of one unit. */
export function profileTable(profile: Profile): string {
  const { heads, rows } = cells(profile);
  const widths = heads.map((head, c) =>
    Math.max(head.length, ...rows.map((row) => [...row[c]].length))
  );
  const line = (row: string[]): string =>
    row.map((cell, c) =>
      ["case", "kernel"].includes(heads[c]) ? cell.padEnd(widths[c]) : cell.padStart(widths[c])
    ).join("  ");
  return [
    profile.title,
    ...remarks(profile),
    "",
    line(heads),
    widths.map((w) => "-".repeat(w)).join("  "),
    ...rows.map(line),
  ].join("\n");
}
