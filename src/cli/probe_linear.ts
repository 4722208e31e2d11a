/**
 * `vitrail probe linear`: what each layer knows about tags of words or classes of texts.
 *
 * @module
 */
import { type Command, Option } from "commander";
import { brownPassages, type ClassText } from "../data/labels/brown_genres.ts";
import { readLabelledTexts } from "../data/labels/labelled_texts.ts";
import { readTaggedSentences } from "../data/tags/tagged_sentences.ts";
import { VitrailError } from "../errors.ts";
import { confusionMap, linearPage, perCent } from "../probes/linear/page.ts";
import { type LinearProbeResult, probeLinear } from "../probes/linear/probe.ts";
import { classQuestion, type NamedQuestion, tagQuestion } from "../probes/linear/questions.ts";
import type { ProbeSubject } from "../probes/subject.ts";
import { ProgressBar } from "../training/progress.ts";
import { real, whole } from "./numbers.ts";
import { printNotice } from "./printer.ts";
import {
  addProbeFlags,
  addSvgFlag,
  type ProbeFlags,
  withSubject,
  writeProbe,
} from "./probe_flags.ts";
import { column } from "./finetune_tag.ts";

interface LinearFlags extends ProbeFlags {
  data: string;
  task: "tags" | "classes";
  tokenColumn?: number;
  tagColumn?: number;
  textField?: string;
  labelField?: string;
  piece: "first" | "last";
  point?: string[];
  examples?: number;
  heldOut?: number;
  validationFraction: number;
  steps: number;
  learningRate: number;
  seed: number;
  random: boolean;
}

/** Words of a passage of Brown's whose genre is asked. */
const PASSAGE_WORDS = 40;

/** Adds the command to `probe`. */
export function addProbeLinear(probe: Command): void {
  const command = probe.command("linear")
    .description("train linear probes for labels at every layer, beside a control task")
    .requiredOption(
      "--data <source>",
      "tagged words or labelled texts, as finetune reads them, or brown",
    )
    .addOption(
      new Option("--task <kind>", "what is asked").choices(["tags", "classes"]).default("tags"),
    )
    .option("--token-column <n>", "column of the words, from 1; -1 is the last", column)
    .option("--tag-column <n>", "column of the tags", column)
    .option("--text-field <name>", "field or column of the text, for classes")
    .option("--label-field <name>", "field or column of the class")
    .addOption(
      new Option("--piece <which>", "token of a word that is looked at").choices(["first", "last"])
        .default("first"),
    )
    .option("--point <names...>", "hook points; the residual stream at every layer by default")
    .option(
      "--examples <n>",
      "words or texts to train on, about (30000 words, 4000 texts)",
      whole(1),
    )
    .option("--held-out <n>", "words or texts to judge by, about (a third as many)", whole(1))
    .option("--validation-fraction <part>", "part of the documents held out", real(0, 1), 0.2)
    .option("--steps <n>", "updates of each probe", whole(1), 1000)
    .option("--learning-rate <rate>", "learning rate at the first step", real(0), 0.01)
    .option("--seed <n>", "decides the sample, the order and the control task", whole(0), 0)
    .option("--no-random", "leave the untrained model out");
  addSvgFlag(addProbeFlags(command)).action(async (flags: LinearFlags) => {
    await withSubject(flags, async (subject) => {
      const question = await questionOf(subject, flags);
      printNotice(
        `${question.train.labels.length} ${question.unit} to train on, ` +
          `${question.heldOut.labels.length} held out, ${question.classes} labels`,
      );
      let bar: ProgressBar | undefined;
      const result = await probeLinear(subject.model, question, {
        ...flags,
        points: flags.point,
        onStep: (done, total) => {
          if (done === 1) bar = new ProgressBar({ total, label: "probes", unit: "step" });
          bar?.update(done, {});
          if (done === total) bar?.finish();
        },
      });
      writeProbe(flags, {
        json: result,
        text: () => linearText(result),
        page: () => linearPage(result, { model: flags.model, data: flags.data }),
        picture: () => confusionMap(result),
      });
    });
  });
}

async function questionOf(subject: ProbeSubject, flags: LinearFlags): Promise<NamedQuestion> {
  const options = { ...flags, fraction: flags.validationFraction };
  if (flags.task === "tags") {
    return await tagQuestion(subject, await readTaggedSentences(flags.data, flags), options);
  }
  return await classQuestion(subject, await classTexts(flags), options);
}

async function classTexts(flags: LinearFlags): Promise<ClassText[]> {
  if (flags.data === "brown") return await brownPassages(PASSAGE_WORDS);
  const { examples, kind } = await readLabelledTexts(flags.data, { ...flags, kind: undefined });
  if (examples.some(({ pair }) => pair !== undefined)) {
    throw new VitrailError(
      `Cannot probe ${flags.data} for classes: its records are pairs of texts; wanted one --text-field`,
    );
  }
  if (kind === "single") {
    return examples.map(({ text, labels }) => ({ text, label: `${labels[0]}`, group: text }));
  }
  throw new VitrailError(
    `Cannot probe ${flags.data} for classes: its texts have several labels each; wanted one`,
  );
}

/** The table of a terminal. */
function linearText(
  { layers, random, baselines, labels, unit, heldOut, seen }: LinearProbeResult,
): string {
  const wide = Math.max(10, ...layers.map(({ point }) => point.length));
  const line = (name: string, cells: string[]) =>
    name.padEnd(wide) + cells.map((cell) => cell.padStart(13)).join("");
  const heads = [
    "accuracy",
    "control",
    "selectivity",
    ...random ? ["untrained", "its control"] : [],
  ];
  return [
    line("hook point", heads),
    ...layers.map(({ point, accuracy, control, selectivity }, i) =>
      line(point, [
        ...[accuracy, control, selectivity].map(perCent),
        ...random ? [random[i].accuracy, random[i].control].map(perCent) : [],
      ])
    ),
    `always the most frequent label: ${
      perCent(baselines.majority)
    }; the one most frequent for its ` +
    `type: ${perCent(baselines.type)}`,
    `${labels.length} labels, ${heldOut.examples} ${unit} held out, ${
      perCent(seen)
    } of a type seen in ` +
    "training",
  ].join("\n");
}
