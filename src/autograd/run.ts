/**
 * One forward pass through a model: whether it is recorded, its random numbers and its hooks.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { checkOptions, countOrNone, seedRule } from "../formats/option_rules.ts";
import type { Device } from "../gpu/device.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
import type { DropoutKey } from "../kernels/dropout.ts";
import { type Backward, Tape } from "./tape.ts";

/** Sees the tensor at a hook point; a tensor that it returns takes its place. */
export type Hook = (x: Tensor, name: string) => Tensor | void;

/** What a pass in f16 needs besides its activations. */
export interface HalfPrecision {
  /**
   * (scale, finite steps since it changed, steps that were skipped): the scale multiplies every loss in
   * the backward pass, so that small gradients do not vanish in f16.
   */
  readonly lossScale: Tensor;
  /** The f16 copy of an f32 weight. */
  weight(master: Tensor): Tensor;
  /** Rounds all weights again; before a step, after the update of the last. */
  refresh(): void;
}

/** What a forward pass is for. */
export interface RunOptions {
  /**
   * Record for a backward pass. With `"activations"` parameters get no gradient, only tensors that the
   * tape watches or keeps: what looks inside a model leaves its training alone.
   */
  record?: boolean | "activations";
  /** Apply dropout. */
  training?: boolean;
  /** Seed of the random numbers. */
  seed?: number;
  /** Number of this pass within the run: a pass of its own has random numbers of its own. */
  step?: number;
  /** Compute with f16 activations; f32 if absent. */
  half?: HalfPrecision;
  /** Hooks by name, named exactly as in TransformerLens. */
  hooks?: ReadonlyMap<string, Hook>;
}

/** Passed down a forward pass and never stored in a module. */
export class Run {
  /** Where the pass runs. */
  readonly device: Device;
  /** The record; absent when nothing asks for gradients. */
  readonly tape: Tape | undefined;
  /** Whether dropout applies. */
  readonly training: boolean;
  /** What f16 activations need; absent in an f32 pass. */
  readonly half: HalfPrecision | undefined;
  readonly #options: RunOptions;
  #place: number;

  /** Begins a pass. */
  constructor(device: Device, options: RunOptions = {}, place = 0) {
    this.device = device;
    const { record, seed = 0, step = 0 } = options;
    checkOptions("Cannot run a model", { seed, step }, { seed: seedRule, step: countOrNone });
    this.tape = record ? new Tape({ trains: record !== "activations" }) : undefined;
    this.training = options.training ?? false;
    this.half = options.half;
    this.#options = options;
    this.#place = place;
  }

  /** Type of activations. */
  get dtype(): DType {
    return this.half ? "f16" : "f32";
  }

  /** A weight in the type of the activations that it multiplies. */
  operand(weight: Tensor, x: Tensor): Tensor {
    return this.half && x.dtype !== weight.dtype ? this.half.weight(weight) : weight;
  }

  /** The place of the next dropout, by which a replay finds the same numbers. */
  get place(): number {
    return this.#place;
  }

  /** Goes on from a place that a replay of this pass has reached. */
  skipTo(place: number): void {
    this.#place = place;
  }

  /** Records an operation, if this pass is recorded. */
  record(output: Tensor, inputs: (Tensor | undefined)[], backward: Backward): void {
    this.tape?.record(output, inputs, backward);
  }

  /**
   * A hook point: returns x, or what its hook puts in its place, in x's own shape. The hook sees x in
   * `shape`, in which others know it, and may return any shape of the same size.
   *
   * @throws {VitrailError} if the hook returns another size or type
   */
  hook(name: string, x: Tensor, shape: readonly number[] = x.shape): Tensor {
    const hook = this.#options.hooks?.get(name);
    if (!hook) return x;
    const seen = this.#view(x, shape);
    const given = hook(seen, name) || seen;
    if (given.size !== x.size || given.dtype !== x.dtype) {
      const described = (t: Tensor, sides: readonly number[]): string =>
        `${t.dtype} of shape (${sides.join(", ")})`;
      throw new VitrailError(
        `Cannot put ${described(given, given.shape)} in the place of ${name}, which is ` +
          `${described(x, shape)}: sizes and types must match`,
      );
    }
    return this.#view(given, x.shape);
  }

  /** Whether anyone listens at one of these hook points. */
  hooked(...names: string[]): boolean {
    const { hooks } = this.#options;
    return hooks !== undefined && names.some((name) => hooks.has(name));
  }

  /** Whether anyone listens at a hook point whose name begins with `prefix`. */
  hookedWithin(prefix: string): boolean {
    const names = [...this.#options.hooks?.keys() ?? []];
    return names.some((name) => name.startsWith(prefix));
  }

  /** x under another shape, with a place of its own on the tape; x itself if that is its shape. */
  #view(x: Tensor, shape: readonly number[]): Tensor {
    if (x.shape.length === shape.length && x.shape.every((n, i) => n === shape[i])) return x;
    const view = x.reshape(shape);
    this.record(view, [x], (_dView, gradients) => gradients.move(view, x));
    return view;
  }

  /** The key of the next dropout; absent when nothing is dropped. */
  dropoutKey(probability: number): DropoutKey | undefined {
    const place = this.#place++;
    if (!this.training || probability === 0) return undefined;
    const { seed = 0, step = 0 } = this.#options;
    return { probability, seed, step, place };
  }

  /** A pass like this one from an earlier place on, recorded as this one is or not at all. */
  replay(place: number, recorded: boolean): Run {
    return new Run(
      this.device,
      { ...this.#options, record: recorded && this.#options.record },
      place,
    );
  }
}
