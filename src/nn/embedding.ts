/**
 * Token and position embeddings.
 *
 * @module
 */
import { add } from "../autograd/ops/add.ts";
import { embedding } from "../autograd/ops/embedding.ts";
import type { QuantizedWeight } from "../autograd/quantized_weight.ts";
import type { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** Tables to look up, and where. */
export interface EmbeddingOptions {
  /** Prefix of the hook points. */
  name: string;
  /** (V, C). */
  token: Tensor | QuantizedWeight;
  /** (context, C); none leaves out the positions. */
  position?: Tensor;
  /** Position of the first token of each sequence; 0 if absent. */
  offset?: number;
  /** An id whose row learns nothing; none if absent. */
  padId?: number;
}

/**
 * `token[ids] + position[offset + t]`: ids (B, T) to (B, T, C). They are one lookup, unless somebody
 * listens at one of the two.
 */
export function embed(run: Run, ids: Tensor, options: EmbeddingOptions): Tensor {
  const { name, token, position, offset = 0, padId } = options;
  const hooks = { token: `${name}hook_embed`, position: `${name}hook_pos_embed` };
  if (!run.hooked(hooks.token, hooks.position)) return embedding(run, ids, options);
  const tokens = run.hook(hooks.token, embedding(run, ids, { token, padId }));
  if (!position) return tokens;
  const time = ids.shape.at(-1)!;
  const places = Uint32Array.from({ length: ids.size }, (_, i) => offset + i % time);
  const looked = embedding(run, ids.device.upload(places, ids.shape), { token: position });
  return add(run, tokens, run.hook(hooks.position, looked));
}
