/**
 * A weight in fewer bits, which a model multiplies by and cannot train.
 *
 * @module
 */
import { sizeOf } from "../gpu/tensor.ts";
import type { QuantizedMatrix } from "../kernels/quantized.ts";

/**
 * It is no tensor, so that nothing takes its words for numbers; and no parameter, so that no optimizer
 * looks for its gradient.
 */
export class QuantizedWeight implements Disposable {
  /** Its name in the model's file, such as `transformer.h.0.attn.c_attn.weight`. */
  readonly name: string;
  /** Its shape as the model's file would have it in f32. */
  readonly shape: readonly number[];
  /** Whether that is (out, in), as an embedding table's is: the matrix is always (in, out). */
  readonly transposed: boolean;
  /** Its words and scales. */
  readonly matrix: QuantizedMatrix;
  /** It is stored in one piece. */
  readonly parts: undefined = undefined;
  /** A pass that is recorded may go through it only when it is frozen: what it asks for is then plain. */
  frozen = false;

  /** Takes over the matrix, whose buffers must outlive all scopes. */
  constructor(
    name: string,
    matrix: QuantizedMatrix,
    { shape, transposed }: { shape: readonly number[]; transposed: boolean },
  ) {
    this.name = name;
    this.shape = shape;
    this.transposed = transposed;
    this.matrix = matrix;
  }

  /** Number of weights. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Bytes of its words and scales. */
  get byteLength(): number {
    const { words, scales } = this.matrix;
    return 4 * (words.size + (scales === words ? 0 : scales.size));
  }

  /** Gives its memory back: its use is an error from then on. */
  [Symbol.dispose](): void {
    const { words, scales } = this.matrix;
    for (const { device, buffer } of [words, scales]) device.pool.release(buffer);
  }
}
