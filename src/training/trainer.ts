/**
 * The numeric part of training: micro-steps, the update, and a ring of figures that stays on the
 * device until somebody looks.
 *
 * @module
 */
import { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Gpt } from "../models/gpt.ts";
import { AdamW, type AdamWOptions } from "../optim/adamw.ts";

/** Token ids and what follows each of them. */
export interface Batch {
  /** (B·T) ids. */
  inputs: Uint32Array;
  /** (B·T) ids, -100 where nothing is asked. */
  targets: Int32Array;
}

/** Figures of one step. */
export interface StepFigures {
  /** Number of the step, from 1. */
  step: number;
  /** Mean loss of the step, in nats, before its update. */
  loss: number;
  /** Global gradient norm before clipping. */
  gradientNorm: number;
}

/** Sizes and rates of a trainer. */
export interface TrainerOptions extends AdamWOptions {
  /** T: tokens in a sequence. */
  sequence: number;
  /** Micro-steps whose gradients make one step. */
  accumulation?: number;
  /** Seed of dropout. */
  seed?: number;
}

/** Steps whose figures wait on the device, at most. */
const RING = 32;

/** Trains a model step by step. */
export class Trainer {
  /** What is trained. */
  readonly model: Gpt;
  /** Its optimizer. */
  readonly optimizer: AdamW;
  readonly #sequence: number;
  readonly #accumulation: number;
  readonly #seed: number;
  readonly #ring: Tensor;
  readonly #width: number;
  #waiting: number[] = [];
  #fault: VitrailError | undefined;

  /** Allocates the optimizer's state. */
  constructor(model: Gpt, options: TrainerOptions) {
    this.model = model;
    this.optimizer = new AdamW(model.parameters, options);
    this.#sequence = options.sequence;
    this.#accumulation = options.accumulation ?? 1;
    this.#seed = options.seed ?? 0;
    this.#width = 2 * this.#accumulation + 3 + this.optimizer.parameters.length;
    this.#ring = model.device.pool.persistent(() => model.device.tensor([RING, this.#width]));
  }

  /** Whether the ring is full: `figures` must be read before the next step. */
  get full(): boolean {
    return this.#waiting.length === RING;
  }

  /** Records one step from as many batches as there are micro-steps. */
  step(batches: Batch[], learningRate: number): void {
    const { device } = this.model;
    const { commands } = device;
    const number = this.optimizer.steps + 1;
    const row = this.#waiting.length * this.#width * 4;
    const put = (source: Tensor, at: number): void => {
      commands.copy(source.buffer, this.#ring.buffer, source.size * 4, { target: row + at * 4 });
    };
    this.optimizer.clearGradients();
    batches.forEach((batch, micro) => {
      using _scope = device.scope();
      const shape = [batch.inputs.length / this.#sequence, this.#sequence];
      const ids = this.model.ids(batch.inputs, shape);
      const targets = device.upload(Int32Array.from(batch.targets), shape);
      const run = new Run(device, {
        record: true,
        training: true,
        seed: this.#seed,
        step: (number - 1) * this.#accumulation + micro,
      });
      const { result } = this.model.loss(run, ids, { targets, scale: 1 / this.#accumulation });
      run.tape!.backward(result);
      put(result, 2 * micro);
    });
    this.optimizer.step(learningRate);
    put(this.optimizer.norm.clip, 2 * this.#accumulation);
    put(this.optimizer.norm.sums, 2 * this.#accumulation + 3);
    commands.submit();
    this.#waiting.push(number);
  }

  /**
   * Reads the figures of all steps since the last call.
   *
   * @throws {VitrailError} at a loss or gradient that is not finite, naming the step and the tensor.
   * Such a step changes no weight. If good steps come before it, their figures are returned first,
   * and the next call throws.
   */
  async figures(): Promise<StepFigures[]> {
    if (this.#fault) throw this.#fault;
    if (this.#waiting.length === 0) return [];
    const all = await this.#ring.read() as Float32Array;
    const good: StepFigures[] = [];
    for (const [i, step] of this.#waiting.entries()) {
      const row = all.subarray(i * this.#width, (i + 1) * this.#width);
      const { loss, gradientNorm } = this.#figuresOf(row);
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        this.#fault = this.#notFinite(step, row);
        break;
      }
      good.push({ step, loss, gradientNorm });
    }
    this.#waiting = [];
    if (this.#fault && good.length === 0) throw this.#fault;
    return good;
  }

  #figuresOf(row: Float32Array): { loss: number; gradientNorm: number } {
    let loss = 0;
    for (let a = 0; a < this.#accumulation; a++) loss += row[2 * a] / this.#accumulation;
    return { loss, gradientNorm: row[2 * this.#accumulation] };
  }

  #notFinite(step: number, row: Float32Array): VitrailError {
    const { loss, gradientNorm } = this.#figuresOf(row);
    const sums = row.subarray(2 * this.#accumulation + 3);
    const at = sums.findIndex((s) => !Number.isFinite(s));
    const where = at >= 0
      ? `the gradient of ${this.optimizer.parameters[at].name} is not finite`
      : "the loss is not finite";
    return new VitrailError(
      `Training stopped at step ${step}: ${where} (loss ${loss}, gradient norm ${gradientNorm}); ` +
        "lower the learning rate or clip more, and resume from the last checkpoint",
    );
  }
}
