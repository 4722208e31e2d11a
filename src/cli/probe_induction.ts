/**
 * `vitrail probe induction`: trains a model in which induction heads form, or takes one that is there, and
 * shows which heads they are and what proves it.
 *
 * @module
 */
import type { Command } from "commander";
import { type Device, openDevice } from "../gpu/device.ts";
import { saveGpt } from "../models/files.ts";
import { CLEAR, headPicture } from "../probes/attention/findings.ts";
import { headName } from "../probes/attention/maps.ts";
import { letterTokenizer } from "../probes/induction/alphabet.ts";
import type { InductionEvidence } from "../probes/induction/evidence.ts";
import { ablationsToShow, inductionPage, showEffect, WAYS } from "../probes/induction/page.ts";
import { examineInductionOf } from "../probes/induction/probe.ts";
import {
  type InductionHistory,
  readInductionState,
  trainInductionModel,
} from "../probes/induction/train.ts";
import { loadSubject, ProbeSubject } from "../probes/subject.ts";
import { ProgressBar } from "../training/progress.ts";
import { VitrailError } from "../errors.ts";
import { Interrupt } from "./interrupt.ts";
import { whole } from "./numbers.ts";
import { claimDirectory, MODEL_DIRECTORY, refuseToReplace, writeTogether } from "./output.ts";
import { printNotice } from "./printer.ts";
import {
  addOutputFlags,
  addSvgFlag,
  claimOutputs,
  type OutputFlags,
  writeProbe,
} from "./probe_flags.ts";
import { addTuneFlag, useTuned } from "./tuning.ts";
import { saveTokenizer } from "../tokenizers/save_tokenizer.ts";

/** Values of the flags. */
interface InductionFlags extends OutputFlags {
  model?: string;
  out?: string;
  steps: number;
  heads: number;
  seed: number;
  resume?: boolean;
  tune: boolean;
}

/** The checkpoint within the directory of `--out`. */
const CHECKPOINT = "induction_checkpoint.safetensors";

/** Adds the command. */
export function addProbeInduction(probe: Command): void {
  addSvgFlag(addOutputFlags(addTuneFlag(probe.command("induction"))))
    .description("train a model until induction heads form, find them, and prove that they do it")
    .option("--model <directory>", "look for them in this GPT, in place of training one")
    .option("--out <directory>", "keep the model that was trained, with its tokenizer")
    .option("--steps <n>", "updates", whole(1), 2000)
    .option("--heads <n>", "heads of each of the two layers, which divide 64", whole(1), 4)
    .option("--seed <n>", "decides the first weights and the sequences", whole(0), 0)
    .option("--resume", "continue from the checkpoint in --out, if there is one yet")
    .action((flags: InductionFlags, command: Command) => runProbeInduction(flags, command));
}

async function runProbeInduction(given: InductionFlags, command: Command): Promise<void> {
  const flags = begin(given, command);
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

/**
 * Claims what is written, and takes from the checkpoint what a resumed training was asked.
 *
 * @throws {VitrailError} if something would be replaced, or the flags contradict one another
 */
function begin(flags: InductionFlags, command: Command): InductionFlags {
  const { model, out, resume, overwrite } = flags;
  claimOutputs(flags);
  if (resume && out === undefined) {
    throw new VitrailError("Cannot resume without a place: give --out DIRECTORY");
  }
  if (model !== undefined || out === undefined) return flags;
  const checkpoint = `${out}/${CHECKPOINT}`;
  claimDirectory(out, { replaces: [] });
  const state = resume ? readInductionState(checkpoint) : undefined;
  if (!state) {
    refuseToReplace([`${out}/${CHECKPOINT}`], { overwrite, resumable: true });
    refuseToReplace(MODEL_DIRECTORY.map((name) => `${out}/${name}`), { overwrite });
    return flags;
  }
  const typed = (["steps", "heads", "seed"] as const)
    .filter((name) => command.getOptionValueSource(name) === "cli")
    .map((name) => [name, flags[name]]);
  return { ...flags, ...state.asked, ...Object.fromEntries(typed) };
}

async function trained(
  device: Device,
  { steps, heads, seed, out, resume }: InductionFlags,
): Promise<{ subject: ProbeSubject; history: InductionHistory }> {
  const tokenizer = await letterTokenizer();
  const { vocabularySize } = tokenizer;
  using bar = new ProgressBar({ total: steps, label: "train" });
  using interrupt = new Interrupt("the model is looked at as it is");
  const { model, history, step } = await trainInductionModel(device, {
    vocabularySize,
    steps,
    heads,
    seed,
    checkpoint: out && `${out}/${CHECKPOINT}`,
    resume,
    signal: interrupt.signal,
    onStart: (step) => bar.begin(step),
    onLook: (step, figures) => bar.update(step, figures),
  });
  bar.finish();
  if (step < steps) {
    Deno.exitCode = interrupt.code!;
    printNotice(
      `Stopped at step ${step} of ${steps}` +
        (out === undefined
          ? "; what follows is not kept: give --out to be able to resume"
          : ` and saved; go on with: probe induction --out ${out} --resume`),
    );
  } else if (out !== undefined) {
    await writeTogether(out, async (folder) => {
      saveTokenizer(folder, tokenizer, model.config);
      await saveGpt(model, folder);
    });
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
