/**
 * BERT (Devlin et al. 2019, arXiv:1810.04805): a bidirectional encoder, on one page.
 *
 * @module
 */
import { add } from "../autograd/ops/add.ts";
import { checkpoint } from "../autograd/ops/checkpoint.ts";
import { dropout } from "../autograd/ops/dropout.ts";
import { embedding } from "../autograd/ops/embedding.ts";
import type { Parameter } from "../autograd/parameter.ts";
import type { Run } from "../autograd/run.ts";
import { type BertConfig, validateBertConfig } from "../formats/bert_config.ts";
import type { BertHeadsSettings } from "../formats/huggingface_bert.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { Attention } from "../nn/attention.ts";
import { embed } from "../nn/embedding.ts";
import type { LayerNorm } from "../nn/layer_norm.ts";
import { disposeAdaptations, type Linear } from "../nn/linear.ts";
import { kindOf } from "../kernels/activation.ts";
import { Mlp } from "../nn/mlp.ts";
import { PostNormBlock } from "../nn/post_norm_block.ts";
import { type BertHeads, makeHeads } from "./bert_heads.ts";
import { BertLayers } from "./bert_layers.ts";
import { checkLength, uploadIds } from "./ids.ts";
import { BERT, type TiedNames } from "./tied_weights.ts";
import { freshWeights, ParameterList, type WeightSource } from "./weights.ts";

/** What an encoder reads. */
export interface BertInput {
  /** Token ids (B, T). */
  ids: Tensor;
  /** Segment ids (B, T); all zero if absent. */
  segments?: Tensor;
  /** Added to the scores (B, T): 0 for tokens, -Infinity (or -1e38) for padding. */
  mask?: Tensor;
}

/** An encoder that sees both sides of every token, and the heads that make use of it. */
export class Bert implements Disposable {
  /** Where it lives. */
  readonly device: Device;
  /** Its sizes. */
  readonly config: BertConfig;
  /** All that is trained, under the names of Hugging Face's BERT files. */
  readonly parameters: Parameter[];
  /** The linear layers of its blocks and heads, which LoRA can adapt. */
  readonly linears: Linear[];
  /** What it was made for. */
  readonly heads: BertHeads;
  /** Run each block again in the backward pass in place of keeping what it computed. */
  checkpointing = false;
  readonly #token: Parameter; // (V, C)
  readonly #position: Parameter; // (context, C)
  readonly #segment: Parameter; // (segments, C)
  readonly #norm: LayerNorm;
  readonly #blocks: PostNormBlock[];
  readonly #owned: DisposableStack;

  /**
   * Fresh weights by default: normal with `initializerRange`.
   *
   * @throws {VitrailError} if the configuration makes no sense; the message names the field.
   */
  constructor(
    device: Device,
    config: BertConfig,
    options: { heads?: BertHeadsSettings; source?: WeightSource } = {},
  ) {
    validateBertConfig(config);
    this.device = device;
    this.config = config;
    const { channels: C, mlpChannels } = config;
    using owned = new DisposableStack();
    const list = owned.use(new ParameterList(device, options.source ?? freshWeights(0)));
    const layers = new BertLayers(list, config);
    this.#token = layers.table("bert.embeddings.word_embeddings", config.vocabularySize);
    this.#position = layers.table("bert.embeddings.position_embeddings", config.contextLength);
    this.#segment = layers.table("bert.embeddings.token_type_embeddings", config.segments);
    this.#norm = layers.norm("bert.embeddings.LayerNorm");
    this.#blocks = Array.from({ length: config.layers }, (_, i) => {
      const name = `bert.encoder.layer.${i}`;
      const residualDropout = config.hiddenDropout;
      return new PostNormBlock(`blocks.${i}.`, {
        attention: new Attention(
          layers.affine(`${name}.attention.self.qkv`, [3 * C, C], {
            parts: ["query", "key", "value"].map((part) => `${name}.attention.self.${part}`),
          }),
          layers.affine(`${name}.attention.output.dense`, [C, C]),
          { ...config, causal: false, residualDropout },
        ),
        norm1: layers.norm(`${name}.attention.output.LayerNorm`),
        mlp: new Mlp(
          layers.affine(`${name}.intermediate.dense`, [mlpChannels, C]),
          layers.affine(`${name}.output.dense`, [C, mlpChannels]),
          { activation: kindOf(config.activation), residualDropout },
        ),
        norm2: layers.norm(`${name}.output.LayerNorm`),
      });
    });
    this.heads = makeHeads(layers, this.#token, options.heads ?? { kind: "pretraining" });
    this.parameters = list.all;
    this.linears = layers.linears;
    this.#owned = owned.move();
  }

  /** Gives the memory of its weights back, and that of an adapter: its use is an error from then on. */
  [Symbol.dispose](): void {
    disposeAdaptations(this.linears);
    this.#owned[Symbol.dispose]();
  }

  /** Names of the embedding and of the head for tokens, if it has one that is the same tensor. */
  get tied(): TiedNames | undefined {
    return this.config.tieWeights && this.heads.masked ? BERT : undefined;
  }

  /** Number of trained numbers. */
  get parameterCount(): number {
    return this.parameters.reduce((sum, p) => sum + p.size, 0);
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

  /** Ids (B, T) to the residual stream after the last block (B, T, C). */
  hidden(run: Run, { ids, segments, mask }: BertInput): Tensor {
    checkLength(ids.shape[1], this.config.contextLength);
    const kinds = segments ?? this.device.zeros(ids.shape, "u32");
    const placed = embed(run, ids, {
      name: "embed.",
      token: this.#token,
      position: this.#position,
      padId: this.config.padId,
    });
    const segment = embedding(run, kinds, { token: this.#segment });
    const embedded = add(run, run.hook("embed.hook_token_type_embed", segment), placed);
    const normalized = this.#norm.forward(run, embedded, "embed.ln.");
    const full = run.hook("hook_full_embed", normalized);
    let x = dropout(run, full, this.config.hiddenDropout); // (B, T, C)
    for (const block of this.#blocks) {
      // A hook is called once: a block in which one listens keeps what it computed.
      x = this.checkpointing && !run.hookedWithin(block.name)
        ? checkpoint(run, x, (inner, y) => block.forward(inner, y, { mask }))
        : block.forward(run, x, { mask });
    }
    return x;
  }
}
