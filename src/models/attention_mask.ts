/**
 * Which tokens of a batch are seen, as ones and zeros.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";

/**
 * A mask for `BertInput.mask`, from 1 for tokens and 0 for padding (B·T): what is added to attention's
 * scores is 0 for the former and -Infinity for the latter.
 *
 * @throws {VitrailError} if the sizes do not fit, a value is neither, or a sequence has no token
 *
 * @example The smallest BERT: ids are 0 to 9, so `model.ids([10])` is an error that says so.
 * ```ts
 * import { attentionMask, Bert, createBertConfig, openDevice, Run } from "../../mod.ts";
 *
 * const device = await openDevice();
 * const config = createBertConfig({
 *   vocabularySize: 10,
 *   contextLength: 16,
 *   channels: 8,
 *   layers: 1,
 *   heads: 2,
 * });
 * const model = new Bert(device, config);
 * const ids = model.ids([0, 1, 2, 3, 4]);
 * const hidden = model.hidden(new Run(device), { ids, mask: attentionMask(device, [1, 1, 1, 1, 1]) });
 * console.log(hidden.shape, await hidden.read()); // [1, 5, 8]
 * device.destroy();
 * ```
 */
export function attentionMask(
  device: Device,
  seen: ArrayLike<number>,
  shape: readonly [number, number] = [1, seen.length],
): Tensor {
  const [batch, time] = shape;
  const refuse = (reason: string): VitrailError =>
    new VitrailError(`Cannot use this attention mask: ${reason}`);
  if (seen.length !== batch * time) {
    throw refuse(`it has ${seen.length} values, wanted ${batch} × ${time}`);
  }
  const added = Float32Array.from(seen, (value, i) => {
    if (value === 1) return 0;
    if (value === 0) return -Infinity;
    throw refuse(`value ${i} is ${value}, wanted 1 for a token or 0 for padding`);
  });
  for (let b = 0; b < batch; b++) {
    if (added.subarray(b * time, (b + 1) * time).includes(0)) continue;
    throw refuse(`sequence ${b} has no token to attend to`);
  }
  return device.upload(added, [batch, time]);
}
