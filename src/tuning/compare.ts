/**
 * Comparing the variants of one call: each is checked against the shipped one, and those that are right
 * take turns on the same operands, so that whatever else the machine does falls on all of them alike.
 *
 * @module
 */
import { randomOf } from "../data/random.ts";
import type { Device } from "../gpu/device.ts";
import { attachProfiler } from "../gpu/profiler.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { NotedCall, Trial } from "../gpu/variants.ts";

/** What was found of one call. */
export interface Comparison {
  /** The variant to run from now on. */
  winner: string;
  /** Its time as a share of the shipped one's. */
  ratio: number;
  /** Milliseconds of each variant that was timed: medians. */
  milliseconds: Record<string, number>;
  /** Variants that computed something else, by how much: the largest difference over the largest number. */
  wrong: Record<string, number>;
}

/** When to stop. */
export interface CompareOptions {
  /** A time of `performance.now()` after which nothing more is begun. */
  deadline?: number;
}

/** Largest difference from the shipped variant, as a share of its largest number. */
const TOLERANCE = 1e-5;
/** A first look; what takes this much longer than the shipped variant is not looked at again. */
const FIRST_LOOK = { rounds: 5, worst: 1.2 };
/** The second look: so many rounds, more where they are short. */
const SECOND_LOOK = { fewest: 12, most: 60, milliseconds: 200 };
/** A winner takes this much of the shipped variant's time at most, and is faster in so many rounds. */
const CLEARLY = { ratio: 0.95, rounds: 0.8 };

/** Compares the variants of a call; where none is clearly better, the shipped one wins. */
export async function compare(
  device: Device,
  { shipped, call }: NotedCall,
  { deadline = Infinity }: CompareOptions = {},
): Promise<Comparison> {
  await device.finish();
  device.pool.trim();
  using _operands = device.scope();
  const random = randomOf(1);
  const trial = call.prepare(device, (shape) => randomTensor(device, shape, random));
  const expected = await resultsOf(device, trial, shipped);
  const wrong: Record<string, number> = {};
  const right: string[] = [];
  for (const variant of call.candidates) {
    // The first run compiles, which may take as long as all that follows.
    if (performance.now() > deadline) break;
    const off = difference(await resultsOf(device, trial, variant), expected);
    if (off <= TOLERANCE) right.push(variant);
    else wrong[variant] = off;
  }
  const first = await takeTurns(device, trial, [shipped, ...right], FIRST_LOOK.rounds);
  const good = right.filter((v) => median(ratios(first, v, shipped)) < FIRST_LOOK.worst);
  const { fewest, most, milliseconds } = SECOND_LOOK;
  const round = [shipped, ...good].reduce((sum, v) => sum + median(first[v]), 0);
  const rounds = Math.max(fewest, Math.min(most, Math.round(milliseconds / round)));
  const second = good.length > 0
    ? await takeTurns(device, trial, [shipped, ...good], rounds)
    : first;
  let [winner, best] = [shipped, 1];
  for (const variant of good) {
    const found = ratios(second, variant, shipped);
    const often = found.filter((ratio) => ratio < 1).length / found.length;
    const ratio = median(found);
    if (ratio <= CLEARLY.ratio && often >= CLEARLY.rounds && ratio < best) {
      [winner, best] = [variant, ratio];
    }
  }
  const times = Object.entries({ ...first, ...second });
  return {
    winner,
    ratio: best,
    milliseconds: Object.fromEntries(times.map(([variant, ms]) => [variant, median(ms)])),
    wrong,
  };
}

/**
 * Milliseconds of each variant in each of so many rounds, in which every one has its turn. By the
 * adapter's timestamps, all that a call records counts, copies included; without timestamps each turn is
 * waited for, with the same cost for all.
 */
export async function takeTurns(
  device: Device,
  trial: Trial,
  variants: readonly string[],
  rounds: number,
): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = Object.fromEntries(variants.map((v) => [v, []]));
  // Each begins as many rounds as the others.
  const turns = Array.from(
    { length: rounds },
    (_, round) => variants.map((_, i) => variants[(i + round) % variants.length]),
  ).flat();
  const profiler = attachProfiler(device);
  try {
    if (!profiler.timed) {
      profiler.detach();
      for (const variant of turns) {
        const begun = performance.now();
        trial.run(variant);
        await device.finish();
        times[variant].push(performance.now() - begun);
      }
      return times;
    }
    turns.forEach((variant, turn) => profiler.span(`${turn}`, () => trial.run(variant)));
    const took = turns.map(() => 0);
    for (const { span, milliseconds } of (await profiler.read()).events) {
      took[Number(span)] += milliseconds!;
    }
    turns.forEach((variant, turn) => times[variant].push(took[turn]));
    return times;
  } finally {
    if (profiler.timed) profiler.detach();
  }
}

/** Of each round, the time of `variant` as a share of that of `shipped`. */
export function ratios(
  times: Record<string, number[]>,
  variant: string,
  shipped: string,
): number[] {
  return times[variant].map((ms, round) => ms / times[shipped][round]);
}

/** The middle one, or the larger of the two in the middle. */
export function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[figures.length >> 1];
}

async function resultsOf(device: Device, trial: Trial, variant: string): Promise<Float32Array[]> {
  for (const { buffer } of trial.outputs) device.commands.clear(buffer);
  trial.run(variant);
  return await device.read(...trial.outputs) as Float32Array[];
}

function difference(found: Float32Array[], expected: Float32Array[]): number {
  let worst = 0;
  expected.forEach((numbers, output) => {
    let [largest, off] = [0, 0];
    numbers.forEach((x, i) => {
      largest = Math.max(largest, Math.abs(x));
      const difference = Math.abs(found[output][i] - x);
      // NaN is no number that could be near another.
      off = difference <= off ? off : Number.isNaN(difference) ? Infinity : difference;
    });
    if (off > 0) worst = Math.max(worst, off / largest);
  });
  return worst;
}

function randomTensor(device: Device, shape: readonly number[], random: () => number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return device.upload(Float32Array.from({ length: size }, () => random() - 0.5), shape);
}
