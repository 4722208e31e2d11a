/** What the charts of all pages share, in the browser: colours, axes and numbers in few characters. */
"use strict";

// deno-lint-ignore no-unused-vars -- the script after this one, in the same element, uses it
const chartTools = (() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
  const height = (width) => Math.round(Math.min(Math.max(width * 0.5, 220), 360));
  document.documentElement.classList.add("scripted");

  /** A number for an axis or the readout, in few characters. */
  const short = (value, digits = 5) => {
    if (value == null) return "–";
    const size = Math.abs(value);
    if (value !== 0 && (size < 1e-3 || size >= 1e9)) {
      return value.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e");
    }
    return value.toLocaleString("en-US", {
      maximumSignificantDigits: Number.isInteger(value) ? 21 : digits,
    });
  };

  /** What the axis of values looks like; a compact one for millions. */
  const tick = (value) => {
    if (value == null) return "";
    return Math.abs(value) >= 1e5
      ? value.toLocaleString("en-US", { notation: "compact" })
      : short(value, 4);
  };

  /** An axis in the page's colours: at the bottom (side 2), where it has a label, or at the left (3). */
  const axis = (side, { label, values = (_, splits) => splits.map(tick) } = {}) => ({
    side,
    values,
    stroke: () => colour("--quiet"),
    grid: { stroke: () => colour("--rule"), width: 1 },
    ticks: { stroke: () => colour("--rule"), width: 1, size: 4 },
    font: "12px system-ui, sans-serif",
    // Wide enough for its longest label, and no wider.
    ...(side === 3
      ? {
        size: (_, labels) => 14 + 7 * Math.max(3, ...(labels ?? []).map((l) => l?.length ?? 0)),
      }
      : {
        size: 26,
        label,
        labelSize: 16,
        labelGap: 0,
        labelFont: "12px system-ui, sans-serif",
      }),
  });

  return { dark, colour, height, short, tick, axis };
})();
