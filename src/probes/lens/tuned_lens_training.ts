/**
 * Teaching a tuned lens, and judging lenses on a text.
 *
 * @module
 */
import { gatherRows } from "../../autograd/ops/gather_rows.ts";
import { klDivergence } from "../../autograd/ops/kl_divergence.ts";
import { Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import { anything, mapOf } from "../../formats/json_rules.ts";
import { checkOptions, count, notNegative } from "../../formats/option_rules.ts";
import type { Device } from "../../gpu/device.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { loadTraining, readTrainingState, saveTraining } from "../../models/training_state.ts";
import { AdamW } from "../../optim/adamw.ts";
import { mean } from "../metrics.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";
import { readOut, residualStream } from "./residual_stream.ts";
import { TunedLens } from "./tuned_lens.ts";

/** A batch for the lens. */
export interface LensBatch extends ProbeInput {
  /** The places that count, by their numbers in (B·T): those that are no padding. All if absent. */
  places?: Tensor;
}

/** How a lens is taught. */
export interface LensTrainingOptions {
  /** Batches to learn from; default 250, as in section 3.1. */
  steps?: number;
  /** Learning rate of AdamW, which falls to 0 along a line; default 1e-3. */
  learningRate?: number;
  /** Pulls translators towards the plain lens; default 0.01. */
  weightDecay?: number;
  /** A file in which the training is kept now and then, and when it is stopped. */
  checkpoint?: string;
  /** Goes on from the checkpoint, if there is one; it ends with the bytes of a training without a break. */
  resume?: boolean;
  /** What the batches are made of: a checkpoint of another text does not go on. */
  about?: string;
  /** Stops early: the checkpoint is written, and what was learnt so far is returned. */
  signal?: AbortSignal;
  /** Told how many steps were done before, by the training that this one continues. */
  onStart?: (step: number) => void;
  /** Called every ten steps with the divergence of each layer, in nats. */
  onStep?: (step: number, klByLayer: number[]) => void;
}

/** Steps between two reads. */
const READ_EVERY = 10;
/** Milliseconds between two checkpoints. */
const SAVE_EVERY = 10_000;

/**
 * Trains translators by the divergence from what the model says in the end (arXiv:2303.08112, section 3.1):
 * Σ_l mean D(softmax(logits_final)‖softmax(logits_l)). The model itself is left alone. AdamW stands in
 * for the paper's SGD; gradients are clipped to norm 1 as there.
 *
 * @param batchAt makes the n-th batch, in a scope of its own
 * @throws {VitrailError} if the model guesses no tokens, or the checkpoint is of another training
 */
export async function trainTunedLens(
  model: ProbedModel,
  batchAt: (n: number) => LensBatch,
  options: LensTrainingOptions = {},
): Promise<TunedLens> {
  const { steps = 250, learningRate = 1e-3, weightDecay = 0.01, onStep } = options;
  checkOptions("Cannot train a lens", { steps, learningRate }, {
    steps: count,
    learningRate: notNegative,
  });
  using owned = new DisposableStack();
  const lens = owned.use(new TunedLens(model));
  using optimizer = new AdamW(lens.parameters, { weightDecay });
  const { checkpoint, signal, about = "" } = options;
  const parts = { device: model.device, parameters: lens.parameters, optimizer };
  const asked = { steps, learningRate, weightDecay, about };
  if (checkpoint && options.resume) {
    const state = readTrainingState(checkpoint, mapOf(anything));
    if (state !== undefined) {
      if (JSON.stringify(state) !== JSON.stringify(asked)) {
        throw new VitrailError(
          `Cannot go on from ${checkpoint}: it was begun with other steps, rates or text`,
        );
      }
      loadTraining(checkpoint, parts);
    }
  }
  options.onStart?.(optimizer.steps);
  let saved = performance.now();
  const save = async (): Promise<void> => {
    if (checkpoint) await saveTraining(checkpoint, parts, asked);
    saved = performance.now();
  };
  const record = (step: number): Tensor[] => {
    // Only while the step is recorded: between steps the model may be trained by another.
    const thawed = model.parameters.filter(({ frozen }) => !frozen);
    for (const p of thawed) p.frozen = true;
    try {
      optimizer.clearGradients();
      const losses = divergences(model, batchAt(step), { lens, train: true });
      optimizer.step(learningRate * (1 - step / steps));
      return losses;
    } finally {
      for (const p of thawed) p.frozen = false;
    }
  };
  for (let step = optimizer.steps; step < steps && !signal?.aborted; step++) {
    if (step % READ_EVERY === 0 || step === steps - 1) {
      const losses = await readRows(model.device, () => record(step));
      onStep?.(step, losses.map(mean));
    } else {
      using _step = model.device.scope();
      record(step);
    }
    if (performance.now() - saved > SAVE_EVERY) await save();
  }
  if (signal?.aborted && optimizer.steps < steps) await save();
  owned.move(); // to the caller
  return lens;
}

/**
 * The mean divergence D(final‖layer) of each layer but the last over all batches, in nats a place, through a
 * tuned lens or, without one, the plain lens.
 *
 * @throws {VitrailError} if the model guesses no tokens, or there are no batches
 */
export async function lensDivergence(
  model: ProbedModel,
  batches: Iterable<() => LensBatch>,
  options: { lens?: TunedLens } = {},
): Promise<number[]> {
  let sums: number[] = [];
  let places = 0;
  for (const batch of batches) {
    const found = await readRows(model.device, () => divergences(model, batch(), options));
    sums = found.map((kl, l) => kl.reduce((sum, v) => sum + v, sums[l] ?? 0));
    places += found[0].length;
  }
  if (places === 0) {
    throw new VitrailError("Cannot judge a lens on no text: wanted one batch at least");
  }
  return sums.map((sum) => sum / places);
}

async function readRows(device: Device, make: () => Tensor[]): Promise<number[][]> {
  return (await device.compute(make)).map(({ data }) => Array.from(data));
}

/** The divergence at each place, for each layer but the last; with `train`, gradients as well. */
function divergences(
  model: ProbedModel,
  { places, ...input }: LensBatch,
  { lens, train }: { lens?: TunedLens; train?: boolean },
): Tensor[] {
  const { device } = model;
  const plain = new Run(device);
  const stream = residualStream(model, input).map((x) => places ? gatherRows(plain, x, places) : x);
  const teacher = readOut(plain, model, stream.at(-1)!);
  return stream.slice(0, -1).map((x, l) => {
    using layer = device.scope();
    const run = new Run(device, { record: train });
    const logits = readOut(run, model, lens?.translate(run, x, l) ?? x);
    const losses = layer.keep(klDivergence(run, logits, { teacher }));
    run.tape?.backward(losses);
    return losses;
  });
}
