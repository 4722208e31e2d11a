/**
 * `vitrail probe patch`: where in a model the difference between two texts is worked on.
 *
 * @module
 */
import type { Command } from "commander";
import type { Heatmap } from "../formats/page/heatmap.ts";
import { colouredTokens } from "../formats/page/tokens.ts";
import { attributionPatching } from "../probes/patching/attribution_patching.ts";
import {
  checkSameLength,
  judge,
  type Judged,
  type MetricName,
  metricNames,
} from "../probes/judge.ts";
import { activationPatching, type PatchingMap, patchingMap } from "../probes/patching/patching.ts";
import type { ProbePage } from "../probes/probe_page.ts";
import type { ProbeSubject } from "../probes/subject.ts";
import { headParts, placeParts, sweepOf } from "../probes/patching/sweeps.ts";
import { checkChoice, oneOf } from "./choices.ts";
import { givenPairs, type TextPair } from "./given_pairs.ts";
import { paintHeatmap } from "./paint.ts";
import {
  addProbeFlags,
  addSvgFlag,
  type ProbeFlags,
  withSubject,
  writeProbe,
} from "./probe_flags.ts";
import { tokenLabel } from "../probes/token_labels.ts";

/** Values of the flags. */
interface PatchFlags extends ProbeFlags {
  right?: string;
  wrong?: string;
  place?: number;
  data?: string;
  at: string;
  metric?: MetricName;
  estimate: boolean;
}

/** Adds the command to those of `probe`. */
export function addProbePatch(probe: Command): void {
  addSvgFlag(addProbeFlags(probe.command("patch")))
    .description("put activations of one text into the run of another, and see what comes back")
    .argument("[clean]", "a text that the model answers well")
    .argument("[corrupted]", "the same with what matters exchanged, token for token")
    .option("--right <answer>", "the clean text's answer; what the model says to it if absent")
    .option("--wrong <answer>", "the corrupted text's answer; what the model says to it if absent")
    .option("--place <n>", "the place that answers; the last, or the [MASK] of a BERT", Number)
    .option(
      "--data <file>",
      "many pairs: JSONL with clean, corrupted, right and wrong on each line",
    )
    .option(
      "--at <parts>",
      `of ${[...placeParts, ...headParts].join(", ")}`,
      "resid_pre,attn_out,mlp_out,z",
    )
    .option("--metric <name>", metricNames.join(", "), oneOf(...metricNames))
    .option("--estimate", "estimate by gradients, in one run, what the patches would do", false)
    .action(runPatch);
}

async function runPatch(
  clean: string | undefined,
  corrupted: string | undefined,
  flags: PatchFlags,
): Promise<void> {
  const parts = flags.at.split(",").map((part) => part.trim());
  for (const part of parts) checkChoice("part", part, [...placeParts, ...headParts]);
  const pairs = givenPairs([clean, corrupted], flags);
  await withSubject(flags, async (subject) => {
    const found = await patchAll(subject, { pairs, parts, flags });
    writeProbe(flags, {
      json: found,
      text: () => inWords(found),
      page: () => pageOf(found, flags),
      picture: () => heatmapOf(found.maps[0]),
    });
  });
}

/** What a call found. */
interface Found {
  metric: string;
  estimated: boolean;
  clean: number;
  corrupted: number;
  pairs: (Judged["answers"][number] & { clean: string[]; corrupted: string[] })[];
  maps: PatchingMap[];
}

async function patchAll(
  subject: ProbeSubject,
  { pairs, parts, flags }: { pairs: TextPair[]; parts: string[]; flags: PatchFlags },
): Promise<Found> {
  const { model } = subject;
  using scope = model.device.detachedScope();
  const [clean, corrupted] = (["clean", "corrupted"] as const).map((side) =>
    pairs.map((pair) => subject.encode(pair[side]))
  );
  clean.forEach((text, i) => checkSameLength(text, corrupted[i]));
  for (const text of clean) checkSameLength(clean[0], text);
  const { metric, answers } = await judge(subject, clean, {
    questions: pairs,
    metric: flags.metric,
    against: corrupted,
  });
  const inputs = scope.run(() => ({
    clean: subject.input(clean),
    corrupted: subject.input(corrupted),
  }));
  const run = flags.estimate ? attributionPatching : activationPatching;
  const maps: PatchingMap[] = [];
  for (const part of parts) {
    const names = clean[0].tokens.map((token, t) => labelOf(token, corrupted[0].tokens[t]));
    const sweep = sweepOf(model, { part, time: names.length, names });
    maps.push(patchingMap(sweep, await run(model, inputs, { metric, cells: sweep.cells })));
  }
  return {
    metric: metric.name,
    estimated: flags.estimate,
    clean: maps[0].clean,
    corrupted: maps[0].corrupted,
    pairs: answers.map((answer, i) => ({
      clean: subject.spaced(clean[i].tokens),
      corrupted: subject.spaced(corrupted[i].tokens),
      ...answer,
    })),
    maps,
  };
}

/** A place with its token; with both where they differ. */
function labelOf(clean: string, corrupted: string): string {
  return clean === corrupted ? clean : `${clean} / ${corrupted}`;
}

function heatmapOf({ title, rows, columns, effects }: PatchingMap): Heatmap {
  const labels = columns.title === "place"
    ? columns.names.map((name, t) => `${t} ${name.trim()}`)
    : columns.names;
  return {
    title,
    rows: rows.names,
    columns: labels,
    values: effects.flat(),
    axes: [rows.title, columns.title],
    scale: "diverging",
    most: Math.max(1, ...effects.flat().map(Math.abs)),
  };
}

/** The question, such as ` Rome rather than Paris`. */
function asked({ right, wrong }: Judged["answers"][number]): string {
  return wrong === undefined ? right : `${right} rather than ${wrong}`;
}

function inWords({ metric, estimated, clean, corrupted, pairs, maps }: Found): string {
  const [first] = pairs;
  const more = pairs.length > 1 ? ` and ${pairs.length - 1} more, averaged` : "";
  return [
    `clean      ${first.clean.join("")}${more}`,
    `corrupted  ${first.corrupted.join("")}`,
    `${metric} of ${asked(first).trim()}: ${clean.toFixed(3)} clean, ${
      corrupted.toFixed(3)
    } corrupted`,
    `${estimated ? "Estimated share" : "Share"} of the way back that each patch goes:`,
    ...maps.flatMap((map) => ["", paintHeatmap(heatmapOf(map)), strongest(map)]),
  ].join("\n");
}

/** The three cells that do most. */
function strongest({ rows, columns, effects }: PatchingMap): string {
  const cells = effects.flatMap((row, r) => row.map((effect, c) => ({ effect, r, c })))
    .toSorted((a, b) => b.effect - a.effect).slice(0, 3);
  return "most: " +
    cells.map(({ effect, r, c }) =>
      `${effect.toFixed(2)} at ${rows.title} ${rows.names[r]}, ${columns.title} ` +
      (columns.title === "place" ? `${c} (${columns.names[c].trim()})` : columns.names[c])
    ).join("; ");
}

function pageOf(
  { metric, estimated, clean, corrupted, pairs, maps }: Found,
  flags: PatchFlags,
): ProbePage {
  const texts = pairs.slice(0, 5).map((pair) =>
    (["clean", "corrupted"] as const).map((side) =>
      colouredTokens(pair[side].map((text, t) => {
        const other = pair[side === "clean" ? "corrupted" : "clean"][t];
        return text === other
          ? { text }
          : { text, value: side === "clean" ? 0.5 : -0.5, note: `in the other text: ${other}` };
      }))
    ).join("")
  );
  const way = estimated ? "is estimated to go, by gradients" : "goes";
  return {
    title: estimated ? "Attribution patching" : "Activation patching",
    figures: {
      model: flags.model,
      // A line break is an answer too, and the space before a word is none of it.
      answer: tokenLabel(asked(pairs[0])).replace(/^␣(?=.)/, ""),
      [`${metric}, clean`]: clean,
      [`${metric}, corrupted`]: corrupted,
      pairs: pairs.length,
    },
    sections: [
      {
        heading: pairs.length === 1 ? "The two texts" : "The texts",
        about: "What differs is coloured: blue in the clean text, orange in the corrupted one." +
          (pairs.length > texts.length ? ` The first ${texts.length} of ${pairs.length}.` : "") +
          " Each cell below puts one activation of the clean run into the corrupted one and tells how " +
          `far the answer ${way} from the corrupted (0) to the clean (1).`,
        html: texts.join("\n"),
      },
      ...maps.map((map) => ({
        heading: map.title[0].toUpperCase() + map.title.slice(1),
        about: `M${strongest(map).slice(1)}.`,
        heatmaps: [heatmapOf(map)],
      })),
    ],
  };
}
