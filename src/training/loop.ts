/**
 * The training loop: when to step, to evaluate, to save and to stop.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { checkOptions, count, countOrNone, notNegative } from "../formats/option_rules.ts";
import type { AdamWOptions } from "../optim/adamw.ts";
import { loadCheckpoint, saveCheckpoint, type TrainingState } from "./checkpoint.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import { learningRateAt } from "./schedule.ts";
import type { Task } from "./task.ts";
import { type StepFigures, Trainer } from "./trainer.ts";

/** Rates and rhythm of a run. */
export interface TrainSettings extends AdamWOptions {
  /** Updates in all. */
  steps: number;
  /** Highest learning rate. */
  learningRate: number;
  /** Lowest learning rate, at the end. */
  minimumLearningRate: number;
  /** Steps of linear warm-up. */
  warmupSteps: number;
  /** Shape of the decay. */
  schedule: "cosine" | "linear" | "constant";
  /** Micro-steps a step. */
  accumulation: number;
  /** Steps between evaluations. */
  evaluateEvery: number;
  /** Steps between checkpoints. */
  saveEvery: number;
  /** Evaluations without improvement before the run stops; 0 never stops. */
  patience: number;
  /** Seed of dropout. */
  seed: number;
}

/** What a run reads and whom it tells. */
export interface TrainIO<B> {
  /** The n-th micro-batch of the run; the same n gives the same batch. */
  batchAt: (index: number) => B;
  /** Batches of held-out text. */
  validation?: () => Iterable<B>;
  /** Where checkpoints and the model go; nothing is written without it. */
  directory?: string;
  /** Continue from the checkpoint in `directory`. */
  resume?: boolean;
  /** Told, before the first step, what is done otherwise than was asked for, and why. */
  onNotice?: (text: string) => void;
  /**
   * Chooses variants of kernels for a run that has none yet, by a rehearsal of a micro-step. They are
   * kept in the checkpoint, and a resumed run keeps to them: it ends with the same bytes.
   */
  tune?: (rehearsal: () => void) => Promise<void>;
  /** Told where a resumed run begins, before its first step. */
  onStart?: (state: TrainingState) => void;
  /** Told each step's figures, in order, and how many seconds these steps took to train. */
  onSteps?: (
    figures: (StepFigures & { learningRate: number })[],
    seconds: number,
  ) => void | Promise<void>;
  /**
   * Told each evaluation. A number that it returns decides, in place of the loss, which evaluation is
   * the best: higher is better.
   */
  onEvaluation?: (
    step: number,
    evaluation: Evaluation,
  ) => number | void | Promise<number | void>;
  /** Called before each checkpoint: what belongs to its steps should now reach the disk. */
  onSave?: (step: number) => void | Promise<void>;
  /** Asks for an early end: the run saves a checkpoint and leaves. */
  signal?: AbortSignal;
}

/** How a run ended. */
export interface TrainResult {
  /** Steps done. */
  step: number;
  /** Why it ended. */
  reason: "finished" | "interrupted" | "no improvement";
  /** Lowest validation loss. */
  bestLoss: number | null;
  /** Highest of the numbers that decided, where numbers did. */
  bestScore?: number;
}

/** Milliseconds between two looks at the figures, about: each look costs 11 of them under Deno. */
const LOOK_EVERY = 500;

/**
 * Trains a model. With patience, model.safetensors holds the weights of the best evaluation; without,
 * the latest. The checkpoint always holds the latest. A run that had ended when it was saved ends
 * again at once when it is resumed.
 *
 * @throws {VitrailError} at a loss or gradient that is not finite; the last checkpoint stays, and its
 * weights have a finite loss.
 */
export async function train<B>(
  task: Task<B>,
  settings: TrainSettings,
  io: TrainIO<B>,
): Promise<TrainResult> {
  const { steps, patience } = settings;
  checkOptions("Cannot train", settings, {
    steps: countOrNone,
    learningRate: notNegative,
    minimumLearningRate: notNegative,
    warmupSteps: countOrNone,
    evaluateEvery: count,
    saveEvery: count,
    patience: countOrNone,
  });
  using trainer = new Trainer(task, settings);
  let state: TrainingState = { step: 0, bestLoss: null, evaluationsSinceBest: 0 };
  if (io.resume && io.directory) state = loadCheckpoint(trainer, io.directory);
  await chooseVariants(trainer, state, io);
  // Whether the directory holds the weights of a best evaluation.
  let kept = state.bestLoss !== null;
  if (trainer.notice) io.onNotice?.(trainer.notice);
  io.onStart?.(state);
  let looked = performance.now();
  const stale = (): boolean => patience > 0 && state.evaluationsSinceBest >= patience;
  const rate = (step: number): number =>
    learningRateAt(step, {
      peak: settings.learningRate,
      minimum: settings.minimumLearningRate,
      warmupSteps: settings.warmupSteps,
      totalSteps: steps,
      kind: settings.schedule,
    });
  const look = async (): Promise<void> => {
    // A second time where good steps came before one that is not finite: that one throws then.
    for (let figures = await trainer.figures(); figures.length > 0;) {
      const seconds = (performance.now() - looked) / 1000;
      looked = performance.now();
      await io.onSteps?.(figures.map((f) => ({ ...f, learningRate: rate(f.step - 1) })), seconds);
      figures = await trainer.figures();
    }
  };
  // Finite gradients can still make weights whose loss is not: those are never saved.
  let sound = true;
  const assess = async (): Promise<void> => {
    if (!io.validation) return;
    const found = await evaluate(task, io.validation(), { allowNotFinite: true });
    sound = Number.isFinite(found.loss);
    const score = await io.onEvaluation?.(state.step, found) ?? undefined;
    const lower = sound && (state.bestLoss === null || found.loss < state.bestLoss);
    const better = score === undefined
      ? lower
      : sound && score > (state.bestScore ?? Number.NEGATIVE_INFINITY);
    if (lower) state.bestLoss = found.loss;
    if (better && score !== undefined) state.bestScore = score;
    state.evaluationsSinceBest = better ? 0 : state.evaluationsSinceBest + 1;
    if (better) kept = true;
    if (better && patience > 0 && io.directory) await task.save(io.directory);
  };
  const probe = async (): Promise<void> => {
    const batch = io.batchAt(batchOf(state.step - 1));
    const { loss } = await evaluate(task, [batch], { allowNotFinite: true });
    sound = Number.isFinite(loss);
  };
  const save = async (): Promise<void> => {
    if (!io.directory) return;
    await io.onSave?.(state.step);
    if (patience === 0 || !kept) await task.save(io.directory);
    await saveCheckpoint(trainer, io.directory, state);
  };
  const batchOf = (step: number): number => step * settings.accumulation;
  let reason: TrainResult["reason"] = stale() ? "no improvement" : "finished";
  while (state.step < steps && reason === "finished") {
    const batches = Array.from(
      { length: settings.accumulation },
      (_, micro) => io.batchAt(batchOf(state.step) + micro),
    );
    trainer.step(batches, rate(state.step));
    state.step++;
    const last = state.step === steps;
    const evaluates = last || state.step % settings.evaluateEvery === 0;
    const saves = last || state.step % settings.saveEvery === 0;
    if (evaluates || saves || trainer.full || performance.now() - looked > LOOK_EVERY) await look();
    if (evaluates) await assess();
    if (io.signal?.aborted && !last) reason = "interrupted";
    if (evaluates && stale()) reason = "no improvement";
    if (saves || reason !== "finished") {
      await look();
      if (!evaluates || !io.validation) await probe();
      if (sound) await save();
      else if (last || reason !== "finished") throw notSound(state.step);
    }
    // Evaluations and checkpoints are no time of training.
    if (evaluates || saves) looked = performance.now();
  }
  const { step, bestLoss, bestScore } = state;
  return { step, reason, bestLoss, ...bestScore === undefined ? {} : { bestScore } };
}

/** Those of the checkpoint; on another adapter, where no byte would be the same, and at first, anew. */
async function chooseVariants<B>(
  trainer: Trainer<B>,
  state: TrainingState,
  io: TrainIO<B>,
): Promise<void> {
  const { variants, description: adapter } = trainer.task.device;
  const kept = state.step > 0 && (state.variants?.adapter ?? adapter) === adapter;
  if (kept) variants.use(state.variants?.chosen ?? {});
  else await io.tune?.(() => trainer.rehearse(io.batchAt(0)));
  const { chosen } = variants;
  if (Object.keys(chosen).length > 0) state.variants = { adapter, chosen };
  else delete state.variants;
}

function notSound(step: number): VitrailError {
  return new VitrailError(
    `Training stopped at step ${step}: its update made weights whose loss is not finite; ` +
      "lower the learning rate or clip more, and resume from the last checkpoint",
  );
}
