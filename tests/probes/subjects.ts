/**
 * Small models of odd sizes for the tests of probes, strong enough in their weights that every part matters.
 *
 * @module
 */
import {
  Bert,
  createBertConfig,
  createGptConfig,
  type Device,
  Gpt,
  type ProbedModel,
  type ProbeInput,
} from "../../mod.ts";

/** Sequences in a batch, and tokens in each. */
export const [B, T] = [3, 29];
/** V. */
export const vocabularySize = 197;

/** A GPT and a BERT with two heads of 12, and weights ten times as large as fresh ones usually are. */
export function smallModels(device: Device, { layers = 2 } = {}): Record<string, ProbedModel> {
  const size = { vocabularySize, contextLength: T, channels: 24, layers, heads: 2 };
  const strong = { initializerRange: 0.2 };
  return {
    GPT: new Gpt(device, { ...createGptConfig(size), ...strong }),
    BERT: new Bert(device, { ...createBertConfig(size), ...strong }, {
      heads: { kind: "masked-language" },
    }),
  };
}

/** (B, T) ids that differ by seed; the last place of each sequence is the same for all seeds. */
export function ids(model: ProbedModel, seed: number, batch = B): ProbeInput {
  const numbers = Array.from({ length: batch * T }, (_, i) => {
    return i % T === T - 1 ? 7 : (i * 31 + seed * 57 + (i * i * seed) % 13) % vocabularySize;
  });
  return { ids: model.ids(numbers, [batch, T]) };
}
