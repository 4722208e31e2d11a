/**
 * Draws the roofline of a profile, in the browser: each kernel as a dot below what bandwidth and
 * arithmetic allow. uPlot, `chart_tools.js` and `profile_plot.js` stand in the page before this script.
 */
"use strict";
/* global uPlot, chartTools, profilePlot */

(() => {
  const { colour, short, axis } = chartTools;
  const { data: { roof, dots }, parts, tell, follow, onKeys } = profilePlot;
  const place = parts("roofline");
  const { plot } = place;
  if (dots.length === 0) {
    plot.remove();
    return;
  }
  let chosen = -1;
  const ridge = roof && roof.gflops / roof.gigabytes;
  const xs = [...dots.map(({ x }) => x), ...(roof ? [ridge] : [])];
  // Whole powers of ten, at which a logarithmic axis ends.
  const least = 10 ** Math.floor(Math.log10(Math.min(...xs) / 1.5));
  const most = 10 ** Math.ceil(Math.log10(Math.max(...xs) * 1.5));
  const ys = [...dots.map(({ y }) => y), ...(roof ? [roof.gflops] : [])];
  // Room below for a dot, and above the roof for its name.
  const lowest = 10 ** Math.floor(Math.log10(Math.min(...ys) / 1.5));
  const highest = 10 ** Math.ceil(Math.log10(Math.max(...ys) * 2.5));
  // Two lines that meet: what bandwidth allows, and what arithmetic does.
  const lines = roof
    ? [
      { at: [least, ridge], of: (x) => x * roof.gigabytes, label: "bandwidth", dash: [6, 4] },
      { at: [ridge, most], of: () => roof.gflops, label: "arithmetic" },
    ]
    : [];
  const data = uPlot.join([
    [[least, most], [null, null]],
    ...lines.map(({ at, of }) => [at, at.map(of)]),
    ...dots.map(({ x, y }) => [[x], [y]]),
  ]);
  const size = ({ share }) => 8 + 22 * Math.sqrt(share);
  const show = (u) => {
    if (chosen < 0) return;
    const { x, y, name, about } = dots[chosen];
    tell(place, u, { left: u.valToPos(x, "x"), top: u.valToPos(y, "y"), name, about });
    u.redraw(false, false);
  };
  const near = (u) => {
    const { left, top } = u.cursor;
    if (left == null || left < 0) return;
    let [found, distance] = [-1, 40];
    dots.forEach(({ x, y }, i) => {
      const away = Math.hypot(u.valToPos(x, "x") - left, u.valToPos(y, "y") - top);
      if (away < distance) [found, distance] = [i, away];
    });
    if (found < 0) {
      place.tip.hidden = true;
    } else if (found !== chosen || place.tip.hidden) {
      chosen = found;
      show(u);
    }
  };
  /** A ring around the chosen dot, and the names of the roofs. */
  const mark = (u) => {
    const { ctx } = u;
    const ratio = uPlot.pxRatio;
    ctx.save();
    ctx.fillStyle = colour("--quiet");
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    if (roof) {
      ctx.fillText(
        `${short(roof.gflops, 3)} GFLOP/s, ${short(roof.gigabytes, 3)} GB/s`,
        u.bbox.left + u.bbox.width - 4 * ratio,
        u.valToPos(roof.gflops, "y", true) - 6 * ratio,
      );
    }
    if (chosen >= 0) {
      const { x, y } = dots[chosen];
      ctx.strokeStyle = colour("--ink");
      ctx.lineWidth = 2 * ratio;
      ctx.beginPath();
      const radius = (size(dots[chosen]) / 2 + 3) * ratio;
      ctx.arc(u.valToPos(x, "x", true), u.valToPos(y, "y", true), radius, 0, 2 * Math.PI);
      ctx.stroke();
    }
    ctx.restore();
  };
  const tall = (width) => Math.max(280, Math.min(480, width * 0.55));
  const width = plot.clientWidth;
  const chart = new uPlot(
    {
      width,
      height: tall(width),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, distr: 3, range: [least, most] },
        y: { distr: 3, range: [lowest, highest] },
      },
      axes: [axis(2, { label: "Operations a byte" }), axis(3)],
      series: [
        {},
        { show: false },
        ...lines.map(({ label, dash }) => ({
          label,
          dash,
          stroke: () => colour("--validation"),
          width: 2,
          spanGaps: true,
          points: { show: false },
        })),
        ...dots.map((dot) => ({
          label: dot.name,
          paths: () => null,
          points: {
            show: true,
            size: size(dot),
            width: 1,
            stroke: () => colour("--train"),
            fill: () => `color-mix(in srgb, ${colour("--train")} 55%, transparent)`,
          },
        })),
      ],
      hooks: { setCursor: [near], draw: [mark] },
    },
    data,
    plot,
  );
  chart.over.append(place.tip);
  const go = (index) => {
    chosen = Math.min(Math.max(index, 0), dots.length - 1);
    show(chart);
  };
  onKeys(plot, {
    ArrowRight: () => go(chosen + 1),
    ArrowDown: () => go(chosen + 1),
    ArrowLeft: () => go(chosen - 1),
    ArrowUp: () => go(chosen - 1),
    Home: () => go(0),
    End: () => go(dots.length - 1),
  });
  follow(chart, place, tall);
})();
