/**
 * The loss on text that is not trained on.
 *
 * @module
 */
import { notFiniteError } from "../autograd/not_finite.ts";
import { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import { MeanLosses } from "./mean_losses.ts";
import type { NumericArray } from "../gpu/tensor.ts";
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

/**
 * Mean loss over all targets that are not ignored, each counting once.
 *
 * @param options.allowNotFinite returns a loss that is not finite, where a caller has an answer to that
 * @throws {VitrailError} at a loss that is not finite, with the layer in which that begins
 */
export async function evaluate<B>(
  task: Task<B>,
  batches: Iterable<B>,
  options: { onBatch?: (tokens: number) => void; allowNotFinite?: boolean } = {},
): Promise<Evaluation> {
  const { device, terms: names } = task;
  using scope = device.detachedScope();
  const width = 2 * names.length;
  const results = scope.run(() => device.tensor([READ_EVERY, width]));
  const means = new MeanLosses(names);
  let scales: number[] = [];
  let waiting = 0;
  let recent: B[] = [];
  const collect = async (): Promise<void> => {
    const read = await results.read();
    if (!options.allowNotFinite) await checkLosses(task, recent, read);
    recent = [];
    means.add(read.subarray(0, waiting * width));
    waiting = 0;
    options.onBatch?.(means.counts[0]);
  };
  const record = (batch: B): void => {
    using _batch = device.scope();
    const losses = task.loss(new Run(device), batch, names.map(() => 1));
    scales = losses.map(({ scale }) => scale);
    losses.forEach(({ result }, term) => {
      const target = 4 * (waiting * width + 2 * term);
      device.commands.copy(result.buffer, results.buffer, 8, { target });
    });
  };
  for (const batch of batches) {
    record(batch);
    recent.push(batch);
    if (++waiting === READ_EVERY) await collect();
  }
  if (waiting > 0) await collect();
  const tokens = means.counts[0];
  if (tokens === 0) {
    throw new VitrailError("Cannot evaluate: the text has no token to predict; give a longer text");
  }
  const found = means.figures(scales);
  return { ...found, tokens, perplexity: Math.exp(found.loss) };
}

/** Fails if the loss of a batch is not finite, and says where that begins. */
async function checkLosses<B>(
  task: Task<B>,
  batches: readonly B[],
  losses: NumericArray,
): Promise<void> {
  const width = 2 * task.terms.length;
  const wrong = batches.findIndex((_, i) =>
    task.terms.some((_, term) => {
      const [mean, count] = losses.subarray(i * width + 2 * term);
      return count > 0 && !Number.isFinite(mean);
    })
  );
  if (wrong < 0) return;
  throw await notFiniteError(task, {
    action: "Cannot evaluate the model",
    forward: (run) => task.loss(run, batches[wrong], task.terms.map(() => 1)),
  });
}
