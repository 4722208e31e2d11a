/**
 * GPT-2 (Radford et al. 2019): a causal decoder, on one page.
 *
 * @module
 */
import { checkpoint } from "../autograd/ops/checkpoint.ts";
import { crossEntropy, type Loss } from "../autograd/ops/cross_entropy.ts";
import { dropout } from "../autograd/ops/dropout.ts";
import { linear } from "../autograd/ops/linear.ts";
import { linearCrossEntropy, LOGIT_BYTES } from "../autograd/ops/linear_cross_entropy.ts";
import type { Parameter } from "../autograd/parameter.ts";
import { QuantizedWeight } from "../autograd/quantized_weight.ts";
import type { Run } from "../autograd/run.ts";
import { type GptConfig, validateGptConfig } from "../formats/gpt_config.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { Attention } from "../nn/attention.ts";
import { Block } from "../nn/block.ts";
import { type AttentionCache, LayerCache } from "../nn/cache.ts";
import { embed } from "../nn/embedding.ts";
import { LayerNorm } from "../nn/layer_norm.ts";
import { disposeAdaptations, Linear } from "../nn/linear.ts";
import { kindOf } from "../kernels/activation.ts";
import { Mlp } from "../nn/mlp.ts";
import { type Decoder, type DecoderSize, GptDecoder } from "./gpt_decoder.ts";
import { checkLength, uploadIds } from "./ids.ts";
import { sinusoids } from "./initialize.ts";
import { GPT2, type TiedNames } from "./tied_weights.ts";
import { freshWeights, ParameterList, type WeightSource } from "./weights.ts";

/** A language model that predicts each token from those before it. */
export class Gpt implements Disposable {
  /** Where it lives. */
  readonly device: Device;
  /** Its sizes. */
  readonly config: GptConfig;
  /** All that is trained, under the names of Hugging Face's GPT-2 files. */
  readonly parameters: Parameter[];
  /** Its weights in fewer bits, if it has such: they are not trained. */
  readonly quantized: readonly QuantizedWeight[];
  /** The linear layers of its blocks, which LoRA can adapt. */
  readonly linears: Linear[] = [];
  /** Run each block again in the backward pass in place of keeping what it computed. */
  checkpointing = false;
  /** Bytes of logits that a loss may hold at once: see `linearCrossEntropy`. */
  logitBytes: number = LOGIT_BYTES;
  readonly #token: Parameter | QuantizedWeight; // (V, C)
  readonly #position: Tensor | undefined; // (context, C)
  readonly #blocks: Block[];
  readonly #norm: LayerNorm;
  readonly #head: Parameter | QuantizedWeight; // (V, C)
  readonly #owned: DisposableStack;

  /**
   * Fresh weights by default: normal with `initializerRange`, and less by √(2·layers) for those that
   * write into the residual stream, which adds up that many of them (Radford et al. 2019, section 2.3).
   *
   * @throws {VitrailError} if the configuration makes no sense; the message names the field.
   */
  constructor(device: Device, config: GptConfig, source: WeightSource = freshWeights(0)) {
    validateGptConfig(config);
    this.device = device;
    this.config = config;
    const { vocabularySize: V, contextLength, channels: C, mlpChannels, layers, heads } = config;
    using owned = new DisposableStack();
    const list = owned.use(new ParameterList(device, source));
    const usual = { deviation: config.initializerRange };
    const residual = { deviation: config.initializerRange / Math.sqrt(2 * layers) };

    const norm = (name: string): LayerNorm =>
      new LayerNorm(
        list.make(`${name}.weight`, [C], { constant: 1 }),
        list.make(`${name}.bias`, [C], { constant: 0 }),
        config.layerNormEpsilon,
      );
    const affine = (name: string, shape: [number, number], initial = usual): Linear => {
      const layer = new Linear(
        list.weight(`${name}.weight`, shape, { initial }),
        list.make(`${name}.bias`, [shape[1]], { constant: 0 }),
      );
      this.linears.push(layer);
      return layer;
    };

    const table = { initial: usual, transposed: true };
    this.#token = list.weight("transformer.wte.weight", [V, C], table);
    if (config.positions === "learned") {
      this.#position = list.make("transformer.wpe.weight", [contextLength, C], usual);
    } else if (config.positions === "sinusoidal") {
      const sines = sinusoids(contextLength, C);
      const { pool } = device;
      const table = pool.persistent(() =>
        pool.as("weights", () => device.upload(sines, [contextLength, C]))
      );
      owned.defer(() => pool.release(table.buffer));
      this.#position = table;
    }
    this.#blocks = Array.from({ length: layers }, (_, i) => {
      const h = `transformer.h.${i}`;
      return new Block(`blocks.${i}.`, {
        norm1: norm(`${h}.ln_1`),
        attention: new Attention(
          affine(`${h}.attn.c_attn`, [C, 3 * C]),
          affine(`${h}.attn.c_proj`, [C, C], residual),
          { ...config, heads, causal: true, scale: attentionScale(config, i) },
        ),
        ...mlpChannels > 0 && {
          norm2: norm(`${h}.ln_2`),
          mlp: new Mlp(
            affine(`${h}.mlp.c_fc`, [C, mlpChannels]),
            affine(`${h}.mlp.c_proj`, [mlpChannels, C], residual),
            { ...config, activation: kindOf(config.activation) },
          ),
        },
      });
    });
    this.#norm = norm("transformer.ln_f");
    this.#head = config.tieWeights ? this.#token : list.weight("lm_head.weight", [V, C], table);
    this.parameters = list.all;
    this.quantized = list.quantized;
    this.#owned = owned.move();
  }

  /** Gives the memory of its weights back, and that of an adapter: its use is an error from then on. */
  [Symbol.dispose](): void {
    disposeAdaptations(this.linears);
    this.#owned[Symbol.dispose]();
  }

  /** Names of the embedding and of the head, if they are one tensor. */
  get tied(): TiedNames | undefined {
    return this.config.tieWeights ? GPT2 : undefined;
  }

  /** Number of trained numbers, or of those that were before they were kept in fewer bits. */
  get parameterCount(): number {
    return [...this.parameters, ...this.quantized].reduce((sum, { size }) => sum + size, 0);
  }

  /** Bytes of its weights on the device. */
  get weightBytes(): number {
    return this.parameters.reduce((sum, { size }) => sum + 4 * size, 0) +
      this.quantized.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /**
   * Token ids (B, T) as a tensor.
   *
   * @throws {VitrailError} if an id is not in the vocabulary, which names it and its place; or if there
   * are none, or not as many as the shape has places
   */
  ids(ids: ArrayLike<number>, shape: readonly number[] = [1, ids.length]): Tensor {
    return uploadIds(this.device, ids, { vocabularySize: this.config.vocabularySize, shape });
  }

  /** Ids (B, T) to logits (B, T, V). With a cache, ids continue what it holds. */
  forward(run: Run, ids: Tensor, options: { cache?: GptCache; mask?: Tensor } = {}): Tensor {
    return this.unembed(run, this.hidden(run, ids, options));
  }

  /** Ids (B, T) to the normalized residual stream (B, T, C), which the head reads. */
  hidden(
    run: Run,
    ids: Tensor,
    options: { cache?: Pick<GptCache, "length"> & { layers: AttentionCache[] }; mask?: Tensor } =
      {},
  ): Tensor {
    const { cache, mask } = options;
    const offset = cache?.length ?? 0;
    checkLength(offset + ids.shape[1], this.config.contextLength);
    const tables = { name: "", token: this.#token, position: this.#position };
    let x = dropout(run, embed(run, ids, { ...tables, offset }), this.config.embeddingDropout); // (B, T, C)
    this.#blocks.forEach((block, i) => {
      const settings = { mask, cache: cache?.layers[i] };
      // A hook is called once: a block in which one listens keeps what it computed.
      x = this.checkpointing && !cache && !run.hookedWithin(block.name)
        ? checkpoint(run, x, (inner, y) => block.forward(inner, y, settings))
        : block.forward(run, x, settings);
    });
    return this.#norm.forward(run, x, "ln_final.");
  }

  /** The residual stream (…, C) to logits (…, V). */
  unembed(run: Run, x: Tensor): Tensor {
    const read = run.hook("unembed.hook_in", x);
    const logits = linear(run, read, { weight: this.#head, transposed: true });
    return run.hook("unembed.hook_out", logits);
  }

  /** What any block leaves (…, C) to logits (…, V), by way of the final norm. */
  readOut(run: Run, residual: Tensor): Tensor {
    return this.unembed(run, this.#norm.forward(run, residual, "ln_final."));
  }

  /** Mean cross-entropy of predicting targets (B, T), in nats; -100 is ignored. */
  loss(run: Run, ids: Tensor, options: { targets: Tensor; scale?: number; mask?: Tensor }): Loss {
    const { targets, scale, mask } = options;
    const { logitBytes } = this;
    const hidden = this.hidden(run, ids, { mask });
    const weight = this.#head;
    if (weight instanceof QuantizedWeight || run.hooked("unembed.hook_out")) {
      return crossEntropy(run, this.unembed(run, hidden), { targets, scale });
    }
    const read = run.hook("unembed.hook_in", hidden);
    return linearCrossEntropy(run, read, { weight, targets, scale, logitBytes });
  }

  /**
   * What continues `batch` sequences to up to `capacity` places, several times as fast as a cache. Unless
   * `cache` says otherwise, keys and values are f16 beside weights in fewer bits: who asked for those has
   * memory to save, and a long context takes more of it than they do. Beside f32 weights they are f32.
   */
  decoder(size: DecoderSize): Decoder {
    const cache = size.cache ?? (this.quantized.length > 0 ? "f16" : "f32");
    return new GptDecoder(this.device, {
      config: this.config,
      token: this.#token,
      position: this.#position,
      blocks: this.#blocks,
      norm: this.#norm,
      head: this.#head,
      hidden: (...pass) => this.hidden(...pass),
    }, { ...size, cache });
  }

  /** An empty cache for `batch` sequences of up to `capacity` places. */
  cache(batch: number, capacity: number = this.config.contextLength): GptCache {
    const { channels, layers } = this.config;
    const size = { batch, capacity, channels };
    return this.device.pool.together(() =>
      new GptCache(Array.from({ length: layers }, () => new LayerCache(this.device, size)))
    );
  }
}

/** Factor on the scores of a layer, counted from 0; undefined if it is the usual one. */
function attentionScale(config: GptConfig, layer: number): number | undefined {
  const { channels, heads, scaleAttention, scaleAttentionByLayer } = config;
  if (scaleAttention && !scaleAttentionByLayer) return undefined;
  return (scaleAttention ? 1 / Math.sqrt(channels / heads) : 1) /
    (scaleAttentionByLayer ? layer + 1 : 1);
}

/** Keys and values of every layer. */
export class GptCache {
  /** One cache a layer. */
  readonly layers: LayerCache[];

  /** `Gpt.cache` is the usual way in. */
  constructor(layers: LayerCache[]) {
    this.layers = layers;
  }

  /** Places filled so far. */
  get length(): number {
    return this.layers[0]?.length ?? 0;
  }
}
