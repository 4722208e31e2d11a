/**
 * A model's weights by name, for probes that compute with them on the host or on the side.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { gatherRows } from "../kernels/gather_rows.ts";
import { Gpt } from "../models/gpt.ts";
import type { ProbedModel } from "./probed_model.ts";

/** Weights that are what their names say: in f32, and nothing beside them. */
export class PlainWeights {
  readonly #byName: Map<string, Tensor>;

  /** @throws {VitrailError} if weights are in fewer bits, or an adapter adds to them */
  constructor(model: ProbedModel) {
    const fault = (what: string, wanted: string): VitrailError =>
      new VitrailError(`Cannot take this model's weights apart: ${what}; ${wanted}`);
    if (model instanceof Gpt && model.quantized.length > 0) {
      throw fault("they are quantized", "give the model that it was made from");
    }
    if (model.linears.some(({ adaptations }) => adaptations.length > 0)) {
      throw fault("an adapter adds to them", "merge it into the model first, with `vitrail merge`");
    }
    this.#byName = new Map(model.parameters.map((p) => [p.name, p]));
  }

  /** The parameter of a name, on the device. */
  get(name: string): Tensor {
    const found = this.#byName.get(name);
    if (found) return found;
    throw new VitrailError(`Cannot find the weight ${name}: this model has none of that name`);
  }

  /** The numbers of some parameters, read with one wait. */
  async read(...names: string[]): Promise<Float64Array[]> {
    const tensors = names.map((name) => this.get(name));
    if (tensors.length === 0) return [];
    return (await tensors[0].device.read(...tensors)).map((data) => Float64Array.from(data));
  }

  /** Some rows of a table, each in full. */
  async rows(name: string, ids: readonly number[]): Promise<Float64Array[]> {
    const table = this.get(name);
    const columns = table.shape.at(-1)!;
    const { device } = table;
    const [{ data: found }] = await device.compute(() => [
      gatherRows(table, device.upload(Uint32Array.from(ids))),
    ]);
    return ids.map((_, i) => Float64Array.from(found.subarray(i * columns, (i + 1) * columns)));
  }
}
