/**
 * Training a tuned lens on a text, as `vitrail probe lens --train-on` asks for it.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { lensText } from "../probes/lens/text.ts";
import type { ProbeSection } from "../probes/probe_page.ts";
import { streamPoints } from "../probes/lens/residual_stream.ts";
import type { ProbeSubject } from "../probes/subject.ts";
import type { TunedLens } from "../probes/lens/tuned_lens.ts";
import { lensDivergence, trainTunedLens } from "../probes/lens/tuned_lens_training.ts";
import { ProgressBar } from "../training/progress.ts";
import { Interrupt, Interrupted } from "./interrupt.ts";
import { encodeAll } from "./perplexity.ts";

/** What the training came to, on windows that were held out. */
export interface LensTraining {
  /** Updates. */
  steps: number;
  /** Windows learnt from and held out. */
  windows: { train: number; heldOut: number };
  /** By layer: the mean divergence from the final guess in nats, plain and tuned. */
  layers: { label: string; plain: number; tuned: number }[];
}

/** Where the training of a lens is kept until its file is written. */
export const lensCheckpoint = (file: string): string => `${file}.part`;

/** Trains a lens on the text of a source, and measures it beside the plain one. */
export async function teachLens(
  subject: ProbeSubject,
  source: string,
  options: {
    textField: string;
    steps: number;
    batch: number;
    sequence?: number;
    learningRate: number;
    lens: string;
    resume?: boolean;
  },
): Promise<{ lens: TunedLens; training: LensTraining }> {
  const { steps, learningRate, batch, sequence, resume } = options;
  const { model, tokenizer } = subject;
  const { ids } = await encodeAll(source, { ...options, tokenizer });
  if (ids.length === 0) throw new VitrailError(`Cannot train a lens on ${source}: it has no token`);
  const { batchAt, heldOut, windows } = lensText(subject, ids, options);
  const bar = new ProgressBar({ total: steps, label: "tuned lens", unit: "step" });
  using interrupt = new Interrupt("saving after this step");
  const lens = await trainTunedLens(model, batchAt, {
    steps,
    learningRate,
    checkpoint: lensCheckpoint(options.lens),
    resume,
    about: [source, ids.length, batch, sequence].join(),
    signal: interrupt.signal,
    onStart: (step) => bar.begin(step),
    onStep: (step, kl) => bar.update(step + 1, { "first layer": kl[0], "last": kl.at(-1)! }),
  });
  bar.finish();
  if (interrupt.code !== undefined) {
    const how = "go on with the same command and --resume";
    throw new Interrupted(`Stopped and saved; ${how}`, interrupt.code);
  }
  const plain = await lensDivergence(model, heldOut);
  const tuned = await lensDivergence(model, heldOut, { lens });
  const layers = streamPoints(model).slice(0, -1).map(({ label }, l) => ({
    label,
    plain: plain[l],
    tuned: tuned[l],
  }));
  return { lens, training: { steps, windows, layers } };
}

/** The part of a page about it. */
export function trainingSection({ layers, windows, steps }: LensTraining): ProbeSection {
  const curve = (label: string, style: "train" | "validation", key: "plain" | "tuned") => ({
    label,
    style,
    steps: layers.map((_, l) => l),
    values: layers.map((layer) => layer[key]),
  });
  return {
    heading: "The tuned lens beside the plain one",
    about: `On ${windows.heldOut} windows that were held out, after ${steps} updates.`,
    charts: [{
      title: "Divergence from the final guess, in nats a place",
      axis: "Layer",
      fromZero: true,
      logarithmic: false,
      curves: [curve("logit lens", "train", "plain"), curve("tuned lens", "validation", "tuned")],
      notes: [],
    }],
  };
}
