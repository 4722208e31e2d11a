/**
 * Comparing the variants of one call: each is checked against the shipped one, and those that are right
 * take turns on the same operands, so that whatever else the machine does falls on all of them alike.
 *
 * @module
 */
import { randomOf } from "../data/random.ts";
import type { Device } from "../gpu/device.ts";
import { attachProfiler } from "../gpu/profiler.ts";
import type { Scope } from "../gpu/scope.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { NotedCall, Trial, Tunable } from "../gpu/variants.ts";

/** What was found of one call. */
export interface Comparison {
  /** The variant to run from now on. */
  winner: string;
  /** Its time as a share of the shipped one's. */
  ratio: number;
  /** Milliseconds that each variant that was timed takes where nothing disturbs it. */
  milliseconds: Record<string, number>;
  /** Variants that computed something else, by how much: the largest difference over the largest number. */
  wrong: Record<string, number>;
}

/** When to stop. */
export interface CompareOptions {
  /** A time of `performance.now()` after which nothing more is begun. */
  deadline?: number;
}

/** Largest difference from the shipped variant, as a share of its largest number, unless a call says else. */
const TOLERANCE = 1e-5;
/** A first look; what takes this much longer than the shipped variant is not looked at again. */
const FIRST_LOOK = { rounds: 5, worst: 1.3 };
/** The second look: so many rounds, more where they are short, and fewer where they are long. */
const SECOND_LOOK = { fewest: 24, most: 200, milliseconds: 300, longest: 2000, least: 5 };
/** A winner takes this much of the shipped variant's time at most, and again when it is confirmed. */
const CLEARLY = 0.94;

/**
 * Compares the variants of a call; where none is clearly better, the shipped one wins. What wins is to be
 * confirmed.
 */
export async function compare(
  device: Device,
  { shipped, call }: NotedCall,
  { deadline = Infinity }: CompareOptions = {},
): Promise<Comparison> {
  await device.finish();
  device.pool.trim();
  using operands = device.detachedScope();
  const trial = prepare(device, call, operands);
  const expected = await resultsOf(device, trial, shipped);
  const wrong: Record<string, number> = {};
  const right: string[] = [];
  for (const variant of call.candidates) {
    // The first run compiles, which may take as long as all that follows.
    if (performance.now() > deadline) break;
    const off = difference(await resultsOf(device, trial, variant), expected);
    if (off <= (call.tolerance ?? TOLERANCE)) right.push(variant);
    else wrong[variant] = off;
  }
  const first = await takeTurns(device, trial, [shipped, ...right], FIRST_LOOK.rounds);
  const good = right.filter((v) =>
    Math.min(...first[v]) < FIRST_LOOK.worst * Math.min(...first[shipped])
  );
  const rounds = roundsOf([shipped, ...good].reduce((sum, v) => sum + typical(first[v]), 0));
  const second = good.length > 0
    ? await takeTurns(device, trial, [shipped, ...good], rounds)
    : first;
  let [winner, best] = [shipped, 1];
  for (const variant of good) {
    const ratio = ratioOf(second[variant], second[shipped]);
    if (ratio <= CLEARLY && ratio < best) [winner, best] = [variant, ratio];
  }
  const times = Object.entries({ ...first, ...second });
  return {
    winner,
    ratio: best,
    milliseconds: Object.fromEntries(times.map(([variant, ms]) => [variant, typical(ms)])),
    wrong,
  };
}

/**
 * The winner of a comparison, asked again on operands of its own: the best of several is often one that
 * was lucky, and what else the machine does may last for seconds.
 */
export async function confirm(
  device: Device,
  { shipped, call }: NotedCall,
  found: Comparison,
): Promise<Comparison> {
  const { winner } = found;
  if (winner === shipped) return found;
  await device.finish();
  device.pool.trim();
  using operands = device.detachedScope();
  const trial = prepare(device, call, operands);
  const rounds = roundsOf(found.milliseconds[shipped] + found.milliseconds[winner]);
  const times = await takeTurns(device, trial, [shipped, winner], rounds);
  const ratio = Math.max(found.ratio, ratioOf(times[winner], times[shipped]));
  return ratio <= CLEARLY ? { ...found, ratio } : { ...found, winner: shipped, ratio: 1 };
}

/** Rounds of a second look that take `milliseconds` each. */
function roundsOf(milliseconds: number): number {
  const { fewest, most, milliseconds: all, longest, least } = SECOND_LOOK;
  const wanted = Math.max(fewest, Math.min(most, all / milliseconds));
  return Math.round(Math.max(least, Math.min(wanted, longest / milliseconds)));
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

/** The quarter of a list that is below the rest: what else the machine does only ever adds to a time. */
export function typical(milliseconds: readonly number[]): number {
  return milliseconds.toSorted((a, b) => a - b)[milliseconds.length >> 2];
}

/**
 * The time of one variant as a share of another's, by what is typical of either and by the median over
 * the rounds: the larger of the two, so that neither a lucky round nor a disturbed one decides.
 */
export function ratioOf(times: readonly number[], shipped: readonly number[]): number {
  const ratios = times.map((ms, round) => ms / shipped[round]).toSorted((a, b) => a - b);
  return Math.max(typical(times) / typical(shipped), ratios[ratios.length >> 1]);
}

/** Operands of a call, the same at each time; they, and what runs make, belong to `operands`. */
function prepare(device: Device, call: Tunable, operands: Scope): Trial {
  const random = randomOf(1);
  const { outputs, run } = operands.run(() =>
    call.prepare(device, (shape) => randomTensor(device, shape, random))
  );
  return { outputs, run: (variant) => operands.run(() => run(variant)) };
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
