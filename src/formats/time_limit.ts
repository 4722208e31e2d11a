/** Work that must end: a file may hold a pattern that never does. @module */

/** What Node's `vm` is asked for. */
interface Vm {
  createContext(object: object): object;
  Script: new (source: string) => {
    runInContext(context: object, options: { timeout: number }): unknown;
  };
}

interface Runner {
  script: InstanceType<Vm["Script"]>;
  context: { work?: () => unknown };
}

/** Milliseconds that a timer can count. */
const LONGEST = 2 ** 31 - 1;

let runner: Runner | undefined;

/** The one way to interrupt JavaScript that runs, a regular expression included; browsers have none. */
function findRunner(): Runner | undefined {
  if (runner) return runner;
  const process = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } })
    .process;
  const vm = process?.getBuiltinModule?.("node:vm") as Vm | undefined;
  if (!vm) return undefined;
  const context = {};
  return runner = { script: new vm.Script("work()"), context: vm.createContext(context) };
}

/**
 * Calls `work`, and ends it if it takes longer than it may. What it was about to do is then half done:
 * it must leave nothing behind that is used again. A call costs some 15 µs. In a browser nothing ends it.
 *
 * @param options.seconds how long it may take
 * @param options.fault makes the error if it takes longer
 * @returns what `work` returns
 *
 * @example
 * ```ts
 * import { withinTime } from "./time_limit.ts";
 *
 * const search = () => /^(a+)+$/.test("a".repeat(40) + "b");
 * try {
 *   withinTime(search, { seconds: 0.1, fault: () => new Error("it backtracks without end") });
 * } catch (error) {
 *   console.log((error as Error).message); // it backtracks without end
 * }
 * ```
 */
export function withinTime<T>(
  work: () => T,
  options: { seconds: number; fault: () => Error },
): T {
  const found = findRunner();
  if (!found) return work();
  const { script, context } = found;
  const outer = context.work;
  context.work = work;
  try {
    const timeout = Math.min(Math.ceil(1000 * options.seconds), LONGEST);
    return script.runInContext(context, { timeout }) as T;
  } catch (error) {
    const { code } = (error ?? {}) as { code?: string };
    throw code === "ERR_SCRIPT_EXECUTION_TIMEOUT" ? options.fault() : error;
  } finally {
    context.work = outer;
  }
}
