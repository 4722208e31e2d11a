/**
 * Random sequences that repeat: nothing but what came before says what comes next.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { checkOptions, count, countOrNone, seedRule } from "../formats/option_rules.ts";
import { below, type Random, randomOf } from "./random.ts";

/** What is made. */
export interface RepeatedOptions {
  /** B. */
  batch: number;
  /** T, the first token included. */
  sequence: number;
  /** Tokens until they repeat; a range draws one for each sequence, so that place alone does not tell. */
  period: number | readonly [least: number, most: number];
  /** V. */
  vocabularySize: number;
  /** The token that every sequence begins with and that comes nowhere else; 0 if absent. */
  begin?: number;
  /** The least id that is drawn; 1 if absent. */
  firstId?: number;
  /** Whether a block has no token twice; if not, what follows a token may be known only from two or more. */
  distinct?: boolean;
  /** Seed. */
  seed?: number;
  /** Which batch of that seed. */
  index?: number;
}

/** Token ids, and what follows where it can be known. */
export interface RepeatedBatch {
  /** (B, T). */
  shape: [batch: number, sequence: number];
  /** (B·T) ids. */
  inputs: Uint32Array<ArrayBuffer>;
  /** (B·T) ids; -100 until a token has come before and shows what follows. */
  targets: Int32Array<ArrayBuffer>;
  /** The period of each sequence. */
  periods: number[];
}

/**
 * Batches of a first token and then a block of random tokens again and again: x₀ is `begin`, and
 * xₜ = xₜ₋ₚ from t = P + 1 on, P being the period (Olsson et al. 2022, arXiv:2209.11895, "repeated random
 * sequences of tokens").
 *
 * @throws {VitrailError} if there is no such period, or distinct tokens are asked for and there are too few
 *
 * @example
 * ```ts
 * import { repeatedBatch } from "./repeated_sequences.ts";
 *
 * const { inputs } = repeatedBatch({ batch: 1, sequence: 7, period: 3, vocabularySize: 10 });
 * console.log(inputs[0] === 0, inputs[1] === inputs[4], inputs[3] === inputs[6]); // true true true
 * ```
 */
export function repeatedBatch(options: RepeatedOptions): RepeatedBatch {
  const { batch, sequence, period, vocabularySize } = options;
  const { begin = 0, firstId = 1, distinct = false, seed = 0, index = 0 } = options;
  const [least, most] = Array.isArray(period) ? period : [period, period];
  const numbers = { batch, sequence, vocabularySize, begin, firstId, seed, index };
  checkOptions("Cannot repeat tokens", { ...numbers, period: least, longest: most }, {
    period: count,
    longest: count,
    seed: seedRule,
    batch: count,
    sequence: count,
    vocabularySize: count,
    begin: countOrNone,
    firstId: countOrNone,
    index: seedRule,
  });
  const letters = vocabularySize - firstId;
  const longest = distinct ? letters : Infinity;
  if (!(least <= most && most <= longest && letters >= 1)) {
    throw new VitrailError(
      `Cannot repeat ${
        least === most ? least : `${least} to ${most}`
      } tokens of ${letters}: wanted ` +
        `a period from 1${distinct ? ` to ${letters}, as no token may come twice in it` : ""}`,
    );
  }
  const random = randomOf(seed, index);
  const inputs = new Uint32Array(batch * sequence);
  const targets = new Int32Array(batch * sequence).fill(-100);
  const periods = Array.from({ length: batch }, () => least + below(random, most - least + 1));
  periods.forEach((P, b) => {
    const block = (distinct ? different : any)(random, { count: Math.min(P, sequence), letters });
    const at = (t: number): number => t === 0 ? begin : firstId + block[(t - 1) % P];
    for (let t = 0; t < sequence; t++) {
      inputs[b * sequence + t] = at(t);
      if (t > P) targets[b * sequence + t] = at(t + 1);
    }
  });
  return { shape: [batch, sequence], inputs, targets, periods };
}

/** How many numbers of how many are drawn. */
interface Draw {
  count: number;
  letters: number;
}

/** Numbers below `letters`. */
function any(random: Random, { count, letters }: Draw): number[] {
  return Array.from({ length: count }, () => below(random, letters));
}

/** Different numbers below `letters` (the first steps of Fisher and Yates's shuffle). */
function different(random: Random, { count, letters }: Draw): number[] {
  const all = Array.from({ length: letters }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const other = i + below(random, letters - i);
    [all[i], all[other]] = [all[other], all[i]];
  }
  return all.slice(0, count);
}
