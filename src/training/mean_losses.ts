/**
 * The loss of several batches together, in which each target counts once.
 *
 * @module
 */

/** Sums up the means of batches, each with what it is the mean over. */
export class MeanLosses {
  /** Targets of each term so far, or the sum of their weights. */
  readonly counts: number[];
  readonly #names: readonly string[];
  readonly #totals: number[];

  /** Begins with no batch, for the terms of a loss. */
  constructor(names: readonly string[]) {
    this.#names = names;
    this.counts = names.map(() => 0);
    this.#totals = names.map(() => 0);
  }

  /** Adds batches: for each of them and each term (mean, count), one after another. */
  add(results: ArrayLike<number>): void {
    for (let i = 0; i < results.length / 2; i++) {
      const [mean, count] = [results[2 * i], results[2 * i + 1]];
      const term = i % this.#names.length;
      this.#totals[term] += mean * count;
      this.counts[term] += count;
    }
  }

  /**
   * The loss, and its terms by name if there are several. The mean over no targets is 0.
   *
   * @param scales the factor of each term in the loss
   */
  figures(scales: readonly number[]): { loss: number; terms?: Record<string, number> } {
    const means = this.#totals.map((total, i) => this.counts[i] === 0 ? 0 : total / this.counts[i]);
    const loss = means.reduce((sum, mean, term) => sum + mean * scales[term], 0);
    if (means.length === 1) return { loss };
    return { loss, terms: Object.fromEntries(this.#names.map((name, i) => [name, means[i]])) };
  }
}
