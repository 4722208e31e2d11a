/**
 * Fresh weights of a GPT on the host, which every library is given.
 *
 * @module
 */
import type { GptConfig } from "../../src/formats/gpt_config.ts";
import type { Device } from "../../src/gpu/device.ts";
import { Gpt } from "../../src/models/gpt.ts";
import { freshWeights, type WeightSource } from "../../src/models/weights.ts";

/** A parameter. */
export interface HostWeight {
  /** Length of each dimension. */
  shape: readonly number[];
  /** Its numbers. */
  data: Float32Array<ArrayBuffer>;
}

/** Parameters under the names of Hugging Face's files. */
export type GptWeights = ReadonlyMap<string, HostWeight>;

/** The weights that a model of this configuration begins with. */
export function initialWeights(device: Device, config: GptConfig, seed = 1): GptWeights {
  const weights = new Map<string, HostWeight>();
  const fresh = freshWeights(seed);
  const recording: WeightSource = (name, shape, initial) => {
    const data = fresh(name, shape, initial);
    weights.set(name, { shape, data });
    return data;
  };
  release(new Gpt(device, config, recording));
  return weights;
}

/** Our model with these weights. */
export function ourGpt(device: Device, config: GptConfig, weights: GptWeights): Gpt {
  return new Gpt(device, config, (name) => weights.get(name)!.data);
}

/** Gives a model's memory back. */
export function release(model: Gpt): void {
  for (const { buffer } of model.parameters) model.device.pool.release(buffer);
}
