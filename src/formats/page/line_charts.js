/** Draws the line charts of a page, in the browser. uPlot stands in the page before this script. */
"use strict";
/* global uPlot, chartTools */

(() => {
  const { dark, colour, height, short, axis } = chartTools;
  const found = JSON.parse(document.getElementById("charts").textContent);
  const charts = Array.isArray(found) ? found : found.lines;
  /** Distances between steps that an axis may have. */
  const WHOLE = Array.from({ length: 27 }, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3));
  /** Lines differ by more than their colour. */
  const DASHES = {
    "validation": [6, 4],
    "run-2": [6, 4],
    "run-3": [2, 4],
    "run-4": [12, 4],
    "run-5": [12, 4, 2, 4],
    "run-6": [2, 2],
  };
  /** The curves over one row of steps, without what a logarithm does not know. */
  const align = (curves, logarithmic) =>
    uPlot.join(
      curves.map(({ steps, values }) => [
        steps,
        logarithmic ? values.map((v) => v > 0 ? v : null) : values,
      ]),
      curves.map(() => [2, 2]),
    );

  /** Points that no line would show: those of a short curve, and those between two gaps. */
  const marked = (curves) => (u, series) => {
    const { steps, style } = curves[series - 1];
    if (style === "faint") return [];
    if (steps.length <= (style === "train" ? 12 : 60)) return null;
    // undefined is a step that the curve has no value for, null a gap.
    const known = u.data[series].flatMap((v, i) => v === undefined ? [] : [[i, v]]);
    const gap = (at) => known[at]?.[1] == null;
    return known.filter(([, v], at) => v !== null && gap(at - 1) && gap(at + 1)).map(([i]) => i);
  };

  for (const section of document.querySelectorAll("[data-chart]")) {
    const { curves, fromZero, axis: across = "Step" } = charts[section.dataset.chart];
    const plot = section.querySelector(".plot");
    const readout = section.querySelector(".readout");
    if (!curves.some(({ values }) => values.some((v) => v !== null))) {
      // The text below tells of values that are not finite; there is nothing to draw.
      plot.remove();
      readout.remove();
      continue;
    }
    const single = curves.every(({ steps }) => steps.length === 1);
    let chart;

    const fields = curves.map(({ label, style }) => {
      const field = document.createElement("span");
      const mark = document.createElement("i");
      mark.className = style;
      mark.style.color = `var(--${style})`;
      field.append(mark, label, " ", document.createElement("b"));
      return field;
    });
    const place = document.createElement("span");
    readout.replaceChildren(place, ...fields);

    /** Shows the values under the cursor; a curve without one there shows its latest before. */
    const show = (u) => {
      const index = u.cursor.idx;
      place.textContent = index == null ? "" : `${across} ${short(u.data[0][index])}`;
      place.hidden = index == null;
      fields.forEach((field, i) => {
        let at = index;
        while (at > 0 && u.data[i + 1][at] === undefined) at--;
        field.lastChild.textContent = index == null ? "" : short(u.data[i + 1][at]);
      });
    };

    const draw = (logarithmic) => {
      chart?.destroy();
      const width = plot.clientWidth;
      chart = new uPlot(
        {
          width,
          height: height(width),
          legend: { show: false },
          cursor: { y: false, drag: { x: true, y: false } },
          scales: {
            x: {
              time: false,
              ...(single && { range: () => [curves[0].steps[0] - 1, curves[0].steps[0] + 1] }),
            },
            y: {
              distr: logarithmic ? 3 : 1,
              ...(fromZero && { range: { min: { hard: 0, mode: 1, soft: 0 }, max: { pad: 0.1 } } }),
            },
          },
          axes: [
            { ...axis(2, { label: across }), incrs: WHOLE },
            axis(3),
          ],
          series: [
            {},
            ...curves.map(({ label, style }) => ({
              label,
              stroke: () => colour(`--${style}`),
              width: style === "faint" ? 1 : 2,
              dash: DASHES[style],
              points: {
                show: true,
                filter: marked(curves),
                size: 6,
                fill: () => colour("--paper"),
              },
            })),
          ],
          hooks: { setCursor: [show] },
        },
        align(curves, logarithmic),
        plot,
      );
      show(chart);
    };

    const move = (index) => {
      const steps = chart.data[0];
      const at = Math.min(Math.max(index, 0), steps.length - 1);
      chart.setCursor({ left: chart.valToPos(steps[at], "x"), top: 0 });
    };
    const zoom = (factor) => {
      const { min, max } = chart.scales.x;
      const steps = chart.data[0];
      const [first, last] = [steps[0], steps[steps.length - 1]];
      const middle = steps[chart.cursor.idx ?? -1] ?? (min + max) / 2;
      const half = Math.max((max - min) * factor / 2, 1);
      chart.setScale("x", {
        min: Math.max(first, middle - half),
        max: Math.min(last, middle + half),
      });
    };
    plot.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const steps = chart.data[0];
      const index = chart.cursor.idx ?? -1;
      // A key moves by what can be seen: points are often closer than pixels.
      const [from, to] = chart.series[0].idxs ?? [0, steps.length - 1];
      const stride = Math.max(1, Math.round((to - from) / (event.shiftKey ? 20 : 200)));
      const action = {
        ArrowRight: () => move(index < 0 ? from : Math.min(index + stride, to)),
        ArrowLeft: () => move(index < 0 ? to : Math.max(index - stride, from)),
        Home: () => move(from),
        End: () => move(to),
        "+": () => zoom(0.5),
        "=": () => zoom(0.5),
        "-": () => zoom(2),
        "0": () => chart.setData(chart.data),
      }[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    });
    section.querySelector(".scale")?.addEventListener("change", (event) => {
      draw(event.target.value === "logarithmic");
    });
    draw(false);
    new ResizeObserver(() => {
      const width = plot.clientWidth;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: height(width) });
    }).observe(plot);
    dark.addEventListener("change", () => chart.redraw(false, true));
  }
})();
