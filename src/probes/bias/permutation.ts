/**
 * Whether two groups of numbers differ: an effect size, and how often chance does as well.
 *
 * @module
 */
import { below, randomOf } from "../../data/random.ts";
import { VitrailError } from "../../errors.ts";
import { checkOptions, count, seedRule } from "../../formats/option_rules.ts";

/** How chance is asked. */
export interface PermutationOptions {
  /** Ways to divide the numbers up to which all are tried; beyond, as many are drawn. Default 100,000. */
  most?: number;
  /** Decides which are drawn. */
  seed?: number;
}

/** What chance does. */
export interface PermutationResult {
  /** The part of all ways in which the difference is at least as large as it is. One-sided. */
  p: number;
  /** Ways that were tried. */
  permutations: number;
  /** Whether these are all there are. */
  exact: boolean;
}

/**
 * (mean(x) - mean(y))/s, with s the sample standard deviation of both together (n - 1), as Caliskan et
 * al. 2017 (arXiv:1608.07187) measure an association. At most 2 or so: it is a share of the spread.
 *
 * @throws {VitrailError} if a group is empty
 */
export function effectSize(x: readonly number[], y: readonly number[]): number {
  checkGroups(x, y);
  const all = [...x, ...y];
  const middle = mean(all);
  const squares = all.reduce((sum, v) => sum + (v - middle) ** 2, 0);
  return (mean(x) - mean(y)) / Math.sqrt(squares / (all.length - 1));
}

/**
 * The permutation test of Caliskan et al. 2017: in what part of the ways to divide the numbers into
 * groups of these sizes is mean(x) - mean(y) as large as it is, or larger. The way they are divided
 * counts among them, so that p is never zero; drawn ways have it added (Phipson and Smyth 2010).
 *
 * @throws {VitrailError} if a group is empty
 */
export function permutationTest(
  x: readonly number[],
  y: readonly number[],
  options: PermutationOptions = {},
): PermutationResult {
  checkGroups(x, y);
  const { most, seed } = permutations(options);
  const all = [...x, ...y];
  // With the total fixed, the difference of the means grows with the sum of the first group.
  const observed = x.reduce((sum, v) => sum + v, 0) - rounding(all);
  if (choose(all.length, x.length) <= most) {
    const { found, tried } = everySum(all, x.length, observed);
    return { p: found / tried, permutations: tried, exact: true };
  }
  const random = randomOf(seed, all.length, x.length);
  let found = 1;
  for (let n = 0; n < most; n++) {
    let sum = 0;
    for (let i = 0; i < x.length; i++) {
      const other = i + below(random, all.length - i);
      [all[i], all[other]] = [all[other], all[i]];
      sum += all[i];
    }
    if (sum >= observed) found++;
  }
  return { p: found / (most + 1), permutations: most, exact: false };
}

function permutations({ most = 100_000, seed = 0 }: PermutationOptions) {
  checkOptions("Cannot test a difference", { most, seed }, { most: count, seed: seedRule });
  return { most, seed };
}

/**
 * The same for pairs: in what part of the ways to swap the two of a pair is the mean difference as large
 * as it is, or larger.
 *
 * @throws {VitrailError} if there is no difference
 */
export function signFlipTest(
  differences: readonly number[],
  options: PermutationOptions = {},
): PermutationResult {
  checkGroups(differences, differences);
  const { most, seed } = permutations(options);
  const sizes = differences.map(Math.abs);
  const observed = differences.reduce((sum, v) => sum + v, 0) - rounding(sizes);
  const exact = 2 ** sizes.length <= most;
  const random = randomOf(seed, sizes.length);
  const tries = exact ? 2 ** sizes.length : most;
  let found = exact ? 0 : 1;
  for (let n = 0; n < tries; n++) {
    const sum = sizes.reduce((total, size, i) => {
      const positive = exact ? n >> i & 1 : random() < 0.5;
      return total + (positive ? size : -size);
    }, 0);
    if (sum >= observed) found++;
  }
  return { p: found / (exact ? tries : tries + 1), permutations: tries, exact };
}

function checkGroups(x: readonly number[], y: readonly number[]): void {
  if (x.length > 0 && y.length > 0) return;
  throw new VitrailError(
    `Cannot compare groups of ${x.length} and ${y.length} numbers: wanted one in each at least`,
  );
}

/** The mean of some numbers. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

/** What sums of the same numbers in another order may differ by. */
const rounding = (values: readonly number[]): number =>
  1e-12 * values.reduce((sum, v) => sum + Math.abs(v), 0);

/** Ways to choose k of n. */
function choose(n: number, k: number): number {
  let ways = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) ways = ways * (n - i + 1) / i;
  return Math.round(ways);
}

/** How many sums of `count` of the numbers reach `least`, of how many. */
function everySum(
  all: readonly number[],
  count: number,
  least: number,
): { found: number; tried: number } {
  let [found, tried] = [0, 0];
  const walk = (from: number, left: number, sum: number): void => {
    if (left === 0) {
      tried++;
      if (sum >= least) found++;
      return;
    }
    for (let i = from; i <= all.length - left; i++) walk(i + 1, left - 1, sum + all[i]);
  };
  walk(0, count, 0);
  return { found, tried };
}
