/**
 * A TopK sparse autoencoder (Gao et al. 2024, arXiv:2406.04093, section 2.3): an activation as a few of many
 * directions.
 *
 *   z = TopK(x·W_enc + b_enc)        x̂ = z·W_dec + b_dec
 *
 * with rows of W_dec of length one. Of the features z no more than k are above zero, so that how sparse
 * they are is chosen and not bargained for with a penalty, which would also shrink them. Gao et al. take
 * b_dec from x before they encode; here b_enc has learnt to, which is the same function.
 *
 * @module
 */
import { linear } from "../../autograd/ops/linear.ts";
import { topK } from "../../autograd/ops/top_k.ts";
import type { Parameter } from "../../autograd/parameter.ts";
import type { Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import { quoteName, quoteValue, showPath } from "../../formats/messages.ts";
import { openSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import type { Device } from "../../gpu/device.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import {
  freshWeights,
  ParameterList,
  storedWeights,
  type WeightSource,
} from "../../models/weights.ts";
import { inFile, tensorsToWrite } from "../../models/files.ts";

/** Sizes of an autoencoder, and where its activations come from. */
export interface SparseAutoencoderConfig {
  /** C: numbers of an activation. */
  channels: number;
  /** F: features, some times as many. */
  features: number;
  /** Features that an activation may have at once. */
  k: number;
  /** The hook point that it reads; empty if it was trained on something else. */
  hook: string;
}

/** An encoder, a decoder, and what is between. */
export class SparseAutoencoder implements Disposable {
  /** Where it lives. */
  readonly device: Device;
  /** Its sizes. */
  readonly config: SparseAutoencoderConfig;
  /** W_enc (C, F). */
  readonly encoder: Parameter;
  /** b_enc (F). */
  readonly encoderBias: Parameter;
  /** W_dec (F, C): the directions of the features, of length one. */
  readonly decoder: Parameter;
  /** b_dec (C). */
  readonly decoderBias: Parameter;
  /** All that is trained, under the names that SAELens gives them. */
  readonly parameters: Parameter[];
  readonly #owned: DisposableStack;

  /**
   * With contents from `source`; by default directions that are random and no encoder yet:
   * `trainSparseAutoencoder` is the usual way in.
   *
   * @throws {VitrailError} if a size makes no sense
   */
  constructor(
    device: Device,
    config: SparseAutoencoderConfig,
    source: WeightSource = freshWeights(0),
  ) {
    for (const name of ["channels", "features", "k"] as const) {
      if (Number.isInteger(config[name]) && config[name] > 0) continue;
      throw new VitrailError(
        `Cannot make a sparse autoencoder with ${name} ${
          config[name]
        }: wanted a whole number from 1`,
      );
    }
    const { channels: C, features: F, k } = config;
    if (k > F) {
      throw new VitrailError(
        `Cannot make a sparse autoencoder that keeps ${k} of ${F} features: wanted k at most that many`,
      );
    }
    this.device = device;
    this.config = config;
    using owned = new DisposableStack();
    const list = owned.use(new ParameterList(device, source));
    this.encoder = list.make("W_enc", [C, F], { constant: 0 });
    this.encoderBias = list.make("b_enc", [F], { constant: 0 });
    this.decoder = list.make("W_dec", [F, C], { deviation: 1 / Math.sqrt(C) });
    this.decoderBias = list.make("b_dec", [C], { constant: 0 });
    this.parameters = list.all;
    this.#owned = owned.move();
  }

  /** Gives its memory back: its use is an error from then on. */
  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }

  /** Activations (N, C) to what the features would be if all could: (N, F). */
  preactivations(run: Run, x: Tensor): Tensor {
    return linear(run, x, { weight: this.encoder, bias: this.encoderBias });
  }

  /** Activations (N, C) to features (N, F), of which no more than k of a row are above zero. */
  encode(run: Run, x: Tensor): Tensor {
    return topK(run, this.preactivations(run, x), this.config);
  }

  /** Features (N, F) to activations (N, C). */
  decode(run: Run, z: Tensor): Tensor {
    return linear(run, z, { weight: this.decoder, bias: this.decoderBias });
  }

  /** What is left of activations, of any shape whose last dimensions make C, in that shape. */
  reconstruct(run: Run, x: Tensor): Tensor {
    const { channels } = this.config;
    const rows = x.reshape([x.size / channels, channels]);
    return this.decode(run, this.encode(run, rows)).reshape(x.shape);
  }

  /**
   * Writes it as one safetensors file, under the names of SAELens, with its sizes as metadata.
   *
   * @throws {VitrailError} if the file cannot be written
   */
  async save(path: string): Promise<void> {
    const { k, hook } = this.config;
    await writeSafetensors(path, tensorsToWrite(this.device, this.parameters.flatMap(inFile)), {
      metadata: {
        format: "pt",
        architecture: "topk",
        apply_b_dec_to_input: "false",
        k: String(k),
        hook_name: hook,
      },
    });
  }

  /**
   * Reads what `save` wrote.
   *
   * @throws {VitrailError} if the file is damaged, or holds something else
   */
  static load(device: Device, path: string): SparseAutoencoder {
    using file = openSafetensors(path);
    const { k, hook_name: hook = "", architecture } = file.metadata;
    if (architecture !== "topk" || !file.has("W_enc")) {
      throw new VitrailError(
        `Cannot read a sparse autoencoder from ${showPath(path)}: it holds ${
          file.names.slice(0, 4).map(quoteName).join(", ") || "nothing"
        } of architecture ${
          quoteValue(architecture)
        }; wanted a file of \`vitrail probe sae --out\``,
      );
    }
    const { shape } = file.info("W_enc");
    const [channels, features] = shape;
    // A scalar has no size at all, which the constructor would have to guess.
    if (shape.length !== 2) {
      throw new VitrailError(
        `Cannot read a sparse autoencoder from ${showPath(path)}: W_enc has shape ` +
          `(${shape.join(", ")}), wanted (channels, features)`,
      );
    }
    return new SparseAutoencoder(
      device,
      { channels, features, k: Number(k), hook },
      storedWeights(file),
    );
  }
}
