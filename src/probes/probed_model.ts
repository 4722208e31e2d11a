/**
 * What a probe looks into: a model of either family, what it reads, and the logits that it gives.
 *
 * @module
 */
import type { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Bert, BertInput } from "../models/bert.ts";
import { classLogits, tagLogits } from "../models/bert_tasks.ts";
import { Gpt } from "../models/gpt.ts";
import { VitrailError } from "../errors.ts";

/** A model with hook points. */
export type ProbedModel = Gpt | Bert;

/** What a model reads: token ids (B, T), and for BERT segments; `mask` (B, T) hides padding. */
export type ProbeInput = BertInput;

/**
 * The logits that a model is judged by, in a pass of the caller's: (B, T, V) of a language model,
 * causal or masked, (B, labels) of a classifier, (B, T, labels) of a tagger, and (B, T, 2) for the
 * begin and the end of an answer.
 *
 * @throws {VitrailError} if the model is a BERT without a head
 */
export function modelLogits(run: Run, model: ProbedModel, input: ProbeInput): Tensor {
  if (model instanceof Gpt) return model.forward(run, input.ids, { mask: input.mask });
  const { heads } = model;
  switch (heads.settings.kind) {
    case "pretraining":
    case "masked-language":
      return heads.masked!.forward(run, model.hidden(run, input));
    case "sequence-classification":
    case "next-sentence":
      return classLogits(run, model, input);
    case "token-classification":
      return tagLogits(run, model, input);
    case "question-answering":
      return heads.classifier!.forward(run, model.hidden(run, input));
    case "none":
      throw new VitrailError(
        "Cannot compute logits with this BERT: it has no head; wanted one that was pre-trained or " +
          "fine-tuned",
      );
  }
}

/** The hook point at which tokens are vectors that know neither their place nor their segment. */
export function embeddingHook(model: ProbedModel): string {
  return model instanceof Gpt ? "hook_embed" : "embed.hook_embed";
}
