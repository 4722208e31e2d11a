/**
 * Models with weights in fewer bits, made from models in f32.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { type PackedFormat, packing, packMatrix } from "../formats/quantized_matrix.ts";
import { Gpt } from "./gpt.ts";
import type { WeightSource } from "./weights.ts";

/** What a model's matrices are kept in. */
export interface QuantizeOptions {
  /** f16, or integers of eight or four bits. */
  weights: PackedFormat;
  /** Neighbours along the inner dimension that share a scale: 32, 64 or 128; 64 if absent, 32 for int4. */
  group?: number;
}

/** A source that packs every matrix of another one, on the host: the device never holds them in f32. */
export function quantizing(source: WeightSource, options: QuantizeOptions): WeightSource {
  const chosen = packing(options.weights, options.group);
  const plain: WeightSource = (name, shape, initial) => source(name, shape, initial);
  plain.packed = (name, shape, { transposed, initial }) => {
    if (source.packed?.(name, shape, { transposed, initial })) {
      throw new VitrailError(
        `Cannot quantize ${name}: the model is quantized already; begin with the model in f32`,
      );
    }
    const [inputs, outputs] = transposed ? shape.toReversed() : shape;
    const values = source(name, shape, initial);
    return packMatrix(values, { ...chosen, inputs, outputs, transposed, name });
  };
  return plain;
}

/**
 * The same model with its matrices in fewer bits: those of its linear layers, the token table and the
 * head. Biases, norms and positions stay in f32, which is what its sums are made in too. It generates
 * and evaluates as any other, and cannot be trained, except by way of a LoRA adapter.
 *
 * The model that it is made from stays as it is. `loadGpt` with `weights` quantizes while it loads.
 *
 * @throws {VitrailError} if the model is quantized already or has an adapter, if a weight is not
 * finite or too large for f16, or if there are no such groups
 *
 * @example
 * ```ts
 * import { createGptConfig, Gpt, openDevice, quantizeGpt } from "../../mod.ts";
 *
 * const device = await openDevice();
 * const size = { vocabularySize: 256, contextLength: 64, channels: 64, layers: 2, heads: 4 };
 * const model = new Gpt(device, createGptConfig(size));
 * const small = await quantizeGpt(model, { weights: "int4" });
 * console.log(model.weightBytes, small.weightBytes);
 * device.destroy();
 * ```
 */
export async function quantizeGpt(model: Gpt, options: QuantizeOptions): Promise<Gpt> {
  const { device, config, parameters } = model;
  if (model.quantized.length > 0) {
    throw new VitrailError("Cannot quantize this model: it is quantized already");
  }
  if (model.linears.some(({ adaptations }) => adaptations.length > 0)) {
    throw new VitrailError(
      "Cannot quantize this model: it has an adapter; merge or remove it first",
    );
  }
  const values = await device.read(...parameters);
  const byName = new Map(parameters.map(({ name }, i) => [name, values[i]]));
  const source = (name: string) => byName.get(name) as Float32Array<ArrayBuffer>;
  return new Gpt(device, config, quantizing(source, options));
}
