/**
 * A tensor that training changes.
 *
 * @module
 */
import { PooledBuffer, releasedError } from "../gpu/pooled_buffer.ts";
import { Tensor } from "../gpu/tensor.ts";

/** Memory that parameters share; it is told when one moves out. */
export interface ParameterHome {
  /** Takes note that a parameter lives elsewhere now. */
  leave(parameter: Parameter): void;
}

/** A named tensor with a gradient that accumulates over the micro-steps of a step. */
export class Parameter extends Tensor implements Disposable {
  /** Its memory: its own at first, then a slice of what an optimizer keeps together. */
  declare buffer: PooledBuffer;
  /** Its name in the model's file, such as `transformer.h.0.attn.c_attn.weight`. */
  readonly name: string;
  /**
   * Names of equal slices along its first dimension, where its file has them apart: BERT's query, key
   * and value, which one product serves here.
   */
  readonly parts: readonly string[] | undefined;
  /** A frozen parameter asks for no gradient, and no kernel computes one. */
  frozen = false;
  #gradient: Tensor | undefined;
  #home: ParameterHome | undefined;

  /** Takes over the buffer of `value`, which must outlive all scopes: it lives until the parameter is disposed of. */
  constructor(name: string, value: Tensor, parts?: readonly string[]) {
    super(value.device, value.buffer, value.shape, value.dtype);
    this.name = name;
    this.parts = parts;
  }

  /** The gradient, of the parameter's own shape; zeros until a backward pass adds to it. */
  get gradient(): Tensor {
    const { device, shape } = this;
    const { pool } = device;
    if (this.buffer.whole.isReleased) {
      throw releasedError("take the gradient of a tensor", this.buffer, shape);
    }
    return this.#gradient ??= pool.persistent(() =>
      pool.as("gradients", () => device.zeros(shape))
    );
  }

  /** Sets the gradient to zero. */
  clearGradient(): void {
    if (this.#gradient) this.device.commands.clear(this.#gradient.buffer);
  }

  /** Moves, with its gradient, into memory that it shares with others; what it leaves is given back. */
  move(home: ParameterHome, to: { value: PooledBuffer; gradient: PooledBuffer }): void {
    const { commands, pool } = this.device;
    const moves = [[this.buffer, to.value]];
    if (this.#gradient) moves.push([this.#gradient.buffer, to.gradient]);
    for (const [from, target] of moves) commands.copy(from, target, this.size * 4);
    for (const [from] of moves) pool.release(from);
    this.#home?.leave(this);
    this.#home = home;
    this.buffer = to.value;
    this.#gradient = new Tensor(this.device, to.gradient, this.shape, this.dtype);
  }

  /** Forgets a gradient whose memory is given back; the next one begins at zero. */
  forgetGradient(): void {
    this.#gradient = undefined;
  }

  /** Gives its memory back, with its gradient: its use is an error from then on. */
  [Symbol.dispose](): void {
    const { pool } = this.device;
    // What it shares with others lives until the last of them leaves; to release a part does nothing.
    for (const buffer of [this.buffer, this.#gradient?.buffer]) if (buffer) pool.release(buffer);
    this.buffer = PooledBuffer.released(this.buffer, this.shape);
    this.#gradient = undefined;
    this.#home?.leave(this);
    this.#home = undefined;
  }
}
