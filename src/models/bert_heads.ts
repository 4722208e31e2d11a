/**
 * What a BERT is used for: the heads of its pre-training and of its tasks.
 *
 * @module
 */
import { crossEntropy, type Loss } from "../autograd/ops/cross_entropy.ts";
import { dropout } from "../autograd/ops/dropout.ts";
import { gatherRows } from "../autograd/ops/gather_rows.ts";
import { linear } from "../autograd/ops/linear.ts";
import { linearCrossEntropy } from "../autograd/ops/linear_cross_entropy.ts";
import { tanh } from "../autograd/ops/tanh.ts";
import type { Parameter } from "../autograd/parameter.ts";
import type { Run } from "../autograd/run.ts";
import type { BertHeadsSettings } from "../formats/huggingface_bert.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type ActivationKind, kindOf } from "../kernels/activation.ts";
import type { LayerNorm } from "../nn/layer_norm.ts";
import type { Linear } from "../nn/linear.ts";
import type { BertLayers } from "./bert_layers.ts";

/** The heads that a model has. */
export interface BertHeads {
  /** As the model was made. */
  settings: BertHeadsSettings;
  /** The first token of each sequence, for judgements on the whole. */
  pooler?: Pooler;
  /** Guesses tokens. */
  masked?: MaskedLanguageHead;
  /** Whether the second sentence followed the first, for sequences; labels for sequences or tokens; or where an answer begins and ends. */
  classifier?: Classifier;
}

/** tanh of a linear layer over the first token: (B, T, C) to (B, C). */
export class Pooler {
  readonly #dense: Linear;

  /** Takes its layer from the model that owns it. */
  constructor(dense: Linear) {
    this.#dense = dense;
  }

  /** (B, T, C) to (B, C). */
  forward(run: Run, hidden: Tensor): Tensor {
    const [batch, time] = hidden.shape;
    const rows = hidden.device.upload(Uint32Array.from({ length: batch }, (_, b) => b * time));
    const pooled = tanh(run, this.#dense.forward(run, gatherRows(run, hidden, rows)));
    return run.hook("pooler.hook_pooler_out", pooled);
  }
}

/** Guesses tokens: dense, activation, norm, and the token embedding as decoder, with a bias of its own. */
export class MaskedLanguageHead {
  readonly #dense: Linear;
  readonly #norm: LayerNorm;
  readonly #decoder: { weight: Parameter; bias: Parameter; transposed: true };
  readonly #activation: ActivationKind;

  /** Takes its layers from the model that owns them. */
  constructor(
    layers: { dense: Linear; norm: LayerNorm; decoder: Parameter; bias: Parameter },
    activation: ActivationKind,
  ) {
    this.#dense = layers.dense;
    this.#norm = layers.norm;
    this.#decoder = { weight: layers.decoder, bias: layers.bias, transposed: true };
    this.#activation = activation;
  }

  /** (…, C) to logits (…, V). */
  forward(run: Run, hidden: Tensor): Tensor {
    return this.#decode(run, this.#transform(run, hidden));
  }

  /** Mean cross-entropy of (…, C) against token ids (…), without logits that outlive it. */
  loss(run: Run, hidden: Tensor, options: { targets: Tensor; scale?: number }): Loss {
    const x = this.#transform(run, hidden);
    if (run.hooked("unembed.hook_out")) return crossEntropy(run, this.#decode(run, x), options);
    return linearCrossEntropy(run, x, { ...this.#decoder, ...options });
  }

  #transform(run: Run, hidden: Tensor): Tensor {
    const transformed = this.#dense.forwardActivated(run, hidden, this.#activation);
    return run.hook("unembed.hook_in", this.#norm.forward(run, transformed, "mlm_head.ln."));
  }

  #decode(run: Run, x: Tensor): Tensor {
    return run.hook("unembed.hook_out", linear(run, x, this.#decoder));
  }
}

/** A linear layer behind dropout. */
export class Classifier {
  readonly #dense: Linear;
  readonly #dropout: number;
  readonly #hook: string | undefined;

  /** Takes its layer from the model that owns it; `hook` is the hook point of its logits, if any. */
  constructor(dense: Linear, dropout: number, hook?: string) {
    this.#dense = dense;
    this.#dropout = dropout;
    this.#hook = hook;
  }

  /** (…, C) to logits (…, labels). */
  forward(run: Run, x: Tensor): Tensor {
    const logits = this.#dense.forward(run, dropout(run, x, this.#dropout));
    return this.#hook ? run.hook(this.#hook, logits) : logits;
  }
}

/** Makes the heads that `settings` ask for. */
export function makeHeads(
  layers: BertLayers,
  token: Parameter,
  settings: BertHeadsSettings,
): BertHeads {
  const { channels: C, vocabularySize: V, classifierDropout, ...config } = layers.config;
  const pooler = () => new Pooler(layers.affine("bert.pooler.dense", [C, C]));
  const masked = () => {
    const bias = layers.bias("cls.predictions.bias", V);
    const dense = layers.affine("cls.predictions.transform.dense", [C, C]);
    const norm = layers.norm("cls.predictions.transform.LayerNorm");
    const decoder = config.tieWeights ? token : layers.table("cls.predictions.decoder", V);
    return new MaskedLanguageHead({ dense, norm, decoder, bias }, kindOf(config.activation));
  };
  const classifier = (name: string, labels: number, dropout = 0) =>
    new Classifier(layers.affine(name, [labels, C]), dropout);
  const nextSentence = () =>
    new Classifier(layers.affine("cls.seq_relationship", [2, C]), 0, "nsp_head.hook_nsp_out");
  switch (settings.kind) {
    case "none":
      return settings.pooler === false ? { settings } : { settings, pooler: pooler() };
    case "pretraining":
      return { settings, pooler: pooler(), masked: masked(), classifier: nextSentence() };
    case "next-sentence":
      return { settings, pooler: pooler(), classifier: nextSentence() };
    case "masked-language":
      return { settings, masked: masked() };
    case "sequence-classification":
      return {
        settings,
        pooler: pooler(),
        classifier: classifier("classifier", settings.labels.length, classifierDropout),
      };
    case "token-classification":
      return {
        settings,
        classifier: classifier("classifier", settings.labels.length, classifierDropout),
      };
    case "question-answering":
      return { settings, classifier: classifier("qa_outputs", 2) };
  }
}
