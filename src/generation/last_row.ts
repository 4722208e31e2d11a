/**
 * The last place of each sequence: all that generation needs of a prompt's hidden states.
 *
 * @module
 */
import type { Tensor } from "../gpu/tensor.ts";

/** (B, T, C) to (B, 1, C). */
export function lastRow(x: Tensor): Tensor {
  const [batch, time, channels] = x.shape;
  if (time === 1) return x;
  const out = x.device.tensor([batch, 1, channels]);
  for (let b = 0; b < batch; b++) {
    const source = ((b + 1) * time - 1) * channels * 4;
    x.device.commands.copy(x.buffer, out.buffer, channels * 4, {
      source,
      target: b * channels * 4,
    });
  }
  return out;
}
