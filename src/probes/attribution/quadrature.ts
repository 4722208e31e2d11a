/**
 * Integrals from 0 to 1 as weighted sums.
 *
 * @module
 */
import { checkOptions, whole } from "../../formats/option_rules.ts";

/** How points are chosen. */
export type Quadrature = "midpoint" | "gauss-legendre";

/** Points in (0, 1) and their weights, which sum to 1. */
export interface Points {
  /** Where to look. */
  points: number[];
  /** How much each look counts. */
  weights: number[];
}

/** More points would take longer to find than to look at. */
const MOST_STEPS = 2 ** 16;

/**
 * The points of a rule: the middles of `count` equal parts (a Riemann sum), or those of Gauss and Legendre,
 * exact for polynomials of degree 2·count − 1 (Press et al., Numerical Recipes, section 4.6).
 *
 * @throws {VitrailError} unless `count` is a whole number from 1 to 65,536
 */
export function quadrature(rule: Quadrature, count: number): Points {
  checkOptions("Cannot integrate", { steps: count }, { steps: whole(1, MOST_STEPS) });
  const each = Array.from({ length: count }, (_, k) => k);
  if (rule === "midpoint") {
    return { points: each.map((k) => (k + 0.5) / count), weights: each.map(() => 1 / count) };
  }
  const found = each.map((k) => legendreRoot(count, k));
  return {
    // From [-1, 1] to [0, 1].
    points: found.map(({ x }) => (1 - x) / 2),
    weights: found.map(({ x, slope }) => 1 / ((1 - x * x) * slope * slope)),
  };
}

/** The k-th root of the Legendre polynomial of degree n, the highest first, by Newton's method. */
function legendreRoot(n: number, k: number): { x: number; slope: number } {
  let x = Math.cos(Math.PI * (k + 0.75) / (n + 0.5));
  for (let round = 0;; round++) {
    let [p, before] = [x, 1]; // P₁, P₀
    // (j + 1)·P_{j+1} = (2j + 1)·x·P_j − j·P_{j−1}
    for (let j = 1; j < n; j++) {
      [p, before] = [((2 * j + 1) * x * p - j * before) / (j + 1), p];
    }
    const slope = n * (x * p - before) / (x * x - 1);
    const step = p / slope;
    x -= step;
    if (Math.abs(step) < 1e-15 || round === 100) return { x, slope };
  }
}
