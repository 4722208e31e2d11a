/**
 * Token and position embeddings.
 *
 * @module
 */
import source from "../../shaders/embedding.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
import { argsort } from "./argsort.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("embedding", source);

/** Tables to look up. */
export interface EmbeddingTables {
  /** (V, C). */
  token: Tensor;
  /** (context, C); none leaves out the positions. */
  position?: Tensor;
  /** Position of the first token of each sequence; 0 if absent. */
  offset?: number;
  /** An id whose row learns nothing; none if absent. */
  padId?: number;
  /** Type of the result; that of the tables, f32, if absent. */
  dtype?: DType;
}

/** Sequences whose positions one dispatch adds up. */
const SEQUENCES = 4096;

/** An id that no vocabulary has. */
const NO_ID = 0xffffffff;

function shapeOf(
  ids: Tensor,
  [vocabulary, channels]: readonly number[],
  { offset = 0, padId = NO_ID }: { offset?: number; padId?: number } = {},
): Record<string, number> {
  const { size: count } = ids;
  // As many runs as there are positions in one: neither loop is long, and rounding errors stay small.
  const run = Math.ceil(Math.sqrt(count));
  const time = ids.shape.at(-1)!;
  const sizes = { count, channels, time, offset, vocabulary };
  return { ...sizes, padding: padId, run_size: run, first: 0, end: 0 };
}

/** `token[ids] + position[offset + t]`: ids (B, T) to (B, T, C). */
export function embedding(ids: Tensor, tables: EmbeddingTables): Tensor {
  const { token, position, dtype } = tables;
  const channels = token.shape[1];
  const out = ids.device.tensor([...ids.shape, channels], dtype);
  const { overrides, workgroups } = perElement(ids.device, channels, ids.size);
  ids.device.dispatch(kernel, "forward", {
    bindings: { ids, token, position: position ?? ids.device.nothing, out },
    uniforms: shapeOf(ids, token.shape, tables),
    overrides: { ...overrides, has_position: position !== undefined },
    workgroups,
  });
  return out;
}

/** Adds the gradient of the token table into `dToken` (V, C), in one fixed order and in linear time. */
export function embeddingTokenBackward(
  ids: Tensor,
  dOut: Tensor,
  options: { dToken: Tensor; padId?: number },
): void {
  const { device } = ids;
  const { dToken } = options;
  const channels = dToken.shape[1];
  const uniforms = shapeOf(ids, dToken.shape, options);
  const runs = Math.ceil(ids.size / uniforms.run_size);
  const sorted = argsort(ids, { below: dToken.shape[0] });
  const partial = device.tensor([runs, channels]);
  const bindings = { ids, sorted, partial, out: dToken };
  const launch = perElement(device, channels, runs);
  device.dispatch(kernel, "backward_token", {
    bindings: { ...bindings, d_out: dOut },
    uniforms,
    ...launch,
  });
  device.dispatch(kernel, "backward_token_join", { bindings, uniforms, ...launch });
  device.pool.release(sorted.buffer);
  device.pool.release(partial.buffer);
}

/** Adds the gradient of the position table into `dPosition` (context, C). */
export function embeddingPositionBackward(
  ids: Tensor,
  dOut: Tensor,
  options: { dPosition: Tensor; offset?: number },
): void {
  const { dPosition } = options;
  const channels = dPosition.shape[1];
  const time = ids.shape.at(-1)!;
  const batch = ids.size / time;
  const uniforms = shapeOf(ids, dPosition.shape, options);
  for (let first = 0; first < batch; first += SEQUENCES) {
    ids.device.dispatch(kernel, "backward_position", {
      bindings: { d_out: dOut, out: dPosition },
      uniforms: { ...uniforms, first, end: Math.min(batch, first + SEQUENCES) },
      ...perElement(ids.device, channels, time),
    });
  }
}
