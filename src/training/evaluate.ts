/**
 * The loss on text that is not trained on.
 *
 * @module
 */
import { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import type { Task } from "./task.ts";

/** What an evaluation found. */
export interface Evaluation {
  /** Mean cross-entropy of a token, in nats. */
  loss: number;
  /** Its terms by name, where there are several. */
  terms?: Record<string, number>;
  /** Tokens, or labels, predicted: those of the first term. */
  tokens: number;
  /** exp(loss). */
  perplexity: number;
}

/** Batches between two reads: a bound on what waits on the device. */
const READ_EVERY = 64;

/** Mean loss over all targets that are not ignored, each counting once. */
export async function evaluate<B>(
  task: Task<B>,
  batches: Iterable<B>,
  options: { onBatch?: (tokens: number) => void } = {},
): Promise<Evaluation> {
  const { device, terms: names } = task;
  using _all = device.scope();
  const width = 2 * names.length;
  const results = device.tensor([READ_EVERY, width]);
  const [totals, counts] = [names.map(() => 0), names.map(() => 0)];
  let scales: number[] = [];
  let waiting = 0;
  const collect = async (): Promise<void> => {
    const read = await results.read();
    for (let i = 0; i < waiting; i++) {
      names.forEach((_, term) => {
        const [mean, count] = read.subarray(i * width + 2 * term);
        totals[term] += mean * count;
        counts[term] += count;
      });
    }
    waiting = 0;
    options.onBatch?.(counts[0]);
  };
  for (const batch of batches) {
    using _batch = device.scope();
    const losses = task.loss(new Run(device), batch, 1);
    scales = losses.map(({ scale }) => scale);
    losses.forEach(({ result }, term) => {
      const target = 4 * (waiting * width + 2 * term);
      device.commands.copy(result.buffer, results.buffer, 8, { target });
    });
    if (++waiting === READ_EVERY) await collect();
  }
  if (waiting > 0) await collect();
  if (counts[0] === 0) {
    throw new VitrailError("Cannot evaluate: the text has no token to predict; give a longer text");
  }
  const means = totals.map((total, term) => total / Math.max(1, counts[term]));
  const loss = means.reduce((sum, mean, term) => sum + mean * scales[term], 0);
  const found = { loss, tokens: counts[0], perplexity: Math.exp(loss) };
  if (names.length === 1) return found;
  return { ...found, terms: Object.fromEntries(names.map((name, i) => [name, means[i]])) };
}
