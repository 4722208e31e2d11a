/**
 * GPT-2 one token further: what `Gpt.forward` computes, in a third of its dispatches, for generation.
 *
 * @module
 */
import type { Parameter } from "../autograd/parameter.ts";
import { QuantizedWeight } from "../autograd/quantized_weight.ts";
import type { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import { checkOptions, count } from "../formats/option_rules.ts";
import type { GptConfig } from "../formats/gpt_config.ts";
import type { Device } from "../gpu/device.ts";
import type { Scope } from "../gpu/scope.ts";
import { Tensor } from "../gpu/tensor.ts";
import { activation, type ActivationKind } from "../kernels/activation.ts";
import { addPositions } from "../kernels/add_positions.ts";
import { attention } from "../kernels/attention.ts";
import {
  attentionDecode,
  type CacheFormat,
  decodeAppend,
  type DecodeCache,
  decodeCache,
  type DecodeCacheSize,
  layersThatFit,
} from "../kernels/attention_decode.ts";
import { embedding } from "../kernels/embedding.ts";
import { quantizedEmbedding, type QuantizedMatrix, unpackMatrix } from "../kernels/quantized.ts";
import { quantizedRow } from "../kernels/quantized_row.ts";
import {
  linearRow,
  type LinearRowOptions,
  type RowNorm,
  rowNorm,
  type RowWeight,
  rowWeight,
} from "../kernels/linear_row.ts";
import type { Block } from "../nn/block.ts";
import type { AttentionCache } from "../nn/cache.ts";
import type { LayerNorm } from "../nn/layer_norm.ts";
import type { Linear } from "../nn/linear.ts";
import type { Lora } from "../nn/lora.ts";

/** The layers of a model, and how it takes a prompt in; `Gpt.decoder` has them. */
export interface DecoderParts {
  /** Sizes. */
  config: GptConfig;
  /** (V, C). */
  token: Parameter | QuantizedWeight;
  /** (context, C). */
  position: Tensor | undefined;
  /** The blocks. */
  blocks: readonly Block[];
  /** Before the head. */
  norm: LayerNorm;
  /** (V, C). */
  head: Parameter | QuantizedWeight;
  /** Ids (B, T) to the normalized residual stream, by way of a cache. */
  hidden: (
    run: Run,
    ids: Tensor,
    options: { cache: { length: number; layers: AttentionCache[] } },
  ) => Tensor;
}

/** What a decoder has room for. */
export interface DecoderSize {
  /** Sequences. */
  batch: number;
  /** Places of each. */
  capacity: number;
  /** What their keys and values are kept in; `Gpt.decoder` chooses by the weights if it is absent. */
  cache?: CacheFormat;
}

/** A linear layer, ready to be applied to a few rows. */
interface RowLinear {
  weight: RowWeight | QuantizedMatrix;
  bias: Tensor | undefined;
}

/** A block, ready to be applied to one place. */
interface RowBlock {
  norm: RowNorm;
  layers: Record<"qkv" | "projection", RowLinear>;
  mlp: RowMlp | undefined;
  /** Factor on the scores; 1/√HS if absent. */
  scale: number | undefined;
  /** (B, 1, 3·C), part of the cache's `fresh`. */
  qkv: Tensor;
  /** Where its keys and values are, and as which layer. */
  cache: LayerGroup;
  layer: number;
}

/** The MLP of a block, if it has one. */
interface RowMlp {
  norm: RowNorm;
  layers: Record<"up" | "down", RowLinear>;
  activation: ActivationKind;
}

/** Layers whose keys and values lie in one pair of textures. */
interface LayerGroup {
  cache: DecodeCache;
  /** (layers, padded B·3·C): queries, keys and values of the newest place. */
  fresh: Tensor;
}

/** Prompts of different lengths, side by side. */
export interface PromptLengths {
  /** Tokens of each row of ids, of which it has only padding behind them; the whole row if absent. */
  lengths?: ArrayLike<number>;
}

/** Numbers after which a slice of a buffer may begin. */
const SLICE = 64;

/**
 * Continues sequences through copies of a model's weights as they were when it was made, with
 * adaptations merged. It must be disposed of, and its use is an error from then on.
 */
export interface Decoder extends Disposable {
  /** Places filled so far, by the longest sequence. */
  readonly length: number;

  /**
   * Takes prompts in, in one pass: ids (S, T), where sequence b of the decoder's B continues row b mod S.
   * Returns the normalized residual stream, (S, T, C); behind the end of a shorter prompt it means nothing.
   *
   * @throws {VitrailError} if there has been a prompt before, or a length is none
   */
  prefill(run: Run, ids: Tensor, options?: PromptLengths): Tensor;

  /**
   * The next ids (B, 1) to logits (B, 1, V), which the next call overwrites. A sequence that has filled the
   * decoder's capacity may be continued beside others that have not; its logits mean nothing then.
   *
   * @param options.rows (B, capacity rounded up to a multiple of four) u32: whose keys and values are
   * each sequence's at every place, so that beams can change places; each one's own if absent
   */
  step(ids: Tensor, options?: { rows?: Tensor }): Tensor;
}

/** The decoder of a GPT. */
export class GptDecoder implements Decoder {
  /** Places filled so far. */
  length = 0;
  readonly #parts: DecoderParts;
  readonly #batch: number;
  readonly #groups: LayerGroup[] = [];
  readonly #blocks: RowBlock[];
  readonly #norm: RowNorm;
  readonly #head: RowWeight | QuantizedMatrix;
  readonly #z: Tensor; // (B, 1, C)
  readonly #thought: Tensor; // (B, 1, 4C)
  readonly #activated: Tensor | undefined; // (B, 1, 4C), of what is no GELU
  readonly #logits: Tensor; // (B, 1, V)
  readonly #memory: Scope;
  readonly #pads: Tensor; // (B)
  #isRagged = false;

  /** `Gpt.decoder` is the usual way in. */
  constructor(
    device: Device,
    parts: DecoderParts,
    { batch, capacity, cache = "f32" }: DecoderSize,
  ) {
    const { channels: C, heads, mlpChannels, vocabularySize } = parts.config;
    checkOptions("Cannot make a decoder", { batch, capacity }, { batch: count, capacity: count });
    using owned = new DisposableStack();
    this.#memory = owned.use(device.detachedScope());
    this.#parts = parts;
    this.#batch = batch;
    const layers = parts.blocks.length;
    const size = { layers, batch, heads, headSize: C / heads, capacity };
    const perGroup = layersThatFit(device, size);
    const make = <T>(some: () => T): T => this.#memory.run(some);
    for (let first = 0; first < layers; first += perGroup) {
      const some = { ...size, layers: Math.min(perGroup, layers - first) };
      this.#groups.push(make(() => layerGroup(device, some, cache)));
    }
    this.#blocks = parts.blocks.map((block, i) => {
      const group = this.#groups[Math.floor(i / perGroup)];
      return make(() => rowBlock(block, group, i % perGroup));
    });
    this.#pads = make(() => device.tensor([batch], "u32"));
    this.#norm = make(() => rowNorm(parts.norm));
    this.#head = make(() => weightOf(parts.head, { transposed: true }));
    this.#z = make(() => device.tensor([batch, 1, C]));
    const hidden = [batch, 1, Math.max(mlpChannels, 1)];
    this.#thought = make(() => device.tensor(hidden));
    const isFused = this.#blocks.every(({ mlp }) => !mlp || "gelu" in mlp.activation);
    this.#activated = isFused ? undefined : make(() => device.tensor(hidden));
    this.#logits = make(() => device.tensor([batch, 1, vocabularySize]));
    owned.move();
  }

  /** Takes prompts in, in one pass, as `Decoder` says. */
  prefill(run: Run, ids: Tensor, { lengths }: PromptLengths = {}): Tensor {
    if (this.length > 0) {
      throw new VitrailError(
        `Cannot take in a prompt: ${this.length} places are filled, wanted an empty decoder`,
      );
    }
    const [sources, time] = ids.shape;
    if (lengths) this.#setPads(lengths, ids.shape);
    const layers = this.#blocks.map(({ cache: { cache }, layer }): AttentionCache => ({
      attend: (qkv, { heads, scale }) => {
        decodeAppend(qkv, cache, { past: 0, sources, time, layer });
        return attention(qkv, { heads, scale, causal: true }).out;
      },
    }));
    const hidden = this.#parts.hidden(run, ids, { cache: { length: 0, layers } });
    this.length = time;
    return hidden;
  }

  /** The next ids (B, 1) to logits (B, 1, V). */
  step(ids: Tensor, { rows }: { rows?: Tensor } = {}): Tensor {
    const { token, position: table } = this.#parts;
    const past = this.length;
    const pads = this.#isRagged ? this.#pads : undefined;
    const position = pads ? undefined : table;
    const x = token instanceof QuantizedWeight // (B, 1, C)
      ? quantizedEmbedding(ids, { token: token.matrix, position, offset: past })
      : embedding(ids, { token, position, offset: past });
    if (pads && table) addPositions(x, { position: table, pads, past });
    for (const { norm, layers, mlp, scale, qkv, cache, layer } of this.#blocks) {
      apply(x, layers.qkv.weight, { norm, bias: layers.qkv.bias, out: qkv });
      attentionDecode(qkv, cache.cache, { past, layer, scale, out: this.#z, pads, rows });
      const { projection } = layers;
      apply(this.#z, projection.weight, { bias: projection.bias, out: x, accumulate: true });
      if (!mlp) continue;
      const { up, down } = mlp.layers;
      const { activation: kind } = mlp;
      const gelu = "gelu" in kind ? kind.gelu : undefined;
      const sum = apply(x, up.weight, { norm: mlp.norm, bias: up.bias, gelu, out: this.#thought });
      const thought = gelu ? sum : activation(sum, kind, { out: this.#activated });
      apply(thought, down.weight, { bias: down.bias, out: x, accumulate: true });
    }
    for (const { cache, fresh } of this.#groups) decodeAppend(fresh, cache, { past, pads });
    this.length++;
    return apply(x, this.#head, { norm: this.#norm, out: this.#logits });
  }

  /** Takes note of how much shorter each sequence's prompt is than the longest. */
  #setPads(lengths: ArrayLike<number>, [sources, time]: readonly number[]): void {
    for (let s = 0; s < sources; s++) {
      if (Number.isInteger(lengths[s]) && lengths[s] >= 1 && lengths[s] <= time) continue;
      throw new VitrailError(
        `Cannot take in prompt ${s}: its length is ${lengths[s]}, wanted 1 to ${time}`,
      );
    }
    const pads = Uint32Array.from({ length: this.#batch }, (_, b) => time - lengths[b % sources]);
    this.#isRagged = pads.some((pad) => pad > 0);
    this.#pads.device.write(this.#pads, pads);
  }

  /** Gives its buffers and textures back. */
  [Symbol.dispose](): void {
    this.#memory[Symbol.dispose]();
  }
}

function layerGroup(device: Device, size: DecodeCacheSize, format: CacheFormat): LayerGroup {
  const row = SLICE * Math.ceil(3 * size.batch * size.heads * size.headSize / SLICE);
  const fresh = device.tensor([size.layers, row]);
  return { cache: decodeCache(device, size, { format }), fresh };
}

function rowBlock(block: Block, cache: LayerGroup, layer: number): RowBlock {
  const { fresh, cache: { batch, heads, headSize } } = cache;
  const { device, buffer } = fresh;
  const shape = [batch, 1, 3 * heads * headSize];
  const slice = device.pool.slice(buffer, 4 * layer * fresh.shape[1], 4 * batch * shape[2]);
  const { attention, mlp, norm2 } = block;
  return {
    norm: rowNorm(block.norm1),
    layers: { qkv: rowLinear(attention.qkv), projection: rowLinear(attention.projection) },
    mlp: mlp && norm2 && {
      norm: rowNorm(norm2),
      layers: { up: rowLinear(mlp.up), down: rowLinear(mlp.down) },
      activation: mlp.config.activation,
    },
    scale: attention.config.scale,
    qkv: new Tensor(device, slice, shape, "f32"),
    cache,
    layer,
  };
}

function rowLinear(linear: Linear): RowLinear {
  const { weight, bias, transposed, adaptations } = linear;
  if (adaptations.length === 0) return { weight: weightOf(weight, { transposed }), bias };
  if (weight instanceof QuantizedWeight) return { weight: unpackedWith(weight, adaptations), bias };
  const { device } = weight;
  const merged = device.tensor(weight.shape);
  device.commands.copy(weight.buffer, merged.buffer, 4 * weight.size);
  return { weight: adaptedWeight(merged, adaptations, { transposed }), bias };
}

/** An adapted weight in fewer bits is one in f32 here. */
function unpackedWith({ matrix }: QuantizedWeight, adaptations: readonly Lora[]): RowWeight {
  return adaptedWeight(unpackMatrix(matrix), adaptations, { transposed: false }); // (in, out)
}

/** A weight with its adaptations, in a texture; the tensor is given back. */
function adaptedWeight(
  merged: Tensor,
  adaptations: readonly Lora[],
  options: { transposed: boolean },
): RowWeight {
  for (const lora of adaptations) lora.mergeInto(merged, options);
  const weight = rowWeight(merged, options);
  merged.device.pool.release(merged.buffer);
  return weight;
}

/** A copy of a weight in a texture, or the packed weight where it is. */
function weightOf(
  weight: Tensor | QuantizedWeight,
  options: { transposed: boolean },
): RowWeight | QuantizedMatrix {
  return weight instanceof QuantizedWeight ? weight.matrix : rowWeight(weight, options);
}

/** A linear layer, in f32 or in fewer bits, with what goes with it. */
function apply(
  x: Tensor,
  weight: RowWeight | QuantizedMatrix,
  options: LinearRowOptions,
): Tensor {
  return "texture" in weight ? linearRow(x, weight, options) : quantizedRow(x, weight, options);
}
