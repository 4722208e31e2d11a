/**
 * The page of a probe: figures, line charts, heat maps and coloured text in one HTML file.
 *
 * @module
 */
import { chartPage } from "../formats/page/page.ts";
import { type Heatmap, heatmap, heatmapData } from "../formats/page/heatmap.ts";
import heatmaps from "../formats/page/heatmap.js" with { type: "text" };
import { escapeHtml } from "../formats/page/html.ts";
import { type Chart, CHART_HINT, chartSection } from "../formats/page/line_charts.ts";
import lineCharts from "../formats/page/line_charts.js" with { type: "text" };
import style from "../formats/page/probe.css" with { type: "text" };
import tokens from "../formats/page/tokens.js" with { type: "text" };

/** A part of a page under a heading. */
export interface ProbeSection {
  /** The heading. */
  heading: string;
  /** What the reader sees and how to read it, in a sentence or two. */
  about?: string;
  /** Heat maps; small ones stand side by side. */
  heatmaps?: readonly Heatmap[];
  /** How many small ones to put side by side where there is room for them; as many as fit if absent. */
  abreast?: number;
  /** Line charts, such as accuracy by layer. */
  charts?: readonly Chart[];
  /** HTML, of which all text has been escaped: what `colouredTokens`, `colouredTable` and `table` give. */
  html?: string;
}

/** What a page tells. */
export interface ProbePage {
  /** Its heading. */
  title: string;
  /** Said before all else, such as what the model may not be judged by. */
  notice?: string;
  /** Results in a few words. */
  figures: Record<string, string | number>;
  /** Its parts, in order. */
  sections: readonly ProbeSection[];
}

/** The whole HTML of a page: it opens from the disk, asks the network for nothing, and reads by keys. */
export function probePage({ title, notice, figures, sections }: ProbePage): string {
  const maps: Heatmap[] = [];
  const lines: Chart[] = [];
  const body = sections.map((section) => {
    const charts = (section.charts ?? []).map((chart) =>
      chartSection(chart, lines.push(chart) - 1)
    );
    const pictures = (section.heatmaps ?? []).map((map) => heatmap(map, maps.push(map) - 1));
    const small = section.heatmaps?.some((map) => map.small);
    const abreast = section.abreast ? ` style="--abreast:${section.abreast}"` : "";
    return `<section><h2>${escapeHtml(section.heading)}</h2>
${section.about ? `<p class="about">${escapeHtml(section.about)}</p>` : ""}
${section.html ?? ""}
${small ? `<div class="heatmaps"${abreast}>${pictures.join("\n")}</div>` : pictures.join("\n")}
${charts.length > 0 ? `<div class="charts">${charts.join("\n")}</div>` : ""}
</section>`;
  });
  return chartPage({
    title,
    notice,
    figures,
    body: lines.length > 0 ? [CHART_HINT, ...body] : body,
    data: { heatmaps: maps.map(heatmapData), lines },
    script: lineCharts + heatmaps + tokens,
    style,
  });
}
