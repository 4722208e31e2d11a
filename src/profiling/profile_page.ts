/**
 * A profile as one HTML file that opens from the disk: the table, a roofline plot (Williams, Waterman &
 * Patterson 2009) and a timeline of what the host and the device did.
 *
 * @module
 */
import { escapeHtml, table } from "../formats/page/html.ts";
import { chartPage } from "../formats/page/page.ts";
import style from "./profile_page.css" with { type: "text" };
import plotTools from "./profile_plot.js" with { type: "text" };
import roofline from "./profile_roofline.js" with { type: "text" };
import timeline from "./profile_timeline.js" with { type: "text" };
import type { Profile } from "./summary.ts";
import { cells, figure, percent, remarks } from "./table.ts";
import { traceOf } from "./trace.ts";
import type { Profiled } from "./workloads.ts";

/** Events that a timeline shows, at most: the first ones. */
const MOST_EVENTS = 20_000;

/** A kernel in the roofline plot. */
interface Dot {
  /** What a tooltip says first. */
  name: string;
  /** What it says then. */
  about: string;
  /** Operations for each byte. */
  x: number;
  /** 10⁹ operations a second. */
  y: number;
  /** Part of the time of all kernels. */
  share: number;
}

/** What the page's scripts draw. */
interface PageData {
  roof?: { gigabytes: number; gflops: number };
  dots: Dot[];
  /** Names of events, which the lanes refer to by number. */
  names: string[];
  /** Each event is [name, milliseconds from the first, milliseconds that it took]. */
  lanes: { name: string; events: [number, number, number][] }[];
}

const nameOf = (row: { case?: string; kernel: string }): string =>
  row.case === undefined ? row.kernel : `${row.kernel}: ${row.case}`;

function dotsOf({ kernels }: Profile): Dot[] {
  return kernels.flatMap((row) => {
    const { intensity: x, gflops: y, milliseconds, gigabytes, share = 0, roofShare } = row;
    if (!x || !y || !milliseconds) return [];
    const about = `${figure(milliseconds)} ms, ${figure(y)} GFLOP/s, ${figure(gigabytes)} GB/s, ` +
      `${figure(x)} operations a byte, ${percent(roofShare)} of the roof`;
    return [{ name: nameOf(row), about, x, y, share }];
  });
}

/** The trace's tracks as lanes: what the caller named, what the host did, what the device did. */
function lanesOf({ profile, recording }: Profiled): Pick<PageData, "names" | "lanes"> {
  const numbers = new Map<string, number>();
  const lanes: PageData["lanes"] = [
    { name: profile.unit === "step" ? "Steps" : "Calls", events: [] },
    { name: "Host", events: [] },
    { name: "Device", events: [] },
  ];
  const all = traceOf(recording, profile.adapter).traceEvents.filter(({ ph }) => ph === "X");
  for (const { name, ts, dur = 0, cat } of all.slice(0, MOST_EVENTS)) {
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    const lane = lanes[cat === "span" ? 0 : cat === "device" ? 2 : 1];
    lane.events.push([number, round(ts / 1000), round(dur / 1000)]);
  }
  return { names: [...numbers.keys()], lanes };
}

/** To a tenth of a microsecond, which no eye and no timestamp goes below. */
const round = (milliseconds: number): number => Number(milliseconds.toFixed(4));

function chart(id: string, { title, about }: { title: string; about: string }): string {
  return `<section class="chart" data-plot="${id}">
<h2 id="${id}">${title}</h2>
<div class="plot script" tabindex="0" role="group" aria-labelledby="${id}"
 aria-describedby="about-${id}"></div>
<p class="readout script" role="status"></p>
<p class="about" id="about-${id}">${about}</p>
</section>`;
}

function rooflineSection(profile: Profile, dots: Dot[]): string {
  const { kernels, roof } = profile;
  const left = kernels.filter((row) => row.flops === 0).map(nameOf);
  const unknown = kernels.filter((row) => row.flops === undefined).map(nameOf);
  const about = [
    "Each kernel is a dot, as large as its part of the time; both axes are logarithmic. The lines are " +
    "the roof: bandwidth on the left, arithmetic on the right. A dot far below has time to win.",
    left.length > 0 ? `Without arithmetic, and so not shown: ${left.join(", ")}.` : "",
    unknown.length > 0 ? `Of unknown arithmetic, and so not shown: ${unknown.join(", ")}.` : "",
    roof ? "" : "The roof was not measured.",
    dots.length > 0 ? "Arrow keys go from dot to dot, the slowest first." : "",
  ].filter((text) => text !== "").join(" ");
  return chart("roofline", {
    title: "Roofline: GFLOP/s by operations a byte",
    about: escapeHtml(about),
  });
}

function kernelTable(profile: Profile): string {
  const { heads, rows } = cells(profile);
  const at = heads.indexOf("bindings");
  const named = rows.map((row, i) =>
    row.with(at, profile.kernels[i].shader?.bindings.join(", ") ?? "–")
  );
  return `<section class="kernels"><h2>Kernels</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Kernels">${table(heads, named)}</div>
</section>`;
}

/** The whole page of a profile. */
export function profilePage(profiled: Profiled): string {
  const { profile, recording } = profiled;
  const { adapter, unit, gpu, wall, host, roof, dispatches, kernels } = profile;
  const dots = dotsOf(profile);
  const lanes = lanesOf(profiled);
  const busy = kernels.reduce((sum, { milliseconds = 0 }) => sum + milliseconds, 0);
  const timed = profile.timing !== "counts";
  const cards: [string, string | number | undefined][] = [
    ["adapter", adapter],
    [`dispatches a ${unit}`, figureOr(dispatches)],
    ["kernels", timed ? `${figure(busy)} ms` : undefined],
    ["device", gpu === undefined ? undefined : `${figure(gpu)} ms`],
    ["wall, unwatched", wall === undefined ? undefined : `${figure(wall)} ms`],
    [
      "host",
      host === undefined || wall === undefined
        ? undefined
        : `${figure(host)} ms, ${percent(host / wall)} of wall`,
    ],
    ["roof", roof && `${figure(roof.gflops)} GFLOP/s, ${figure(roof.gigabytes)} GB/s`],
  ];
  const told = recording.events.length > 0
    ? "What the host encoded above what the device ran, on one clock. Drag, or press + and −, to zoom; " +
      "double-click or press 0 to see all; arrow keys go from event to event and from lane to lane."
    : "Nothing was recorded.";
  const untimed = recording.timed
    ? ""
    : " This adapter has no timestamps: when the device ran what is not known.";
  // The other remarks stand in the cards.
  const recorded = remarks(profile).filter((line) => /recorded$|no timestamps/.test(line));
  return chartPage({
    title: profile.title.charAt(0).toUpperCase() + profile.title.slice(1),
    figures: Object.fromEntries(cards.filter((card) => card[1] !== undefined)) as Record<
      string,
      string | number
    >,
    data: { roof, dots, ...lanes } satisfies PageData,
    script: plotTools + roofline + timeline,
    style,
    body: [
      `<p class="about">${recorded.map(escapeHtml).join("<br>")}</p>`,
      "<noscript><p>The plots need JavaScript; their figures stand in the table.</p></noscript>",
      rooflineSection(profile, dots),
      chart("timeline", { title: "Timeline", about: escapeHtml(told + untimed) }),
      kernelTable(profile),
    ],
  });
}

const figureOr = (value: number): string => String(Number(value.toFixed(1)));
