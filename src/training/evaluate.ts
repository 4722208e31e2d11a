/**
 * The loss on text that is not trained on.
 *
 * @module
 */
import { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import type { Gpt } from "../models/gpt.ts";
import type { Batch } from "./trainer.ts";

/** What an evaluation found. */
export interface Evaluation {
  /** Mean cross-entropy of a token, in nats. */
  loss: number;
  /** Tokens predicted. */
  tokens: number;
  /** exp(loss). */
  perplexity: number;
}

/** Batches between two reads: a bound on what waits on the device. */
const READ_EVERY = 64;

/** Mean loss over all targets that are not ignored, each counting once. */
export async function evaluate(
  model: Gpt,
  batches: Iterable<Batch>,
  options: { sequence: number; onBatch?: (tokens: number) => void },
): Promise<Evaluation> {
  const { device } = model;
  const { sequence, onBatch } = options;
  using _all = device.scope();
  const results = device.tensor([READ_EVERY, 2]);
  let [total, tokens, waiting] = [0, 0, 0];
  const collect = async (): Promise<void> => {
    const read = await results.read();
    for (let i = 0; i < waiting; i++) {
      total += read[2 * i] * read[2 * i + 1];
      tokens += read[2 * i + 1];
    }
    waiting = 0;
    onBatch?.(tokens);
  };
  for (const batch of batches) {
    using _batch = device.scope();
    const shape = [batch.inputs.length / sequence, sequence];
    const targets = device.upload(Int32Array.from(batch.targets), shape);
    const { result } = model.loss(new Run(device), model.ids(batch.inputs, shape), { targets });
    device.commands.copy(result.buffer, results.buffer, 8, { target: 8 * waiting });
    if (++waiting === READ_EVERY) await collect();
  }
  if (waiting > 0) await collect();
  if (tokens === 0) {
    throw new VitrailError("Cannot evaluate: the text has no token to predict; give a longer text");
  }
  const loss = total / tokens;
  return { loss, tokens, perplexity: Math.exp(loss) };
}
