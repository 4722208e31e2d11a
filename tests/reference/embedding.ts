/**
 * Reference of token and position embeddings.
 *
 * @module
 */
import type { Numbers } from "./numbers.ts";

/** Sizes of one look-up. */
export interface EmbeddingShape {
  /** C. */
  channels: number;
  /** T: ids (B, T). */
  time: number;
  /** Position of the first token. */
  offset?: number;
}

/** token[ids] + position[offset + t]. */
export function embedding(
  ids: Numbers,
  tables: { token: Numbers; position?: Numbers },
  shape: EmbeddingShape,
): Float64Array {
  const { channels, time, offset = 0 } = shape;
  return new Float64Array(ids.length * channels).map((_, i) => {
    const [n, c] = [Math.floor(i / channels), i % channels];
    const position = tables.position?.[(offset + n % time) * channels + c] ?? 0;
    return tables.token[ids[n] * channels + c] + position;
  });
}

/** Adds the gradients into copies of `dToken` and `dPosition`, of the tables' sizes. */
export function embeddingBackward(
  ids: Numbers,
  dOut: Numbers,
  options: EmbeddingShape & { dToken: Numbers; dPosition: Numbers },
): { dToken: Float64Array; dPosition: Float64Array } {
  const { channels, time, offset = 0 } = options;
  const [dToken, dPosition] = [options.dToken, options.dPosition].map((d) => Float64Array.from(d));
  for (let i = 0; i < dOut.length; i++) {
    const [n, c] = [Math.floor(i / channels), i % channels];
    dToken[ids[n] * channels + c] += dOut[i];
    dPosition[(offset + n % time) * channels + c] += dOut[i];
  }
  return { dToken, dPosition };
}
