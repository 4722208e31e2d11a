/**
 * Weights in fewer bits as a model's file has them.
 *
 * f16 is written as every other program expects it: a tensor F16 under its own name. Of integers, a
 * weight X has two tensors. `X.packed` (U32) holds the words and `X.scales` (BF16) the scales, laid out
 * as `formats/quantized_matrix.ts` says, with the columns filled up to a multiple of four; which format
 * they are of stands in the file's metadata, under `vitrail.weights` and `vitrail.group`.
 *
 * @module
 */
import type { QuantizedWeight } from "../autograd/quantized_weight.ts";
import { VitrailError } from "../errors.ts";
import {
  halvesOf,
  type PackedFormat,
  type PackedMatrix,
  packedShapes,
  type Packing,
  packing,
} from "../formats/quantized_matrix.ts";
import type { SafetensorsFile, TensorToWrite } from "../formats/safetensors.ts";
import { readPacked } from "../kernels/quantized.ts";

const FORMAT_KEY = "vitrail.weights";
const GROUP_KEY = "vitrail.group";

/** The integers that a file keeps its weights in; nothing if it has none. */
export function packedFormat({ metadata }: SafetensorsFile): PackedFormat | undefined {
  const format = metadata[FORMAT_KEY];
  return format === "int8" || format === "int4" ? format : undefined;
}

/**
 * A weight of integers from a file; nothing if it is not there as such.
 *
 * @param options.shape its shape in f32, (out, in) if `transposed`
 * @throws {VitrailError} if what is there has another shape, or does not say what it is
 */
export function readPackedWeight(
  file: SafetensorsFile,
  name: string,
  { shape, transposed }: { shape: readonly [number, number]; transposed: boolean },
): PackedMatrix | undefined {
  const names = { words: `${name}.packed`, scales: `${name}.scales` };
  if (!file.has(names.words)) return undefined;
  const format = packedFormat(file);
  if (!format) {
    throw new VitrailError(
      `Cannot load ${names.words}: the file's metadata has ${FORMAT_KEY} ` +
        `${JSON.stringify(file.metadata[FORMAT_KEY])}, wanted "int8" or "int4"`,
    );
  }
  const [inputs, outputs] = transposed ? shape.toReversed() : shape;
  const packed = { inputs, outputs, ...packing(format, Number(file.metadata[GROUP_KEY])) };
  const shapes = packedShapes(packed);
  for (const part of ["words", "scales"] as const) {
    const [found, dtype] = [file.info(names[part]), part === "words" ? "U32" : "BF16"];
    if (found.dtype === dtype && found.shape.join() === shapes[part].join()) continue;
    throw new VitrailError(
      `Cannot load ${names[part]}: the file has ${found.dtype} (${found.shape.join(", ")}), ` +
        `config.json asks for ${dtype} (${shapes[part].join(", ")})`,
    );
  }
  return {
    ...packed,
    words: new Uint32Array(file.readRaw(names.words).buffer),
    scales: new Uint16Array(file.readRaw(names.scales).buffer),
  };
}

/** The tensors that a weight takes in a file. */
export function packedTensors(weight: QuantizedWeight): TensorToWrite[] {
  const { name, matrix, shape, transposed } = weight;
  const { device } = matrix.words;
  if (matrix.format === "f16") {
    const data = async (): Promise<Uint16Array> =>
      halvesOf(await readPacked(device, matrix), { transposed });
    return [{ name, shape, dtype: "F16", data }];
  }
  const shapes = packedShapes(matrix);
  return [
    {
      name: `${name}.packed`,
      shape: shapes.words,
      dtype: "U32",
      data: async () => (await readPacked(device, matrix)).words,
    },
    {
      name: `${name}.scales`,
      shape: shapes.scales,
      dtype: "BF16",
      data: async () => (await readPacked(device, matrix)).scales,
    },
  ];
}

/** The integers that a model's weights are kept in, if they are. */
export function packingOf(weights: readonly QuantizedWeight[]): Packing | undefined {
  if (weights.length === 0) return undefined;
  const { format, group } = weights[0].matrix;
  return format === "f16" ? undefined : { format, group };
}

/** Entries of a file's metadata that say so. */
export function packedMetadata(weights: readonly QuantizedWeight[]): Record<string, string> {
  const found = packingOf(weights);
  return found ? { [FORMAT_KEY]: found.format, [GROUP_KEY]: `${found.group}` } : {};
}
