/**
 * What sequences have of tokens so far, and the ids that they may not have next because of it.
 *
 * @module
 */
import source from "../../shaders/history.wgsl" with { type: "text" };
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { perElement } from "./launch.ts";

const kernel = new Kernel("history", source);

/** Tokens of sequences, and where the sequences end. */
export interface History {
  /** (B, capacity) u32. */
  history: Tensor;
  /** (B) u32: how many tokens fewer than the longest each sequence has. */
  pads: Tensor;
}

/**
 * Writes into `seen` (B, V) which ids occurred (`SEEN`) and which would repeat an n-gram (`BANNED`).
 *
 * @param options.length tokens of the longest sequence
 * @param options.ngram n; 0 bans nothing
 */
export function markHistory(
  { history, pads }: History,
  seen: Tensor,
  options: { length: number; ngram: number },
): void {
  const [batch, vocabulary] = seen.shape;
  const { device } = seen;
  device.commands.clear(seen.buffer);
  device.dispatch(kernel, "mark", {
    bindings: { history, pads, seen },
    uniforms: { ...NONE, ...options, vocabulary, capacity: history.shape[1] },
    ...perElement(device, options.length, batch, 1),
  });
}

/** Bans some ids (N), u32, in `seen` (B, V) of every sequence. */
export function banIds(seen: Tensor, banned: Tensor): void {
  const [batch, vocabulary] = seen.shape;
  seen.device.dispatch(kernel, "ban", {
    bindings: { seen, banned },
    uniforms: { ...NONE, vocabulary, count: banned.size },
    ...perElement(seen.device, banned.size, batch, 1),
  });
}

/** Writes the newest ids (B) behind those of the sequences, of which the longest has `length`. */
export function appendHistory({ history, pads }: History, ids: Tensor, length: number): void {
  const [batch, capacity] = history.shape;
  ids.device.dispatch(kernel, "append", {
    bindings: { history, pads, ids },
    uniforms: { ...NONE, capacity, length, batch },
    ...perElement(ids.device, batch),
  });
}

/** Sizes that an entry point does not read. */
const NONE = { vocabulary: 0, capacity: 0, length: 0, ngram: 0, batch: 0, count: 0 };
