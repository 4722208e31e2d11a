/**
 * `vitrail probe lens`: what a model would say after each layer, and what makes it say so.
 *
 * @module
 */
import type { Command } from "commander";
import { basename, dirname } from "node:path";
import { VitrailError } from "../errors.ts";
import type { Heatmap } from "../formats/page/heatmap.ts";
import { type Attributed, attributionSections, headsPicture } from "../probes/attribution/page.ts";
import {
  divergencePicture,
  examineLens,
  type LensFindings,
  lensSections,
} from "../probes/lens/findings.ts";
import { attributeLogit } from "../probes/lens/logit_attribution.ts";
import type { ProbeSection } from "../probes/probe_page.ts";
import type { ProbedText, ProbeSubject } from "../probes/subject.ts";
import { tokenLabel } from "../probes/token_labels.ts";
import { loadTunedLens, type TunedLens } from "../probes/lens/tuned_lens.ts";
import { lensCheckpoint, type LensTraining, teachLens, trainingSection } from "./lens_training.ts";
import { idList, real, whole } from "./numbers.ts";
import { printNotice } from "./printer.ts";
import {
  addProbeFlags,
  addSvgFlag,
  type ProbeFlags,
  withSubject,
  writeProbe,
} from "./probe_flags.ts";
import { refuseToReplace, removeFiles } from "./output.ts";
import { attributionText, lensTable, trainingTable } from "./probe_lens_text.ts";

/** Values of the flags. */
export interface LensFlags extends ProbeFlags {
  second?: string;
  top: number;
  mask?: number[];
  lens?: string;
  trainOn?: string;
  textField: string;
  steps: number;
  batch: number;
  sequence?: number;
  learningRate: number;
  resume?: boolean;
  attribute?: string | true;
  against?: string;
  at?: number;
  neurons: number;
}

/** Adds the command. */
export function addProbeLens(probe: Command): void {
  addSvgFlag(addProbeFlags(probe.command("lens")))
    .description("what the model would say after each layer, and which parts make it say so")
    .argument("[text]", "what the model reads; not needed with --train-on")
    .option("--second <text>", "a second text, for a BERT that reads pairs")
    .option("--top <n>", "guesses to name in each cell", whole(1), 5)
    .option("--mask <places>", "places of a BERT's text to mask, such as 3,5; [CLS] is 0", idList)
    .option("--lens <file>", "look through this tuned lens as well; --train-on writes it")
    .option("--train-on <source>", "train a tuned lens on a text: a file, a folder, .jsonl, -")
    .option("--text-field <name>", "field of a JSONL record that holds the text", "text")
    .option("--steps <n>", "updates of the tuned lens", whole(1), 250)
    .option("--batch <n>", "windows in each", whole(1), 16)
    .option("--sequence <n>", "tokens in a window; the model's context if absent", whole(3))
    .option(
      "--learning-rate <x>",
      "at the first update; it falls to 0 along a line",
      real(0),
      0.001,
    )
    .option("--resume", "continue a --train-on that was interrupted")
    .option(
      "--attribute [token]",
      "take the logit of this token apart; the likeliest if none is named",
    )
    .option("--against <token>", "subtract the logit of this one")
    .option(
      "--at <place>",
      "which place's logit: a GPT's last, a BERT's first mask if absent",
      whole(0),
    )
    .option("--neurons <n>", "neurons to name", whole(0), 10)
    .action(runProbeLens);
}

async function runProbeLens(given: string | undefined, flags: LensFlags): Promise<void> {
  if (given === undefined && flags.trainOn === undefined) {
    throw new VitrailError(
      "Cannot look at nothing: give a text, or --train-on FILE for a tuned lens",
    );
  }
  if (flags.trainOn !== undefined && flags.lens === undefined) {
    throw new VitrailError("Cannot keep the lens: give --lens FILE along with --train-on");
  }
  const { trainOn, lens, resume } = flags;
  const trains = trainOn !== undefined && lens !== undefined;
  if (trains && !resume) {
    const guard = { overwrite: flags.overwrite, flag: "--lens", resumable: true };
    refuseToReplace([lensCheckpoint(lens)], guard);
  }
  await withSubject(flags, async (subject) => {
    let training: LensTraining | undefined;
    let tuned: TunedLens | undefined;
    if (flags.trainOn !== undefined) {
      const lens = flags.lens!;
      ({ lens: tuned, training } = await teachLens(subject, flags.trainOn, { ...flags, lens }));
      await tuned.save(lens);
      removeFiles(dirname(lens), [basename(lensCheckpoint(lens))]);
      printNotice(`Wrote ${flags.lens}`);
    } else if (flags.lens !== undefined) {
      tuned = loadTunedLens(subject.model, flags.lens);
    }
    const text = given === undefined ? undefined : subject.encode(given, flags.second);
    const found = text && await examineLens(subject, text, { ...flags, tuned });
    const attributed = found && await attribute(subject, found, flags);
    const ofAnswer = attributed && nameOf(attributed);
    writeProbe(flags, {
      json: {
        ...(found && {
          text: found.text.text,
          tokens: found.text.tokens,
          layers: found.plain,
          tuned: found.tuned,
        }),
        training,
        attribution: attributed,
      },
      text: () =>
        [
          ...(training ? [trainingTable(training)] : []),
          ...(found ? [lensTable(subject, found)] : []),
          ...(attributed ? [attributionText(attributed, ofAnswer!, flags.neurons)] : []),
        ].join("\n\n"),
      page: () => ({
        title: "Logit lens",
        figures: {
          Model: flags.model,
          Layers: subject.model.config.layers,
          ...(found && { Tokens: found.text.tokens.length }),
          ...(flags.lens !== undefined && { "Tuned lens": flags.lens }),
        },
        sections: sections(subject, { found, attributed, training }, flags),
      }),
      picture: found && (() => picture(found, attributed)),
    });
  }, { "--lens": trains ? lens : undefined });
}

function sections(
  subject: ProbeSubject,
  { found, attributed, training }: {
    found?: LensFindings;
    attributed?: Attributed;
    training?: LensTraining;
  },
  { neurons }: LensFlags,
): ProbeSection[] {
  return [
    ...(found ? lensSections(subject, found) : []),
    ...(attributed
      ? attributionSections(attributed.parts, { of: nameOf(attributed), neurons })
      : []),
    ...(training ? [trainingSection(training)] : []),
  ];
}

function picture(found: LensFindings, attributed: Attributed | undefined): Heatmap {
  return attributed ? headsPicture(attributed.parts, nameOf(attributed)) : divergencePicture(found);
}

/** Takes a logit apart, if that was asked for. */
async function attribute(
  subject: ProbeSubject,
  { text, plain }: LensFindings,
  flags: LensFlags,
): Promise<Attributed | undefined> {
  const { attribute: token, against } = flags;
  if (token === undefined) {
    if (against === undefined) return undefined;
    throw new VitrailError("Cannot subtract a logit from none: give --attribute TOKEN as well");
  }
  const place = flags.at ?? usualPlace(subject, text);
  const guessed = plain.at(-1)!.cells[place]?.top[0].id;
  if (guessed === undefined) {
    throw new VitrailError(
      `Cannot attribute a logit at place ${place}: there are places 0 to ${text.tokens.length - 1}`,
    );
  }
  const answer = token === true ? guessed : subject.answer(token);
  const other = against === undefined ? undefined : subject.answer(against);
  using scope = subject.model.device.detachedScope();
  const input = scope.run(() => subject.input([text]));
  const parts = await attributeLogit(subject.model, input, {
    answer,
    against: other,
    at: place,
  });
  return {
    answer: subject.token(answer),
    against: other === undefined ? undefined : subject.token(other),
    place,
    parts,
  };
}

/** Where there is something to be guessed. */
function usualPlace(subject: ProbeSubject, { tokens }: ProbedText): number {
  const mask = subject.family === "bert" ? tokens.indexOf("[MASK]") : -1;
  return mask >= 0 ? mask : tokens.length - 1;
}

function nameOf({ answer, against, place }: Attributed): string {
  const less = against === undefined ? "" : ` less that of “${tokenLabel(against)}”`;
  return `the logit of “${tokenLabel(answer)}”${less} at place ${place}`;
}
