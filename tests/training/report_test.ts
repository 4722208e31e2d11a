/** The report: hostile texts, numbers that are none, and the course of the smoothed curve. @module */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type ReportOptions, writeReport } from "../../src/training/report.ts";
import type { Chart } from "../../src/formats/page/line_charts.ts";
import { chartsOf, MOST_POINTS, smooth, thin } from "../../src/training/report_series.ts";
import { mulberry32 } from "./train_process.ts";

const NOTHING: ReportOptions = { title: "Run", config: {}, records: [], samples: [], figures: {} };

/** The page that options give. */
function page(options: Partial<ReportOptions>): string {
  const path = Deno.makeTempFileSync({ suffix: ".html" });
  try {
    writeReport(path, { ...NOTHING, ...options });
    return Deno.readTextFileSync(path);
  } finally {
    Deno.removeSync(path);
  }
}

/** Contents of the script elements, found as a browser finds them: up to the next end tag. */
const scripts = (html: string): string[] =>
  [...html.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script/gi)].map(([, text]) => text);
/** What the page's script draws. */
const drawn = (html: string): Chart[] => JSON.parse(scripts(html)[0]);
/** The page without what is inside of scripts and styles. */
const markup = (html: string): string =>
  html.replace(/(<(script|style)\b[^>]*>)[\s\S]*?(<\/\2)/gi, "$1$3");
/** Names of all start tags. */
const tags = (html: string): string[] =>
  [...markup(html).matchAll(/<([a-z][a-z0-9]*)/gi)].map(([, name]) => name);

const HOSTILE = [
  `</pre><script>alert(1)</script>`,
  `<img src=x onerror="alert(1)">`,
  `</script><!--<script>`,
  `" onmouseover="alert(1)" '`,
  `&lt;b&gt; ]]> \u0000\u0007\u001b[31m`,
];

Deno.test("hostile texts stay texts, wherever they stand", () => {
  const harmless = page({
    title: "t",
    config: { key: "v" },
    samples: [{ step: 1, text: "s" }],
    figures: { name: "f" },
    records: [{ step: 1, loss: 1, name: 2 }, { step: 2, loss: 2, name: 3 }],
    notice: "n",
  });
  for (const text of HOSTILE) {
    const html = page({
      title: text,
      config: { [text]: text },
      samples: [{ step: 1, text }],
      figures: { [text]: text },
      records: [{ step: 1, loss: 1, [text]: 2 }, { step: 2, loss: 2, [text]: 3 }],
      notice: text,
    });
    // The same elements in the same order as with words that mean no harm.
    assert.deepEqual(tags(html), tags(harmless), text);
    assert.equal(scripts(html).length, 3);
    assert.ok(!markup(html).includes('onerror="') && !markup(html).includes('" onmouseover='));
    // deno-lint-ignore no-control-regex -- these are what must be gone
    assert.doesNotMatch(html, /[\u0000-\u0008\u000b-\u001f]/);
  }
  const html = page({ samples: [{ step: 29, text: "\n<b>Call & me</b>\r\n  Ishmael" }] });
  assert.ok(
    html.includes('<pre dir="auto" lang="">\n\n&lt;b&gt;Call &amp; me&lt;/b&gt;\n  Ishmael'),
  );
});

Deno.test("the page asks the network for nothing, and its policy lets only its own scripts run", () => {
  const html = page({ records: [{ step: 1, loss: 2 }] });
  const [policy] = html.match(/Content-Security-Policy" content="([^"]*)"/)!.slice(1);
  assert.match(policy, /^default-src 'none'; /);
  const allowed = policy.match(/'sha256-[^']+'/g)!;
  const found = scripts(html).slice(1).map((text) =>
    `'sha256-${createHash("sha256").update(text).digest("base64")}'`
  );
  assert.equal(found.length, 2);
  assert.deepEqual(allowed, found);
  for (const [, target] of markup(html).matchAll(/(?:src|href)\s*=\s*["']?([^"'\s>]*)/gi)) {
    assert.match(target, /^data:/);
  }
  for (const [, style] of html.matchAll(/<style>([\s\S]*?)<\/style>/g)) {
    assert.doesNotMatch(style, /@import|url\(/);
  }
  assert.match(html, /prefers-color-scheme: dark/);
});

Deno.test("values that are not finite are gaps in a curve, and words in table and note", () => {
  const html = page({
    records: [
      { step: 1, loss: 3, validationLoss: NaN },
      { step: 2, loss: "NaN", gradientNorm: "Infinity" },
      { step: 3, loss: 2.5, gradientNorm: 1.25 },
    ],
    notice: "Training stopped at step 2",
  });
  const [loss, norm] = drawn(html);
  assert.deepEqual(loss.curves.map((c) => c.values), [[3, null, 2.5], [null]]);
  assert.deepEqual(norm.curves[0].values, [null, 1.25]);
  assert.match(html, /Training: 1 of 3 values is not finite, the first at step 2 \(NaN\)\./);
  assert.match(
    html,
    /Gradient norm: 1 of 2 values is not finite, the first at step 2 \(Infinity\)/,
  );
  assert.match(html, /<th scope="row">2<\/th><td>not finite<\/td>/);
  assert.match(html, /Training ends at 2\.5\. Validation ends at no finite value\./);
  assert.match(html, /<p class="notice">Training stopped at step 2<\/p>/);
});

Deno.test("nothing, one point, and a curve without a finite value make a page", () => {
  const empty = page({});
  assert.match(empty, /No numbers were recorded/);
  assert.deepEqual(drawn(empty), []);
  assert.doesNotMatch(empty, /<h2>Samples|<h2>Configuration|class="notice"/);
  const one = drawn(page({ records: [{ step: 7, loss: 4.5 }] }));
  assert.deepEqual(one.map(({ curves }) => curves), [[
    { label: "Training", style: "train", steps: [7], values: [4.5] },
  ]]);
  assert.deepEqual(drawn(page({ records: [{ step: 7, loss: "NaN" }] }))[0].curves[0].values, [
    null,
  ]);
});

Deno.test("loss and validation share a chart; rate, norm and speed follow, and then what else there is", () => {
  const charts = chartsOf([
    { step: 2, loss: 2, temperature: 3, note: "x" },
    { step: 1, loss: 3, gradientNorm: 1, learningRate: 0.1, tokensPerSecond: 9 },
    { step: 2, validationLoss: 2.5 },
    { step: 2, loss: 1.5 },
  ]);
  assert.deepEqual(
    charts.map(({ title }) => title),
    [
      "Loss, in nats",
      "Learning rate",
      "Gradient norm",
      "Tokens per second",
      "Temperature",
    ],
  );
  // By step, and a later record of a step wins: a file may hold a replayed one.
  assert.deepEqual(charts[0].curves.map((c) => [c.label, c.steps, c.values]), [
    ["Training", [1, 2], [3, 1.5]],
    ["Validation", [2], [2.5]],
  ]);
  assert.deepEqual(charts.map(({ fromZero }) => fromZero), [false, true, true, true, false]);
});

/** Standard normal deviates (Box & Muller 1958). */
function normal(seed: number): () => number {
  const random = mulberry32(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

Deno.test("the smoothed curve of a straight line is that line to its very ends, gaps or not", () => {
  for (const length of [1, 2, 3, 7, 29, 197]) {
    for (const gaps of [false, true]) {
      const line = Array.from(
        { length },
        (_, i) => gaps && i % 5 === 2 ? null : 7 - 0.03 * i,
      );
      smooth(line, 11).forEach((value, i) => {
        if (line[i] === null) assert.equal(value, null);
        else assert.ok(Math.abs(value! - line[i]) < 1e-9, `${length} points, at ${i}: ${value}`);
      });
    }
  }
  assert.deepEqual(smooth([], 5), []);
  assert.deepEqual(smooth([null, 3, null], 5), [null, 3, null]);
});

Deno.test("at both ends the smoothed curve is near the course below the noise", () => {
  const [length, reach, noise, runs] = [350, 14, 0.12, 200];
  const truth = (i: number) => 3 + 3 * Math.exp(-i / 40) - 0.001 * i;
  const errors = new Float64Array(length);
  const biases = new Float64Array(length);
  for (let run = 0; run < runs; run++) {
    const deviate = normal(run + 1);
    const values = Array.from({ length }, (_, i) => truth(i) + noise * deviate());
    smooth(values, reach).forEach((value, i) => {
      errors[i] += (value! - truth(i)) ** 2 / runs;
      biases[i] += (value! - truth(i)) / runs;
    });
  }
  // No lag anywhere: what is left of 200 runs' mean error is chance, and the curve's own bend.
  biases.forEach((bias, i) => assert.ok(Math.abs(bias) < 0.03, `at ${i}: ${bias}`));
  // In the middle and at the last point most of the noise is gone; nowhere is there more of it.
  for (const [from, to, most] of [[0, 5, 1.05], [30, 335, 0.3], [335, 350, 0.45]]) {
    for (let i = from; i < to; i++) {
      const rest = Math.sqrt(errors[i]) / noise;
      assert.ok(rest < most, `at ${i}: ${rest} of the noise is left`);
    }
  }
});

Deno.test("a noisy curve is drawn faintly behind its smoothed one, a calm one alone", () => {
  const deviate = normal(29);
  const noisy = Array.from({ length: 197 }, (_, i) => ({ step: i + 1, loss: 3 + deviate() }));
  const [chart] = chartsOf(noisy);
  assert.deepEqual(chart.curves.map(({ style }) => style), ["faint", "train"]);
  assert.deepEqual(chart.curves[0].values, noisy.map(({ loss }) => loss));
  const calm = noisy.map(({ step }) => ({ step, loss: 3 / step }));
  assert.deepEqual(chartsOf(calm)[0].curves.map(({ style }) => style), ["train"]);
});

Deno.test("a long curve is thinned, but no extreme and no gap is lost", () => {
  const deviate = normal(3);
  const length = 10 * MOST_POINTS + 7;
  const values: (number | null)[] = Array.from({ length }, () => deviate());
  [values[12_345], values[20_001], values[33_333]] = [50, -50, null];
  const steps = values.map((_, i) => i + 1);
  const thinned = thin({ label: "x", style: "train", steps, values });
  assert.ok(thinned.steps.length <= MOST_POINTS + 3, `${thinned.steps.length}`);
  for (const step of [1, 12_346, 20_002, 33_334, length]) {
    assert.equal(thinned.values[thinned.steps.indexOf(step)], values[step - 1]);
  }
  assert.ok(thinned.steps.every((step, i) => i === 0 || step > thinned.steps[i - 1]));
});
