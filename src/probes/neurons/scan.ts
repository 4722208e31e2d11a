/**
 * What is kept of neurons while a text streams by: sums, and the strongest places with what is around.
 *
 * @module
 */

/** Where a neuron was strongest in a window, and what it was all along. */
export interface Peak {
  /** Number of the window. */
  window: number;
  /** Its place there. */
  at: number;
  /** The neuron at each place of the window (T). */
  values: Float32Array;
}

/** Sums and the strongest places of neurons, window after window. */
export class NeuronScan {
  /** Strongest first, for each neuron. */
  readonly peaks: Peak[][];
  /** Windows seen. */
  windows = 0;
  readonly #count: number;
  readonly #time: number;
  readonly #most: number;
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  readonly #active: Uint32Array;

  /** `examples` places are kept of each of `count` neurons, in windows of `time` tokens. */
  constructor(count: number, { time, examples }: { time: number; examples: number }) {
    this.#count = count;
    this.#time = time;
    this.#most = examples;
    this.peaks = Array.from({ length: count }, () => []);
    this.#sums = new Float64Array(count);
    this.#squares = new Float64Array(count);
    this.#active = new Uint32Array(count);
  }

  /** Tokens seen. */
  get tokens(): number {
    return this.windows * this.#time;
  }

  /** Takes activations (windows, T, neurons). */
  add(windows: readonly number[], x: Float32Array): void {
    const [M, T] = [this.#count, this.#time];
    const best = new Float32Array(M);
    const at = new Uint32Array(M);
    windows.forEach((window, b) => {
      best.fill(-Infinity);
      for (let t = 0; t < T; t++) {
        const row = (b * T + t) * M;
        for (let n = 0; n < M; n++) {
          const value = x[row + n];
          this.#sums[n] += value;
          this.#squares[n] += value * value;
          if (value > 0) this.#active[n]++;
          if (value > best[n]) [best[n], at[n]] = [value, t];
        }
      }
      for (let n = 0; n < M; n++) {
        const peaks = this.peaks[n];
        const full = peaks.length === this.#most;
        if (full && !(best[n] > strength(peaks[peaks.length - 1]))) continue;
        const values = Float32Array.from({ length: T }, (_, t) => x[(b * T + t) * M + n]);
        const place = peaks.findIndex((peak) => strength(peak) < best[n]);
        peaks.splice(place < 0 ? peaks.length : place, 0, { window, at: at[n], values });
        if (full) peaks.pop();
      }
      this.windows++;
    });
  }

  /** Mean, deviation and part above zero. */
  figures(n: number): { mean: number; deviation: number; active: number } {
    const { tokens } = this;
    const mean = this.#sums[n] / tokens;
    const deviation = Math.sqrt(Math.max(0, this.#squares[n] / tokens - mean * mean));
    return { mean, deviation, active: this.#active[n] / tokens };
  }
}

const strength = ({ values, at }: Peak): number => values[at];
