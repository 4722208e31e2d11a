/**
 * The tuned lens (Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens",
 * arXiv:2303.08112): an affine translator for each layer into the basis that the head reads.
 *
 * @module
 */
import { add } from "../../autograd/ops/add.ts";
import { linear } from "../../autograd/ops/linear.ts";
import type { Parameter } from "../../autograd/parameter.ts";
import type { Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import { showPath } from "../../formats/messages.ts";
import { openSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import type { Device } from "../../gpu/device.ts";
import { sizeOf, type Tensor } from "../../gpu/tensor.ts";
import { ParameterList } from "../../models/weights.ts";
import type { ProbedModel } from "../probed_model.ts";
import { type StreamPoint, streamPoints } from "./residual_stream.ts";

/** One layer's translator: x to x + x·Wᵀ + b. */
interface Translator {
  /** Where its x comes from. */
  point: StreamPoint;
  /** (C, C), stored (out, in). */
  weight: Parameter;
  /** (C). */
  bias: Parameter;
}

/** Translators for what every layer leaves but the last, which needs none. */
export class TunedLens implements Disposable {
  /** Their weights and biases, all zero at first: the plain lens. */
  readonly parameters: Parameter[];
  readonly #translators: Translator[];
  readonly #owned: DisposableStack;

  /** Zeros by default; `trainTunedLens` teaches it, `loadTunedLens` reads it from a file. */
  constructor(
    model: ProbedModel,
    source: (name: string, size: number) => Float32Array<ArrayBuffer> = (_, size) =>
      new Float32Array(size),
  ) {
    const { device, config: { channels: C } } = model;
    using owned = new DisposableStack();
    const list = owned.use(new ParameterList(device, (name, shape) => source(name, sizeOf(shape))));
    const make = (name: string, shape: number[]): Parameter =>
      list.make(name, shape, { constant: 0 });
    this.#translators = streamPoints(model).slice(0, -1).map((point) => ({
      point,
      weight: make(`${point.name}.weight`, [C, C]),
      bias: make(`${point.name}.bias`, [C]),
    }));
    this.parameters = list.all;
    this.#owned = owned.move();
  }

  /** Gives its memory back: its use is an error from then on. */
  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }

  /**
   * What the stream x (…, C) at point `index` would be at the last layer: x + A·x + b, with a
   * translator that begins at nothing (arXiv:2303.08112, section 3.1). The last point stays as it is.
   */
  translate(run: Run, x: Tensor, index: number): Tensor {
    const translator = this.#translators[index];
    if (!translator) return x;
    const { weight, bias } = translator;
    return add(run, x, linear(run, x, { weight, bias, transposed: true }));
  }

  /** Writes the translators as safetensors, whole or not at all, named after their hook points. */
  async save(path: string): Promise<void> {
    const device: Device = this.parameters[0].device;
    const values = await device.read(...this.parameters) as Float32Array[];
    const tensors = this.parameters.map(({ name, shape }, i) => ({
      name,
      shape,
      dtype: "F32" as const,
      data: values[i],
    }));
    await writeSafetensors(path, tensors, { metadata: { format: "pt", kind: "tuned lens" } });
  }
}

/**
 * Reads the translators that `TunedLens.save` wrote.
 *
 * @throws {VitrailError} if they belong to a model of other sizes, or the file is damaged
 */
export function loadTunedLens(model: ProbedModel, path: string): TunedLens {
  using file = openSafetensors(path);
  const points = streamPoints(model).slice(0, -1);
  const { channels } = model.config;
  const wanted = new Map(points.flatMap(({ name }) => [
    [`${name}.weight`, [channels, channels]],
    [`${name}.bias`, [channels]],
  ]));
  const fits = file.names.length === wanted.size &&
    file.names.every((name) => file.info(name).shape.join() === wanted.get(name)?.join());
  if (!fits) {
    throw new VitrailError(
      `Cannot look through the lens in ${showPath(path)}: it was not trained for a model of ` +
        `${points.length} layers and ${channels} channels, as this one is; train one on this model`,
    );
  }
  return new TunedLens(model, (name) => file.read(name));
}
