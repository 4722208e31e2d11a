/**
 * A tensor that training changes.
 *
 * @module
 */
import { Tensor } from "../gpu/tensor.ts";

/** A named tensor with a gradient that accumulates over the micro-steps of a step. */
export class Parameter extends Tensor {
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

  /** Takes over the buffer of `value`, which must outlive all scopes. */
  constructor(name: string, value: Tensor, parts?: readonly string[]) {
    super(value.device, value.buffer, value.shape, value.dtype);
    this.name = name;
    this.parts = parts;
  }

  /** The gradient, of the parameter's own shape; zeros until a backward pass adds to it. */
  get gradient(): Tensor {
    return this.#gradient ??= this.device.pool.persistent(() => this.device.zeros(this.shape));
  }

  /** Sets the gradient to zero. */
  clearGradient(): void {
    if (this.#gradient) this.device.commands.clear(this.#gradient.buffer);
  }
}
