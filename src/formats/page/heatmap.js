/** Draws the heat maps of a page, in the browser. `chart_tools.js` stands before this script. */
"use strict";
/* global chartTools */

(() => {
  const { dark, colour, short } = chartTools;
  const maps = JSON.parse(document.getElementById("charts").textContent).heatmaps ?? [];
  const FONT = "12px system-ui, sans-serif";
  /** Longest label beside a map, in pixels. */
  const LONGEST = 110;

  /** Red, green and blue of a colour of the page. */
  const parts = (name) => {
    const [, hex] = /#([0-9a-f]{6})/i.exec(colour(name));
    return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  };

  for (const figure of document.querySelectorAll("[data-heatmap]")) {
    const map = maps[figure.dataset.heatmap];
    const { rows, columns, values, most, small, axes = ["row", "column"] } = map;
    const canvas = figure.querySelector("canvas");
    const readout = figure.querySelector(".readout");
    const context = canvas.getContext("2d");
    let [cell, left, top, at] = [0, 0, 0, -1];
    let upright = false;

    const widest = (labels) => {
      context.font = FONT;
      return Math.max(...labels.map((l) => context.measureText(l).width));
    };
    const longest = (labels) => Math.min(LONGEST, Math.ceil(widest(labels)) + 8);

    const draw = () => {
      const room = figure.clientWidth;
      if (room === 0) return;
      left = small ? 0 : longest(rows);
      const wanted = (room - left - 1) / columns.length;
      cell = Math.max(Math.min(wanted, small ? 24 : 32), small ? 1 : 9);
      // Names that are no wider than their columns need not be turned.
      upright = widest(columns) <= cell - 4;
      top = small ? 0 : upright ? 20 : longest(columns);
      const [width, height] = [left + cell * columns.length + 1, top + cell * rows.length + 1];
      const ratio = devicePixelRatio || 1;
      // Whole pixels, or all that is drawn would be blurred; a hair beyond one is rounding.
      canvas.width = Math.ceil(width * ratio - 0.01);
      canvas.height = Math.ceil(height * ratio - 0.01);
      canvas.style.width = `${canvas.width / ratio}px`;
      canvas.style.height = `${canvas.height / ratio}px`;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const [paper, high, low] = ["--paper", "--train", "--validation"].map(parts);
      values.forEach((value, i) => {
        if (value === null) return;
        const part = Math.min(Math.abs(value / most), 1);
        const end = value >= 0 ? high : low;
        context.fillStyle = `rgb(${paper.map((p, c) => Math.round(p + part * (end[c] - p)))})`;
        const [row, column] = [Math.floor(i / columns.length), i % columns.length];
        // Whole pixels: cells side by side leave no seam.
        const [x, y] = [Math.floor(left + cell * column), Math.floor(top + cell * row)];
        const [right, below] = [left + cell * (column + 1), top + cell * (row + 1)].map(Math.floor);
        context.fillRect(x, y, right - x, below - y);
      });
      context.strokeStyle = colour("--rule");
      const [across, down] = [cell * columns.length, cell * rows.length].map(Math.round);
      context.strokeRect(Math.floor(left) + 0.5, Math.floor(top) + 0.5, across, down);
      if (!small) label();
      if (at >= 0) {
        context.strokeStyle = colour("--ink");
        context.lineWidth = 2;
        const [row, column] = [Math.floor(at / columns.length), at % columns.length];
        context.strokeRect(left + cell * column, top + cell * row, cell, cell);
        context.lineWidth = 1;
      }
    };

    const label = () => {
      context.font = FONT;
      context.fillStyle = colour("--quiet");
      context.textBaseline = "middle";
      // Where cells are lower than letters, only some rows are named.
      const stride = Math.ceil(13 / cell);
      context.textAlign = "right";
      rows.forEach((text, i) => {
        if (i % stride === 0) context.fillText(text, left - 6, top + cell * (i + 0.5), left - 6);
      });
      context.textAlign = upright ? "center" : "left";
      columns.forEach((text, i) => {
        if (upright) context.fillText(text, left + cell * (i + 0.5), top - 10);
        if (upright || i % stride !== 0) return;
        context.save();
        context.translate(left + cell * (i + 0.5), top - 6);
        context.rotate(-Math.PI / 2);
        context.fillText(text, 0, 0, top - 6);
        context.restore();
      });
    };

    const show = (index) => {
      if (index === at) return;
      at = index;
      const [row, column] = [Math.floor(at / columns.length), at % columns.length];
      readout.textContent = at < 0
        ? ""
        : `${axes[0]} ${rows[row]}, ${axes[1]} ${columns[column]}: ${short(values[at], 4)}`;
      draw();
    };

    const point = (event) => {
      const column = Math.floor((event.offsetX - left) / cell);
      const row = Math.floor((event.offsetY - top) / cell);
      const inside = row >= 0 && row < rows.length && column >= 0 && column < columns.length;
      show(inside ? row * columns.length + column : -1);
    };
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("pointerleave", ({ pointerType }) => {
      // A finger leaves as soon as it has tapped; what it asked for stays.
      if (pointerType === "mouse") show(-1);
    });
    canvas.addEventListener("blur", () => show(-1));
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const [row, column] = at < 0
        ? [0, 0]
        : [Math.floor(at / columns.length), at % columns.length];
      const place = {
        ArrowRight: [row, column + (at < 0 ? 0 : 1)],
        ArrowLeft: [row, column - 1],
        ArrowDown: [row + (at < 0 ? 0 : 1), column],
        ArrowUp: [row - 1, column],
        Home: [row, 0],
        End: [row, columns.length - 1],
      }[event.key];
      if (!place) return;
      event.preventDefault();
      const clamp = (value, count) => Math.min(Math.max(value, 0), count - 1);
      show(clamp(place[0], rows.length) * columns.length + clamp(place[1], columns.length));
    });
    draw();
    // In a frame of its own: drawing changes the height, which within the observer's turn is an error.
    new ResizeObserver(() => requestAnimationFrame(draw)).observe(figure);
    dark.addEventListener("change", draw);
  }
})();
