/**
 * The residual stream between the layers, and how it is read as a guess.
 *
 * @module
 */
import { type Hook, Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { Gpt } from "../../models/gpt.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";

/** Where the stream is looked at. */
export interface StreamPoint {
  /** Its hook point. */
  name: string;
  /** For tables: `embeddings`, then `layer 1` for what the first block leaves, and so on. */
  label: string;
}

/**
 * What goes into the first block, and what each block leaves. A BERT's layers end with a norm: what counts
 * is what comes out of it.
 */
export function streamPoints(model: ProbedModel): StreamPoint[] {
  const { layers } = model.config;
  const last = model instanceof Gpt ? "hook_resid_post" : "hook_normalized_resid_post";
  return Array.from({ length: layers + 1 }, (_, i) => ({
    name: i < layers ? `blocks.${i}.hook_resid_pre` : `blocks.${layers - 1}.${last}`,
    label: i === 0 ? "embeddings" : `layer ${i}`,
  }));
}

/** The stream at every point (B, T, C), first to last. The tensors belong to the caller's scope. */
export function residualStream(model: ProbedModel, input: ProbeInput): Tensor[] {
  const seen: Tensor[] = [];
  const hook: Hook = (x) => void seen.push(x);
  const hooks = new Map(streamPoints(model).map(({ name }) => [name, hook]));
  const run = new Run(model.device, { hooks });
  if (model instanceof Gpt) model.hidden(run, input.ids, { mask: input.mask });
  else model.hidden(run, input);
  return seen;
}

/**
 * The stream at any point (…, C) to logits (…, V), as the model itself reads it at the end: final norm and
 * unembedding, or a BERT's head for masked tokens.
 *
 * @throws {VitrailError} if the model guesses no tokens
 */
export function readOut(run: Run, model: ProbedModel, residual: Tensor): Tensor {
  if (model instanceof Gpt) return model.readOut(run, residual);
  const { masked, settings } = model.heads;
  if (masked) return masked.forward(run, residual);
  throw new VitrailError(
    `Cannot read guesses out of this BERT: its head is for ${settings.kind}; wanted one that guesses ` +
      "tokens, as pre-training leaves it",
  );
}
