/**
 * Weights in fewer bits: a matrix packed into 32-bit words, as the shader and the file have it.
 *
 * Neighbours along the inner dimension share a word, the first in the lowest bits: eight of int4, four
 * of int8, two of f16. Words are rows first, (inner dimension, columns), so that neighbouring
 * invocations of a shader read neighbouring words whichever way round the matrix was stored.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";

/** What weights are kept in, beside f32. */
export type PackedFormat = "f16" | "int8" | "int4";

/** Bits of one weight. */
export const BITS: Record<PackedFormat, number> = { f16: 16, int8: 8, int4: 4 };

/** Numbers along the inner dimension that share a scale, where nobody asks for another number. */
export const USUAL_GROUP: Record<PackedFormat, number> = { f16: 64, int8: 64, int4: 32 };

/** Group sizes that the shader knows. */
export const GROUPS = [32, 64, 128] as const;

/** Inner dimensions are filled up to this: whole words of every format. */
const BLOCK = 8;

/** How a matrix is packed. */
export interface Packing {
  /** What a weight is kept in. */
  format: PackedFormat;
  /** Numbers along the inner dimension that share a scale: 32, 64 or 128. */
  group: number;
}

/** The right operand of a product, of `inputs` by `outputs` numbers, in words. */
export interface PackedMatrix extends Packing {
  /** The inner dimension, K. */
  inputs: number;
  /** Columns, N. */
  outputs: number;
  /** (⌈K/8⌉·bits/4, ⌈N/4⌉·4) words; what fills up is zero. */
  words: Uint32Array<ArrayBuffer>;
  /** (⌈K/group⌉, ⌈N/4⌉·4) scales as bfloat16; f16 has none. */
  scales: Uint16Array<ArrayBuffer>;
}

/** Shapes of what a matrix is packed into. */
export function packedShapes(
  { inputs, outputs, format, group }: Packing & { inputs: number; outputs: number },
): { words: [number, number]; scales: [number, number] } {
  const columns = Math.ceil(outputs / 4) * 4;
  return {
    words: [Math.ceil(inputs / BLOCK) * BLOCK * BITS[format] / 32, columns],
    scales: [format === "f16" ? 0 : Math.ceil(inputs / group), columns],
  };
}

/** A packing that is whole: the format's usual group, if none is given. */
export function packing(format: PackedFormat, group: number = USUAL_GROUP[format]): Packing {
  if ((GROUPS as readonly number[]).includes(group)) return { format, group };
  throw new VitrailError(`Cannot quantize in groups of ${group}: wanted ${GROUPS.join(", ")}`);
}

/**
 * Packs a matrix. Integers are symmetric: a weight is `scale·q`, with one scale for `group` neighbours
 * along the inner dimension. The scale is rounded to bfloat16 before the integers are chosen: it keeps
 * f32's range, and the integers make up for what it lost.
 *
 * int8 has q from -127 to 127 and the least scale that reaches the group's largest weight, so that no
 * weight is off by more than half a scale. int4 has q from -8 to 7 and, of scales that reach it, or
 * cut it off, or have its sign turned round, the one of the least squared error.
 *
 * @param values (inputs, outputs), or (outputs, inputs) if `transposed`
 * @param options.name what to call it in errors
 * @throws {VitrailError} if a number is not finite, or too large for f16
 *
 * @example
 * ```ts
 * import { packMatrix } from "./quantized_matrix.ts";
 *
 * const shape = { inputs: 2, outputs: 1 };
 * const { words } = packMatrix(new Float32Array([0.5, -1]), { ...shape, format: "int8", group: 32 });
 * console.log(words[0].toString(16)); // "823f": 63 = 0x3f, and -126 = 0x82 above it
 * ```
 */
export function packMatrix(
  values: Float32Array,
  options: Packing & { inputs: number; outputs: number; transposed?: boolean; name?: string },
): PackedMatrix {
  const { inputs, outputs, format, group, transposed = false, name = "a matrix" } = options;
  packing(format, group);
  if (values.length !== inputs * outputs) {
    throw new VitrailError(
      `Cannot pack ${name}: it has ${values.length} numbers, wanted ${inputs}·${outputs}`,
    );
  }
  const limit = format === "f16" ? LARGEST_F16 : Number.MAX_VALUE;
  const wrong = values.findIndex((v) => !(Math.abs(v) <= limit));
  if (wrong >= 0) {
    throw new VitrailError(
      `Cannot pack ${name} as ${format}: number ${wrong} of it is ${values[wrong]}, ` +
        `wanted ${format === "f16" ? `magnitudes up to ${limit}` : "finite numbers"}`,
    );
  }
  const shapes = packedShapes(options);
  const words = new Uint32Array(shapes.words[0] * shapes.words[1]);
  const scales = new Uint16Array(shapes.scales[0] * shapes.scales[1]);
  const columns = shapes.words[1];
  const perWord = 32 / BITS[format];
  const [stepIn, stepOut] = transposed ? [1, inputs] : [outputs, 1];
  const mask = 2 ** BITS[format] - 1;
  // A few columns at once: down a single one, every number would come from another line of the cache.
  const weights = Array.from({ length: TILE }, () => new Float64Array(group));
  const levels = Array.from({ length: TILE }, () => new Int32Array(group));
  for (let first = 0, row = 0; first < inputs; first += group, row++) {
    const count = Math.min(group, inputs - first);
    for (let column = 0; column < outputs; column += TILE) {
      const width = Math.min(TILE, outputs - column);
      for (let i = 0; i < count; i++) {
        const at = (first + i) * stepIn + column * stepOut;
        for (let j = 0; j < width; j++) weights[j][i] = values[at + j * stepOut];
      }
      for (let j = 0; j < width; j++) {
        const scale = ENCODERS[format](weights[j], levels[j], count);
        if (format !== "f16") scales[row * columns + column + j] = scale;
      }
      for (let i = 0; i < count; i++) {
        const at = Math.floor((first + i) / perWord) * columns + column;
        const shift = (first + i) % perWord * BITS[format];
        for (let j = 0; j < width; j++) words[at + j] |= (levels[j][i] & mask) << shift;
      }
    }
  }
  return { inputs, outputs, format, group, words, scales };
}

/** Columns that are packed side by side. */
const TILE = 16;

/** The halves of numbers of an f16 matrix, as (inputs, outputs), or (outputs, inputs) if `transposed`. */
export function halvesOf(
  { inputs, outputs, words }: PackedMatrix,
  { transposed }: { transposed: boolean },
): Uint16Array<ArrayBuffer> {
  const columns = Math.ceil(outputs / 4) * 4;
  const halves = new Uint16Array(inputs * outputs);
  const [stepIn, stepOut] = transposed ? [1, inputs] : [outputs, 1];
  for (let i = 0; i < inputs; i++) {
    for (let j = 0; j < outputs; j++) {
      halves[i * stepIn + j * stepOut] = words[(i >> 1) * columns + j] >>> (i & 1) * 16;
    }
  }
  return halves;
}

/** Larger magnitudes round to infinity. */
const LARGEST_F16 = 65504;

/** Turns the first `count` weights into levels, and returns the bits of their scale. */
type Encoder = (weights: Float64Array, levels: Int32Array, count: number) => number;

const half = new Float16Array(1);
const halfBits = new Uint16Array(half.buffer);
const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

const ENCODERS: Record<PackedFormat, Encoder> = {
  f16(weights, levels, count) {
    for (let i = 0; i < count; i++) {
      half[0] = weights[i];
      levels[i] = halfBits[0];
    }
    return 0;
  },
  int8(weights, levels, count) {
    const bits = bfloat16From(largest(weights, count) / 127);
    round(weights, levels, { count, scale: fromBfloat16(bits), least: -127, most: 127 });
    return bits;
  },
  int4(weights, levels, count) {
    const top = largest(weights, count);
    let [best, least] = [0, Infinity];
    for (const reach of REACHES) {
      const bits = bfloat16From(top / reach);
      const errors = squaredErrors(weights, { count, scale: fromBfloat16(bits) });
      if (errors.upright < least) [best, least] = [bits, errors.upright];
      if (errors.turned < least) [best, least] = [bits | SIGN, errors.turned];
    }
    round(weights, levels, { count, scale: fromBfloat16(best), least: -8, most: 7 });
    return best;
  },
};

/** The sign of a bfloat16. */
const SIGN = 0x8000;

/**
 * Levels that the largest weight of a group may be put at. At 7 nothing is cut off; 8 is reached on one
 * side only; beyond it the largest weight pays for a finer scale of all others.
 */
const REACHES = [7, 7.5, 8, 8.5, 9, 9.5, 10];

function largest(weights: Float64Array, count: number): number {
  let top = 0;
  for (let i = 0; i < count; i++) top = Math.max(top, Math.abs(weights[i]));
  return top;
}

/** Chooses the nearest levels within bounds. */
function round(
  weights: Float64Array,
  levels: Int32Array,
  { count, scale, least, most }: { count: number; scale: number; least: number; most: number },
): void {
  for (let i = 0; i < count; i++) {
    const level = scale === 0 ? 0 : Math.round(weights[i] / scale);
    levels[i] = level < least ? least : level > most ? most : level;
  }
}

/** What int4 levels of a scale would leave, squared; and those of the scale with its sign turned round. */
function squaredErrors(
  weights: Float64Array,
  { count, scale }: { count: number; scale: number },
): { upright: number; turned: number } {
  if (scale === 0) return { upright: 0, turned: 0 };
  let [upright, turned] = [0, 0];
  for (let i = 0; i < count; i++) {
    const place = weights[i] / scale;
    const level = Math.floor(place + 0.5);
    const inner = level < -7 ? -7 : level > 7 ? 7 : level;
    upright += (place - (level < -7 ? -8 : inner)) ** 2;
    turned += (place - (level > 7 ? 8 : inner)) ** 2;
  }
  return { upright: upright * scale ** 2, turned: turned * scale ** 2 };
}

/** The least bfloat16 that is not below a number from 0: the upper half of a 32-bit float. */
function bfloat16From(value: number): number {
  single[0] = value;
  if (single[0] < value) singleBits[0]++;
  return (singleBits[0] + 0xffff) >>> 16;
}

/** The number that a bfloat16 stands for. */
export function fromBfloat16(bits: number): number {
  singleBits[0] = bits << 16;
  return single[0];
}
