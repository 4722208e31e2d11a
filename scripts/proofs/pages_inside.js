/** What `pages.ts` asks of a page from within: its widgets, what they say, and what can be seen of it. */
"use strict";

globalThis.pageProof = (() => {
  /** Whatever tells of what is pointed at has a readout, and a place to point at beside it. */
  const widgets = () =>
    [...document.querySelectorAll(".readout")].map((readout) => {
      const widget = readout.parentElement;
      const speakers = [...widget.querySelectorAll("[data-note]")];
      const area = widget.querySelector(".u-over") ?? widget.querySelector("canvas");
      return { widget, readout, speakers, area };
    }).filter(({ speakers, area }) => speakers.length > 0 || area);

  const drawn = () => JSON.parse(document.getElementById("charts")?.textContent ?? "{}");

  /** How many different things a widget could say; undefined where the page's data do not tell. */
  const choices = ({ widget, speakers }) => {
    if (speakers.length > 0) return new Set(speakers.map((s) => s.dataset.note)).size;
    const data = drawn();
    if (widget.dataset.heatmap) {
      const { rows, columns } = data.heatmaps[widget.dataset.heatmap];
      return rows.length * columns.length;
    }
    if (widget.dataset.chart) {
      const { curves } = (Array.isArray(data) ? data : data.lines)[widget.dataset.chart];
      return new Set(curves.flatMap(({ steps }) => steps)).size;
    }
    if (widget.dataset.plot === "roofline") return data.dots.length;
  };

  /** What a widget says now. */
  const said = (index) => widgets()[index].readout.textContent.trim();

  /** Where to point within a widget, in pixels of the page, with what must be said there if that is known. */
  const points = (index, most) => {
    const { widget, speakers, area } = widgets()[index];
    widget.scrollIntoView({ block: "center", behavior: "instant" });
    if (speakers.length > 0) {
      const stride = Math.max(1, Math.floor(speakers.length / most));
      return speakers.filter((_, i) => i % stride === 0).slice(0, most).map((speaker) => {
        speaker.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
        return { speaker: speakers.indexOf(speaker), wanted: speaker.dataset.note.trim() };
      });
    }
    const { left, top, width, height } = area.getBoundingClientRect();
    if (widget.dataset.plot === "roofline") return dots(area);
    // Along both diagonals, so that every row of lanes and cells is met.
    return Array.from({ length: most }, (_, i) => {
      const part = (i + 0.5) / most;
      return [[part, part], [part, 1 - part]];
    }).flat().map(([x, y]) => ({ x: left + x * width, y: top + y * height }));
  };

  /** A net over the plot: dots lie anywhere. */
  const dots = (area) => {
    const { left, top, width, height } = area.getBoundingClientRect();
    return Array.from({ length: 400 }, (_, i) => ({
      x: left + width * (i % 20 + 0.5) / 20,
      y: top + height * (Math.floor(i / 20) + 0.5) / 20,
    }));
  };

  /** Two frames on, when whatever was drawn or scrolled has its place. */
  const settle = () =>
    new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => go())));

  /** Waits for all that a tap does: the click comes last, if it comes. */
  const tapped = () =>
    new Promise((go) => {
      addEventListener("click", () => go(), { capture: true, once: true });
      setTimeout(go, 500);
    });

  /** Where a speaker is, once it has been scrolled to; the middle of its first line. */
  const speakerAt = async (index, speaker) => {
    const element = widgets()[index].speakers[speaker];
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    await settle();
    const { left, top, width, height } = element.getClientRects()[0];
    return { x: left + width / 2, y: top + height / 2 };
  };

  /** What has the focus: its widget, whether the focus shows, and words for it. */
  const focus = () => {
    const element = document.activeElement;
    if (!element || element === document.body || element === document.documentElement) return null;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return {
      widget: widgets().findIndex(({ widget, speakers, area }) =>
        speakers.includes(element) || (area && widget.contains(element) &&
          (element.contains(area) || element === area))
      ),
      visible: element.matches(":focus-visible") && outlineStyle !== "none" &&
        parseFloat(outlineWidth) > 0,
      name: words(element),
      again: element.dataset.proofSeen === "yes" || !(element.dataset.proofSeen = "yes"),
    };
  };

  const words = (element) => {
    const text = (element.getAttribute("aria-label") ?? element.textContent).trim();
    return `<${element.localName}${element.className ? "." + element.className : ""}> ${
      text.slice(0, 30)
    }`;
  };

  /** Elements that stick out of the page, where it can be scrolled sideways. */
  const overflow = (width) => {
    const { scrollWidth } = document.documentElement;
    // A phone's innerWidth grows with what it shows.
    if (scrollWidth <= width) return [];
    const wide = [...document.querySelectorAll("main *")].filter((element) =>
      element.getBoundingClientRect().right > width + 0.5
    );
    return [`${scrollWidth} px wide`, ...wide.slice(0, 3).map(words)];
  };

  /** Any colour that CSS knows as red, green, blue and how much of it covers. */
  const painter = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const pixel = (colour) => {
    if (!known.has(colour)) {
      painter.clearRect(0, 0, 1, 1);
      painter.fillStyle = colour;
      painter.fillRect(0, 0, 1, 1);
      known.set(colour, [...painter.getImageData(0, 0, 1, 1).data]);
    }
    return known.get(colour);
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };

  /** Texts whose contrast with what lies behind them is below WCAG's AA. */
  const faint = () => {
    const found = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const element = walk.currentNode.parentElement;
      if (walk.currentNode.data.trim() === "" || !element.checkVisibility()) continue;
      let behind = element;
      while (behind && pixel(getComputedStyle(behind).backgroundColor)[3] < 255) {
        behind = behind.parentElement;
      }
      const { color, fontSize, fontWeight } = getComputedStyle(element);
      const back = behind ? getComputedStyle(behind).backgroundColor : "Canvas";
      const [low, high] = [light(pixel(color)), light(pixel(back))].sort((a, b) => a - b);
      const contrast = (high + 0.05) / (low + 0.05);
      const size = parseFloat(fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700);
      if (contrast < (large ? 3 : 4.5)) found.push(`${contrast.toFixed(2)} ${words(element)}`);
    }
    return found;
  };

  /** Controls that a finger would miss: below WCAG's 24 pixels. */
  const tiny = () =>
    [...document.querySelectorAll("button, select, summary, label, input, a[href]")]
      .filter((element) =>
        element.checkVisibility() && !(element.closest("label") !== element &&
          element.closest("label"))
      )
      .filter((element) => {
        const { width, height } = element.getBoundingClientRect();
        return Math.min(width, height) < 24;
      }).map(words);

  /** Canvases without one pixel that differs from the rest. */
  const blank = () =>
    [...document.querySelectorAll("canvas")].filter((canvas) => {
      if (!canvas.checkVisibility() || canvas.width * canvas.height === 0) return true;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const colours = new Uint32Array(data.buffer);
      return colours.every((c) => c === colours[0]);
    }).map((canvas) => words(canvas.closest("figure, section") ?? canvas));

  /** Opens what is folded, so that all of the page is proved. */
  const unfold = () => document.querySelectorAll("details").forEach((d) => d.open = true);

  const count = () =>
    widgets().map((widget) => ({
      choices: choices(widget),
      name: words(widget.widget.querySelector("figcaption, h2") ?? widget.widget),
    }));

  return {
    settle,
    tapped,
    unfold,
    count,
    said,
    points,
    speakerAt,
    focus,
    overflow,
    faint,
    tiny,
    blank,
  };
})();
