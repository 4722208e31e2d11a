/**
 * Tuning: what work will call is found by a rehearsal, what nobody knows yet is measured, and the
 * winners run from then on.
 *
 * @module
 */
import { checkOptions, notNegative } from "../formats/option_rules.ts";
import type { Device } from "../gpu/device.ts";
import type { NotedCall } from "../gpu/variants.ts";
import type { TuningCache, Winner } from "./cache.ts";
import { compare, type Comparison, confirm } from "./compare.ts";

/** How long to measure, and whom to tell. */
export interface TuneOptions {
  /** Where winners are remembered. */
  cache: TuningCache;
  /** Seconds that measuring may take, about: a variant that is being compiled is waited for. */
  seconds?: number;
  /** Measure also what time was up for when it was met before. */
  finish?: boolean;
  /** Measure also what is known. */
  again?: boolean;
  /** Ends early; what was measured by then is confirmed and remembered. */
  signal?: AbortSignal;
  /** Told before each class is measured, and at the end with all of them done. */
  onProgress?: (done: number, total: number, key: string) => void;
  /** Told each class that was measured. */
  onCompared?: (key: string, found: Comparison) => void;
  /** Told of variants that compute something else. */
  onWarning?: (warning: string) => void;
}

/** Seconds of a first start that go into measuring. */
export const USUAL_SECONDS = 5;

/**
 * Runs `rehearsal`, measures the classes of calls that it made and nobody knows, and has the device use
 * the winners for its classes, and the shipped variants for all others: so what a run computes hangs on
 * its rehearsal and on nothing that is measured later.
 *
 * @returns how many classes were measured
 */
export async function tune(
  device: Device,
  rehearsal: () => void | Promise<void>,
  options: TuneOptions,
): Promise<number> {
  const { cache, seconds = USUAL_SECONDS } = options;
  checkOptions("Cannot tune", { seconds }, { seconds: notNegative });
  // Rehearsed as it would be without a tuner: a winner may call other kernels than the shipped variant.
  device.variants.use({});
  const calls = await device.variants.note(rehearsal);
  const open = calls.filter(({ key, call }) => {
    const known = cache.get(key);
    return call.candidates.length > 0 &&
      (options.again || !known || (options.finish && known.ratio === undefined));
  });
  const measured = open.length > 0 ? await measureAll(device, open, options) : 0;
  device.variants.use(winnersOf(calls, cache));
  return measured;
}

/** Has the device use all that is known of it, without measuring anything. */
export function useKnown(device: Device, cache: TuningCache): void {
  device.variants.use(Object.fromEntries(
    [...cache.winners].map(([key, { variant }]) => [key, variant]),
  ));
}

function winnersOf(calls: NotedCall[], cache: TuningCache): Record<string, string> {
  const known = calls.flatMap(({ key }) => {
    const winner = cache.get(key);
    return winner ? [[key, winner.variant]] : [];
  });
  return Object.fromEntries(known);
}

/** Share of the time in which classes are measured; in the rest winners are confirmed. */
const MEASURING = 0.6;

async function measureAll(
  device: Device,
  calls: NotedCall[],
  { cache, seconds = USUAL_SECONDS, signal, onProgress, onCompared, onWarning }: TuneOptions,
): Promise<number> {
  const deadline = performance.now() + 1000 * MEASURING * seconds;
  const winners: Record<string, Winner> = {};
  const measured: [NotedCall, Comparison][] = [];
  for (const noted of calls) {
    // What was not measured is not remembered: the next start measures it.
    if (signal?.aborted) break;
    const { key, shipped } = noted;
    if (performance.now() > deadline) {
      // Kept as what it is: the next start shall not take its time as well.
      winners[key] = cache.get(key) ?? { variant: shipped };
      continue;
    }
    onProgress?.(measured.length, calls.length, key);
    const found = await compare(device, noted, { deadline });
    for (const [variant, off] of Object.entries(found.wrong)) {
      onWarning?.(
        `variant ${variant} of ${key} is wrong on this adapter (by ${off.toPrecision(2)} of its ` +
          "largest number) and is not used",
      );
    }
    measured.push([noted, found]);
  }
  // At the end, when whatever disturbed the machine while a class was compared may have passed.
  for (const [noted, compared] of measured) {
    const found = await confirm(device, noted, compared);
    winners[noted.key] = { variant: found.winner, ratio: found.ratio };
    onCompared?.(noted.key, found);
  }
  onProgress?.(calls.length, calls.length, "");
  cache.add(winners);
  return measured.length;
}
