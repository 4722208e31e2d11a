/**
 * Token and position embeddings.
 *
 * @module
 */
import source from "../../shaders/embedding.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
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

/** An id that no vocabulary has. */
const NO_ID = 0xffffffff;

function shapeOf(
  ids: Tensor,
  channels: number,
  { offset = 0, padId = NO_ID }: { offset?: number; padId?: number } = {},
): Record<string, number> {
  const time = ids.shape.at(-1)!;
  return { count: ids.size, channels, time, offset, batch: ids.size / time, padding: padId };
}

/** `token[ids] + position[offset + t]`: ids (B, T) to (B, T, C). */
export function embedding(ids: Tensor, tables: EmbeddingTables): Tensor {
  const { token, position, dtype } = tables;
  const channels = token.shape[1];
  const out = ids.device.tensor([...ids.shape, channels], dtype);
  const { overrides, workgroups } = perElement(ids.device, channels, ids.size);
  ids.device.dispatch(kernel, "forward", {
    bindings: { ids, token, position: position ?? ids.device.nothing, out },
    uniforms: shapeOf(ids, channels, tables),
    overrides: { ...overrides, has_position: position !== undefined },
    workgroups,
  });
  return out;
}

/** Adds the gradient of the token table into `dToken` (V, C), in one fixed order. */
export function embeddingTokenBackward(
  ids: Tensor,
  dOut: Tensor,
  options: { dToken: Tensor; padId?: number },
): void {
  const { device } = ids;
  const { dToken } = options;
  const channels = dToken.shape[1];
  const next = device.tensor([ids.size], "u32");
  const first = device.tensor([ids.size], "u32");
  const uniforms = shapeOf(ids, channels, options);
  device.dispatch(kernel, "link", {
    bindings: { ids, next, first },
    uniforms,
    ...perElement(device, ids.size, 1),
  });
  device.dispatch(kernel, "backward_token", {
    bindings: { ids, next, first, d_out: dOut, out: dToken },
    uniforms,
    ...perElement(device, channels, ids.size),
  });
  device.pool.release(next.buffer);
  device.pool.release(first.buffer);
}

/** Adds the gradient of the position table into `dPosition` (context, C). */
export function embeddingPositionBackward(
  ids: Tensor,
  dOut: Tensor,
  options: { dPosition: Tensor; offset?: number },
): void {
  const { dPosition } = options;
  const channels = dPosition.shape[1];
  ids.device.dispatch(kernel, "backward_position", {
    bindings: { d_out: dOut, out: dPosition },
    uniforms: shapeOf(ids, channels, options),
    ...perElement(ids.device, channels, ids.shape.at(-1)!),
  });
}
