/**
 * Runs a task on every library: results checked, then rounds that take turns, so that a slow moment of
 * the machine hits everybody.
 *
 * @module
 */
import { median } from "../harness.ts";
import type { WorkCounter } from "./count_work.ts";
import { difference } from "./results.ts";
import type { Peer, Problem, Session, Task } from "./task.ts";

/** What one library did with one problem. */
export interface Outcome {
  /** Its name and version, and the way it chose. */
  name: string;
  /** Milliseconds of a call: median, and the shortest and longest of the rounds. */
  milliseconds: { median: number; shortest: number; longest: number };
  /** Dispatches of a call. */
  dispatches: number;
  /** Waits for the device in a round. */
  waits: number;
  /** Largest difference to our results, or to exact ones, as a fraction of the largest number. */
  difference: number;
}

/** One problem on all libraries. */
export interface Comparison {
  /** Name of the task. */
  task: string;
  /** Sizes in words. */
  label: string;
  /** What a call is. */
  call: string;
  /** Calls in a round. */
  calls: number;
  /** Rounds done. */
  rounds: number;
  /** When, in ISO 8601. */
  date: string;
  /** Operations of a call. */
  flops?: number;
  /** Ourselves first. */
  outcomes: Outcome[];
  /** Libraries that do not run here, and why. */
  failures: { name: string; reason: string }[];
  /** Time of the best peer over ours; absent without peers. */
  ratio?: number;
  /** What we mean it to be. */
  aim?: number;
  /** Whether every result is right. */
  equal: boolean;
}

interface Contender {
  name: string;
  session: Session;
  difference: number;
  dispatches: number;
  waits: number;
  times: number[];
}

/**
 * Runs one problem; `only` leaves out the peers whose name does not hold it. There are fewer rounds
 * than wanted where they would take longer than `seconds`, and at least one.
 */
export async function compare<P>(
  task: Task<P>,
  problem: Problem<P>,
  options: { counter: WorkCounter; only: string; seconds: number; rounds?: number },
): Promise<Comparison> {
  const { counter, only, seconds, rounds = task.rounds } = options;
  const { label, calls, flops } = problem;
  const [ours, ...others] = task.peers;
  const failures: Comparison["failures"] = [];
  const contenders: Contender[] = [];
  for (const peer of [ours, ...others.filter(({ name }) => name.includes(only))]) {
    try {
      contenders.push(await enter(peer, problem));
    } catch (cause) {
      // Ours is what the others are compared with, and must run.
      if (peer === ours) throw cause;
      failures.push({ name: peer.name, reason: (cause as Error).message });
    }
  }
  const started = performance.now();
  let round = 0;
  // Another round is begun only if there is time for one as long as those before it.
  const fits = (): boolean => {
    const spent = (performance.now() - started) / 1000;
    return round === 0 || spent * (1 + 1 / round) <= seconds;
  };
  for (; round < rounds && fits(); round++) {
    let expected: ArrayLike<number> | undefined;
    for (const contender of contenders) {
      counter.reset();
      const begun = performance.now();
      const result = await contender.session.run(calls);
      contender.times.push((performance.now() - begun) / calls);
      contender.dispatches = counter.work.dispatches / calls;
      contender.waits = counter.work.waits;
      expected ??= result;
      contender.difference = Math.max(contender.difference, difference(expected, result));
    }
  }
  contenders.forEach(({ session }) => session.dispose());
  const outcomes = contenders.map(({ name, times, dispatches, waits, difference }): Outcome => ({
    name,
    milliseconds: {
      median: median(times),
      shortest: Math.min(...times),
      longest: Math.max(...times),
    },
    dispatches,
    waits,
    difference,
  }));
  const [mine, ...theirs] = outcomes.map(({ milliseconds }) => milliseconds.median);
  return {
    task: task.name,
    label,
    call: task.call,
    calls,
    rounds: round,
    date: new Date().toISOString(),
    flops,
    outcomes,
    failures,
    ratio: theirs.length > 0 ? Math.min(...theirs) / mine : undefined,
    aim: task.aim,
    equal: outcomes.every(({ difference }) => difference <= task.tolerance),
  };
}

/** Opens a library's session, and has it do the work once: what it compiles is compiled then. */
async function enter<P>(peer: Peer<P>, problem: Problem<P>): Promise<Contender> {
  const session = await peer.open(problem.data);
  const result = await session.run(problem.warmUp ?? 1);
  const difference = problem.differenceToExact?.(result) ?? 0;
  const name = session.way ? `${peer.name} (${session.way})` : peer.name;
  return { name, session, difference, dispatches: 0, waits: 0, times: [] };
}
