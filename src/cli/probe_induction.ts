/**
 * `vitrail probe induction`: trains a model in which induction heads form, or takes one that is there, and
 * shows which heads they are and what proves it.
 *
 * @module
 */
import type { Command } from "commander";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { saveGpt } from "../models/files.ts";
import { CLEAR, headPicture } from "../probes/attention/findings.ts";
import { headName } from "../probes/attention/maps.ts";
import { letterTokenizer } from "../probes/induction/alphabet.ts";
import type { InductionEvidence } from "../probes/induction/evidence.ts";
import { ablationsToShow, inductionPage, showEffect, WAYS } from "../probes/induction/page.ts";
import { examineInductionOf } from "../probes/induction/probe.ts";
import { type InductionHistory, trainInductionModel } from "../probes/induction/train.ts";
import { loadSubject, ProbeSubject } from "../probes/subject.ts";
import { ProgressBar } from "../training/progress.ts";
import { whole } from "./numbers.ts";
import { makeOutput } from "./output.ts";
import { printNotice } from "./printer.ts";
import {
  addOutputFlags,
  addSvgFlag,
  makePlaces,
  type OutputFlags,
  writeProbe,
} from "./probe_flags.ts";
import { addTuneFlag, useTuned } from "./tuning.ts";

/** Values of the flags. */
interface InductionFlags extends OutputFlags {
  model?: string;
  out?: string;
  steps: number;
  heads: number;
  seed: number;
  tune: boolean;
}

/** Adds the command. */
export function addProbeInduction(probe: Command): void {
  addSvgFlag(addOutputFlags(addTuneFlag(probe.command("induction"))))
    .description("train a model until induction heads form, find them, and prove that they do it")
    .option("--model <directory>", "look for them in this GPT, in place of training one")
    .option("--out <directory>", "keep the model that was trained, with its tokenizer")
    .option("--steps <n>", "updates", whole(1), 2000)
    .option("--heads <n>", "heads of each of the two layers, which divide 64", whole(1), 4)
    .option("--seed <n>", "decides the first weights and the sequences", whole(0), 0)
    .action(runProbeInduction);
}

async function runProbeInduction(flags: InductionFlags): Promise<void> {
  makePlaces(flags);
  if (flags.model === undefined && flags.out !== undefined) makeOutput(flags.out);
  const device = await openDevice();
  try {
    useTuned(device, flags);
    const { subject, history } = flags.model === undefined
      ? await trained(device, flags)
      : { subject: await loadSubject(device, flags.model), history: undefined };
    const found = await examineInductionOf(subject, { seed: flags.seed });
    const { evidence, example } = found;
    writeProbe(flags, {
      json: { ...evidence, history },
      text: () => describe(evidence),
      page: () => inductionPage({ ...found, history }),
      picture: () => headPicture(example, evidence.found),
    });
  } finally {
    device.destroy();
  }
}

async function trained(
  device: Device,
  { steps, heads, seed, out }: InductionFlags,
): Promise<{ subject: ProbeSubject; history: InductionHistory }> {
  const tokenizer = await letterTokenizer();
  const { vocabularySize } = tokenizer;
  using bar = new ProgressBar({ total: steps, label: "train" });
  const { model, history } = await trainInductionModel(device, {
    vocabularySize,
    steps,
    heads,
    seed,
    onLook: (step, figures) => bar.update(step, figures),
  });
  bar.finish();
  if (out !== undefined) {
    await saveGpt(model, out);
    writeFileAtomic(`${out}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
    printNotice(`Wrote ${out} (model.safetensors, tokenizer.json)`);
  }
  return { subject: new ProbeSubject(model, tokenizer), history };
}

function describe(evidence: InductionEvidence): string {
  const { found, previous, scores, alone, paths, period } = evidence;
  const column = (value: number): string => value.toFixed(3).padStart(11);
  const shown = ablationsToShow(evidence);
  const wide = Math.max(...shown.map(({ label }) => label.length));
  return [
    `${period} random tokens, and then the same again:`,
    "",
    "head  induction   previous  loss of repeated tokens without it",
    ...scores.map((head, i) =>
      headName(head).padEnd(4) + column(head.induction) + column(head.previousToken) +
      column(alone[i].repeated)
    ),
    found.induction > CLEAR
      ? `most induction: ${headName(found)}, ${found.induction.toFixed(3)}`
      : `no head does induction: the highest score is ${found.induction.toFixed(3)}`,
    ...previous
      ? [`most previous token: ${headName(previous)}, ${previous.previousToken.toFixed(3)}`]
      : [],
    "",
    `${"mean loss, in nats, without".padEnd(wide)}        new   repeated`,
    ...shown.map(({ label, fresh, repeated }) =>
      label.padEnd(wide) + fresh.toFixed(4).padStart(11) + repeated.toFixed(4).padStart(11)
    ),
    ...paths.length > 0
      ? [
        "",
        `harm along the path to induction heads' ${WAYS.map(([, name]) => name).join(", ")}`,
        ...paths.map((path) =>
          headName(path).padEnd(4) +
          WAYS.map(([way]) => showEffect(path[way]).padStart(11)).join("")
        ),
      ]
      : [],
  ].join("\n");
}
