/**
 * Draws the timeline of a profile, in the browser: lanes of what the caller named, what the host encoded
 * and what the device ran. uPlot, `chart_tools.js` and `profile_plot.js` stand in the page before this script.
 */
"use strict";
/* global uPlot, chartTools, profilePlot */

(() => {
  const { colour, short, axis } = chartTools;
  const { data: { names, lanes }, parts, tell, follow, onKeys } = profilePlot;
  const place = parts("timeline");
  const { plot } = place;
  const end = Math.max(
    ...lanes.map(({ events }) =>
      events.reduce((most, [, at, took]) => Math.max(most, at + took), 0)
    ),
  );
  if (!(end > 0)) {
    plot.remove();
    return;
  }
  // Shaders with most time on the device have colours of their own.
  const shader = (number) => names[number].split(".")[0];
  const spent = new Map();
  for (const [number, , took] of lanes[2].events) {
    spent.set(shader(number), (spent.get(shader(number)) ?? 0) + took);
  }
  const order = [...spent].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const colours = names.map((_, number) => {
    const rank = order.indexOf(shader(number));
    return rank < 0 || rank > 4 ? "--run-5" : `--run-${[1, 2, 3, 4, 6][rank]}`;
  });
  let chosen; // [lane, index]
  const event = () => chosen && lanes[chosen[0]].events[chosen[1]];
  const rows = (u) => u.bbox.height / lanes.length;
  const draw = (u) => {
    const { ctx } = u;
    const ratio = uPlot.pxRatio;
    const { left, top, width } = u.bbox;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, u.bbox.height);
    ctx.clip();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    lanes.forEach(({ name, events }, lane) => {
      const y = top + lane * rows(u) + 20 * ratio;
      const tall = rows(u) - 24 * ratio;
      ctx.fillStyle = colour("--quiet");
      ctx.fillText(name, left + 4 * ratio, y - 9 * ratio);
      let last = -1;
      events.forEach(([number, at, took], index) => {
        const from = u.valToPos(at, "x", true);
        const to = u.valToPos(at + took, "x", true);
        if (to < left || from > left + width) return;
        // What lies within a pixel that is drawn already cannot be seen.
        const nested = lane === 1 && names[number].startsWith("submit");
        if (to <= last && !nested) return;
        last = Math.max(last, Math.max(to, from + 1));
        const wide = Math.max(1, to - from - (to - from > 3 * ratio ? ratio : 0));
        const here = chosen && chosen[0] === lane && chosen[1] === index;
        ctx.globalAlpha = lane === 0 || nested ? 0.35 : 0.85;
        ctx.fillStyle = colour(colours[number]);
        ctx.fillRect(from, y, wide, tall);
        ctx.globalAlpha = 1;
        if (here) {
          ctx.strokeStyle = colour("--ink");
          ctx.lineWidth = 2 * ratio;
          ctx.strokeRect(from, y, Math.max(2, wide), tall);
        }
        const text = names[number];
        if (wide > 40 * ratio && ctx.measureText(text).width < wide - 8 * ratio) {
          ctx.fillStyle = lane === 0 || nested ? colour("--ink") : colour("--paper");
          ctx.fillText(text, from + 4 * ratio, y + tall / 2);
        }
      });
    });
    ctx.restore();
  };
  const show = (u) => {
    const [number, at, took] = event();
    tell(place, u, {
      left: Math.min(Math.max(u.valToPos(at + took / 2, "x"), 0), u.over.clientWidth),
      top: (chosen[0] + 0.5) * u.over.clientHeight / lanes.length,
      name: names[number],
      about: `${short(took, 3)} ms, from ${short(at, 5)} ms on (${lanes[chosen[0]].name})`,
    });
    u.redraw(false, false);
  };
  const near = (u) => {
    const { left, top } = u.cursor;
    if (left == null || left < 0) return;
    const lane = Math.min(lanes.length - 1, Math.floor(top * lanes.length / u.over.clientHeight));
    const [at, width] = [
      u.posToVal(left, "x"),
      u.posToVal(left + 3, "x") - u.posToVal(left, "x"),
    ];
    // The shortest of those that lie there: it is the innermost.
    let [found, shortest] = [-1, Infinity];
    lanes[lane].events.forEach(([, begin, took], i) => {
      const inside = at >= begin - width && at <= begin + took + width;
      if (inside && took < shortest) [found, shortest] = [i, took];
    });
    if (found < 0) place.tip.hidden = true;
    else if (place.tip.hidden || chosen?.[0] !== lane || chosen[1] !== found) {
      chosen = [lane, found];
      show(u);
    }
  };
  const tall = () => 260;
  const chart = new uPlot(
    {
      width: plot.clientWidth,
      height: tall(),
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false }, points: { show: false } },
      scales: { x: { time: false }, y: { range: [0, 1] } },
      axes: [axis(2, { label: "Milliseconds" }), { show: false }],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      hooks: { setCursor: [near], draw: [draw] },
    },
    [[0, end], [0, 0]],
    plot,
  );
  chart.over.append(place.tip);
  const view = (min, max) => {
    const wide = Math.min(end, max - min);
    const from = Math.min(Math.max(0, min), end - wide);
    chart.setScale("x", { min: from, max: from + wide });
  };
  const zoom = (factor) => {
    const { min, max } = chart.scales.x;
    const middle = chosen ? event()[1] + event()[2] / 2 : (min + max) / 2;
    const half = Math.max((max - min) * factor / 2, 1e-3);
    view(middle - half, middle + half);
  };
  const go = (lane, index) => {
    const { events } = lanes[lane];
    if (events.length === 0) return;
    chosen = [lane, Math.min(Math.max(index, 0), events.length - 1)];
    const { min, max } = chart.scales.x;
    const [, at, took] = event();
    if (at < min || at + took > max) view(at - (max - min) / 4, at + (max - min) * 3 / 4);
    show(chart);
  };
  /** The event of another lane that begins nearest. */
  const across = (step) => {
    const lane = Math.min(Math.max((chosen?.[0] ?? 0) + step, 0), lanes.length - 1);
    const at = event()?.[1] ?? 0;
    const after = lanes[lane].events.findIndex(([, begin]) => begin >= at);
    go(lane, after < 0 ? lanes[lane].events.length - 1 : after);
  };
  const [first, rest] = [2, 1].filter((lane) => lanes[lane].events.length > 0);
  const lane = () => chosen?.[0] ?? first ?? rest ?? 0;
  onKeys(plot, {
    ArrowRight: () => go(lane(), (chosen?.[1] ?? -1) + 1),
    ArrowLeft: () => go(lane(), (chosen?.[1] ?? 1) - 1),
    ArrowDown: () => across(1),
    ArrowUp: () => across(-1),
    Home: () => go(lane(), 0),
    End: () => go(lane(), Infinity),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    "0": () => view(0, end),
  });
  follow(chart, place, tall);
})();
