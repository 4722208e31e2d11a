/**
 * Learning rates that fall from the head of a model down to its embeddings.
 *
 * @module
 */
import type { Parameter } from "../autograd/parameter.ts";
import { VitrailError } from "../errors.ts";

/** A block's number in a name: `transformer.h.3.…` of GPT-2, `bert.encoder.layer.3.…` of BERT. */
const BLOCK = /(?:^|\.)(?:h|layer)\.(\d+)\./;
/** Tables, and what works on them before the first block. */
const EMBEDDING = /(?:^|\.)(?:wte|wpe|embeddings)\./;

/**
 * The factor of each parameter's learning rate (layer-wise decay; Clark et al. 2020, arXiv:2003.10555,
 * and others): 1 above the last block, `decay` in the last block, `decay²` in the one before, and so
 * on; `decay^(L + 1)` in the embeddings below L blocks. Hand it to an optimizer as `rateOf`.
 *
 * @throws {VitrailError} if `decay` is not above 0 and at most 1
 *
 * @example
 * ```ts
 * import { createGptConfig, Gpt, layerwiseRates, openDevice } from "../../mod.ts";
 *
 * const device = await openDevice();
 * const size = { vocabularySize: 10, contextLength: 16, channels: 8, layers: 2, heads: 2 };
 * const { parameters } = new Gpt(device, createGptConfig(size));
 * const rateOf = layerwiseRates(parameters, 0.5);
 * console.log(rateOf(parameters[0]), rateOf(parameters.at(-1)!)); // 0.125 1
 * device.destroy();
 * ```
 */
export function layerwiseRates(
  parameters: readonly Parameter[],
  decay: number,
): (parameter: Parameter) => number {
  if (!(decay > 0 && decay <= 1)) {
    throw new VitrailError(`Cannot decay learning rates by ${decay} a layer: wanted above 0 to 1`);
  }
  const blockOf = ({ name }: Parameter): number | undefined => {
    const [, number] = name.match(BLOCK) ?? [];
    return number === undefined ? undefined : Number(number);
  };
  const blocks = parameters.reduce((most, p) => Math.max(most, (blockOf(p) ?? -1) + 1), 0);
  return (p) => {
    const block = blockOf(p);
    if (block !== undefined) return decay ** (blocks - block);
    return EMBEDDING.test(p.name) ? decay ** (blocks + 1) : 1;
  };
}
