/**
 * A page of charts: one HTML file that opens from the disk and asks the network for nothing, whose
 * security policy lets no script run but its own. Training's reports and profiles are such pages.
 *
 * @module
 */
import { createHash } from "node:crypto";
import uplotStyle from "npm:uplot@1.6.32/dist/uPlot.min.css" with { type: "text" };
import uplotScript from "npm:uplot@1.6.32/dist/uPlot.iife.min.js" with { type: "text" };
import chartTools from "./chart_tools.js" with { type: "text" };
import pageStyle from "./page.css" with { type: "text" };
import { escapeHtml, jsonForScript, showValue } from "./html.ts";

/** What a page consists of. */
export interface ChartPage {
  /** Its heading. */
  title: string;
  /** Said before all else, such as why a run failed. */
  notice?: string;
  /** Results in a few words, for the top of the page. */
  figures: Record<string, string | number>;
  /** HTML after the figures; all text in it must have been escaped. */
  body: string[];
  /** What the script draws; it finds it as JSON in the element `charts`. */
  data: unknown;
  /** Draws the charts, with uPlot and the tools of `chart_tools.js`. */
  script: string;
  /** Rules beside those that all pages share. */
  style?: string;
}

/** A script or style cannot end its own element, whatever text it holds. */
const inline = (source: string): string => source.replace(/<\/(script|style)/gi, "<\\/$1");

const hash = (script: string): string =>
  `'sha256-${createHash("sha256").update(script).digest("base64")}'`;

/** The whole HTML of a page. */
export function chartPage(
  { title, notice, figures, body, data, script, style }: ChartPage,
): string {
  const scripts = [uplotScript, chartTools + script].map(inline);
  const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; ` +
    `form-action 'none'; script-src ${scripts.map(hash).join(" ")}`;
  const cards = Object.entries(figures).map(([name, value]) =>
    `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(showValue(value))}</dd></div>`
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>${inline(uplotStyle)}
${inline(pageStyle)}${inline(style ?? "")}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${notice ? `<p class="notice">${escapeHtml(notice)}</p>` : ""}
${cards.length > 0 ? `<dl class="figures">${cards.join("\n")}</dl>` : ""}
${body.join("\n")}
</main>
<footer>Written by Vitrail. Charts by uPlot, MIT licence, © Leon Sorokin.</footer>
<script type="application/json" id="charts">${jsonForScript(data)}</script>
<script>${scripts[0]}</script>
<script>${scripts[1]}</script>
</body>
</html>
`;
}
