/**
 * What the plots of a profile share, in the browser: their data, their places, what is said of the thing
 * under the cursor, and keys. `chart_tools.js` stands before this script, the plots stand after it.
 */
"use strict";
/* global chartTools */

// deno-lint-ignore no-unused-vars -- the scripts after this one, in the same element, use it
const profilePlot = (() => {
  const { dark } = chartTools;
  const data = JSON.parse(document.getElementById("charts").textContent);

  /** Where a chart is drawn, and what says in words what is under the cursor. */
  const parts = (id) => {
    const section = document.querySelector(`[data-plot="${id}"]`);
    const plot = section.querySelector(".plot");
    const readout = section.querySelector(".readout");
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("aria-hidden", "true");
    return { plot, readout, tip };
  };

  /** Says something of the place (left, top) of a chart, beside it and below the chart. */
  const tell = ({ tip, readout }, u, { left, top, name, about }) => {
    const heading = document.createElement("b");
    heading.textContent = name;
    tip.replaceChildren(heading, about);
    tip.hidden = false;
    const { clientWidth, clientHeight } = u.over;
    tip.style.left = left > clientWidth / 2 ? "" : `${left + 12}px`;
    tip.style.right = left > clientWidth / 2 ? `${clientWidth - left + 12}px` : "";
    tip.style.top = top > clientHeight / 2 ? "" : `${top + 12}px`;
    tip.style.bottom = top > clientHeight / 2 ? `${clientHeight - top + 12}px` : "";
    readout.textContent = `${name}: ${about}`;
  };

  /** Keeps a chart as wide as its place, and in the colours of the page. */
  const follow = (chart, { plot, tip }, tall) => {
    new ResizeObserver(() => {
      const width = plot.clientWidth;
      if (width === 0 || width === chart.width) return;
      chart.setSize({ width, height: tall(width) });
      // Its place was another one.
      tip.hidden = true;
    }).observe(plot);
    dark.addEventListener("change", () => chart.redraw(false, true));
  };

  /** Calls what belongs to a key; keys with Ctrl and its like stay the browser's. */
  const onKeys = (plot, actions) =>
    plot.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return;
      event.preventDefault();
      actions[event.key]();
    });

  return { data, parts, tell, follow, onKeys };
})();
