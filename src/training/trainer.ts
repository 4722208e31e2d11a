/**
 * The numeric part of training: micro-steps, the update, and a ring of figures that stays on the
 * device until somebody looks.
 *
 * @module
 */
import { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import { checkOptions, notNegative, seedRule, whole } from "../formats/option_rules.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { AdamW, type AdamWOptions } from "../optim/adamw.ts";
import { choosePrecision, type Precision } from "./precision.ts";
import { MeanLosses } from "./mean_losses.ts";
import type { LossTerm, Task } from "./task.ts";

/** Figures of one step. */
export interface StepFigures {
  /** Number of the step, from 1. */
  step: number;
  /** Mean loss over all targets of the step, in nats, before its update. */
  loss: number;
  /** Its terms by name, where there are several. */
  terms?: Record<string, number>;
  /** Global gradient norm before clipping; not finite where the step was skipped. */
  gradientNorm: number;
  /** In f16, what the loss was multiplied by in the backward pass. */
  lossScale?: number;
  /** In f16, how many steps were skipped so far, this one included. */
  skippedSteps?: number;
  /** In f16, that this step changed no weight, because a gradient was too large. */
  skipped?: boolean;
}

/** Sizes and rates of a trainer. */
export interface TrainerOptions extends AdamWOptions {
  /** Micro-batches of a step, whose targets count as those of one batch. */
  accumulation?: number;
  /** Seed of dropout. */
  seed?: number;
}

/** Steps whose figures wait on the device, at most. */
const RING = 32;

/** Micro-steps of a step, at most: the losses of each wait on the device. */
const MOST_MICRO_STEPS = 2 ** 16;

/** Trains a model step by step. */
export class Trainer<B> implements Disposable {
  /** What is trained. */
  readonly task: Task<B>;
  /** Its optimizer. */
  readonly optimizer: AdamW;
  /** What it computes in. */
  readonly precision: Precision;
  /** Why that is not the precision that was asked for. */
  readonly notice: string | undefined;
  readonly #accumulation: number;
  readonly #seed: number;
  readonly #ring: Tensor;
  readonly #losses: number;
  readonly #width: number;
  readonly #owned: DisposableStack;
  #waiting: number[] = [];
  #scales: number[] = [];
  #fault: VitrailError | undefined;

  /** Allocates the optimizer's state. */
  constructor(task: Task<B>, options: TrainerOptions = {}) {
    const { device } = task;
    this.task = task;
    const { precision, notice } = choosePrecision(device, options.precision);
    this.precision = precision;
    this.notice = notice;
    using owned = new DisposableStack();
    this.optimizer = owned.use(new AdamW(task.parameters, { ...options, precision }));
    this.#accumulation = options.accumulation ?? 1;
    this.#seed = options.seed ?? 0;
    const numbers = { accumulation: this.#accumulation, seed: this.#seed };
    checkOptions("Cannot train", numbers, {
      accumulation: whole(1, MOST_MICRO_STEPS),
      seed: seedRule,
    });
    this.#losses = 2 * task.terms.length * this.#accumulation;
    // The losses, the loss scale and the clipping factor with what belongs to each, the tensors' sums.
    this.#width = this.#losses + 6 + this.optimizer.parameters.length;
    const memory = owned.use(device.detachedScope());
    this.#ring = memory.run(() => device.tensor([RING, this.#width]));
    this.#owned = owned.move();
  }

  /**
   * Gives back what training needs and using the model does not: gradients, the optimizer's state and the
   * figures. The model can be used, and trained by another.
   */
  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }

  /** Whether the ring is full: `figures` must be read before the next step. */
  get full(): boolean {
    return this.#waiting.length === RING;
  }

  /**
   * Records the forward and the backward pass of one batch, and changes nothing but the gradients, which
   * the next step clears: it calls every kernel of a micro-step.
   */
  rehearse(batch: B): void {
    const { device } = this.task;
    this.optimizer.clearGradients();
    using _scope = device.scope();
    this.#micro(batch, { step: 0, scales: this.task.terms.map(() => 1) });
    device.commands.submit();
  }

  /**
   * Records one step from as many batches as there are micro-steps. Each term of the loss is the mean over
   * its targets in all batches, so that a target counts the same in a batch with many as in one with few.
   *
   * @throws {VitrailError} at another number of batches, or if the ring is `full`
   */
  step(batches: B[], learningRate: number): void {
    const { device, terms } = this.task;
    if (batches.length !== this.#accumulation) {
      throw new VitrailError(
        `Cannot make a step from ${batches.length} batches: ` +
          `the trainer's accumulation is ${this.#accumulation}, wanted as many`,
      );
    }
    if (this.full) {
      throw new VitrailError(
        `Cannot make a step: the figures of ${RING} steps wait, and there is room for no more; ` +
          "read them with figures() first",
      );
    }
    checkOptions("Cannot make a step", { learningRate }, { learningRate: notNegative });
    const counts = batches.map((batch) => this.task.targetCounts(batch));
    const totals = terms.map((_, term) => counts.reduce((sum, own) => sum + own[term], 0));
    const { commands } = device;
    const number = this.optimizer.steps + 1;
    const row = this.#waiting.length * this.#width * 4;
    const put = (source: Tensor, at: number): void => {
      commands.copy(source.buffer, this.#ring.buffer, source.size * 4, { target: row + at * 4 });
    };
    const { half } = this.optimizer;
    this.optimizer.clearGradients();
    half?.refresh();
    batches.forEach((batch, micro) => {
      using _scope = device.scope();
      const losses = this.#micro(batch, {
        step: (number - 1) * this.#accumulation + micro,
        scales: counts[micro].map((count, term) => count === 0 ? 0 : count / totals[term]),
      });
      losses.forEach(({ result }, term) => put(result, 2 * (micro * terms.length + term)));
      this.#scales = losses.map(({ scale }) => scale);
    });
    if (half) put(half.lossScale, this.#losses);
    this.optimizer.step(learningRate);
    put(this.optimizer.norm.clip, this.#losses + 3);
    put(this.optimizer.norm.sums, this.#losses + 6);
    commands.submit();
    this.#waiting.push(number);
  }

  /**
   * Reads the figures of all steps since the last call.
   *
   * @throws {VitrailError} at a loss or gradient that is not finite, naming the step and the tensor; in
   * f16 at a gradient only where no loss scale is left to halve. Such a step changes no weight. If good steps come before it, their figures are returned first,
   * and the next call throws.
   */
  async figures(): Promise<StepFigures[]> {
    if (this.#fault) throw this.#fault;
    if (this.#waiting.length === 0) return [];
    // The ring is free at once: what is read is set aside before anything that a later step records.
    const waiting = this.#waiting;
    this.#waiting = [];
    const all = await this.#ring.read() as Float32Array;
    const good: StepFigures[] = [];
    for (const [i, step] of waiting.entries()) {
      const row = all.subarray(i * this.#width, (i + 1) * this.#width);
      const found = this.#figuresOf(row);
      const { loss, gradientNorm, skipped, lossScale = 1 } = found;
      const bearable = Number.isFinite(gradientNorm) || (skipped && lossScale > 1);
      if (!Number.isFinite(loss) || !bearable) {
        this.#fault = this.#notFinite(step, row);
        break;
      }
      good.push({ step, ...found });
    }
    if (this.#fault && good.length === 0) throw this.#fault;
    return good;
  }

  /** Forward and backward of micro-step number `step` of the run; `scales` are its terms' shares of the step. */
  #micro(batch: B, { step, scales }: { step: number; scales: readonly number[] }): LossTerm[] {
    const run = new Run(this.task.device, {
      record: true,
      training: true,
      half: this.optimizer.half,
      seed: this.#seed,
      step,
    });
    const losses = this.task.loss(run, batch, scales);
    run.tape!.backward(losses.map(({ result }) => result));
    return losses;
  }

  #figuresOf(row: Float32Array): Omit<StepFigures, "step"> {
    const means = new MeanLosses(this.task.terms);
    means.add(row.subarray(0, this.#losses));
    const { loss, terms } = means.figures(this.#scales);
    const [lossScale, , skippedBefore, gradientNorm, , notFinite] = row.subarray(this.#losses);
    const skipped = notFinite !== 0;
    return {
      loss,
      gradientNorm,
      ...this.optimizer.half && {
        lossScale,
        skippedSteps: skippedBefore + Number(skipped),
        ...skipped && { skipped },
      },
      ...terms && { terms },
    };
  }

  #notFinite(step: number, row: Float32Array): VitrailError {
    const { loss, gradientNorm } = this.#figuresOf(row);
    const sums = row.subarray(this.#losses + 6);
    const at = sums.findIndex((s) => !Number.isFinite(s));
    const where = at >= 0
      ? `the gradient of ${this.optimizer.parameters[at].name} is not finite`
      : "the loss is not finite";
    const advice = this.optimizer.half
      ? "lower the learning rate, or resume from the last checkpoint in f32: f16 ends at 65504"
      : "lower the learning rate or clip more, and resume from the last checkpoint";
    return new VitrailError(
      `Training stopped at step ${step}: ${where} ` +
        `(loss ${loss}, gradient norm ${gradientNorm}); ${advice}`,
    );
  }
}
