/**
 * Feeds every numeric option of the library's functions with numbers that make no sense, and demands a
 * `VitrailError` or a result: never an error of the runtime, and no result where a number is outside of
 * what the option takes.
 *
 *     deno run -A scripts/sweep_numbers.ts
 *
 * @module
 */
import { openDevice } from "../mod.ts";
import { VitrailError } from "../src/errors.ts";
import { deviceSubjects } from "./sweep_device.ts";
import { hostSubjects } from "./sweep_host.ts";
import { textSubjects } from "./sweep_text.ts";
import type { Subject } from "./sweep_rules.ts";

/** What is tried in the place of each number. */
const TRIED: readonly unknown[] = [
  NaN,
  -1,
  1.5,
  Infinity,
  -Infinity,
  2 ** 32,
  2 ** 53,
  0,
  "3",
  null,
  [],
  undefined,
];

/** More than this is right, and takes too much time or memory to be tried. */
const LARGE = 2 ** 20;

/** A `VitrailError` (`refused`), a result (`done`), or what else was thrown. */
async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    const found = await call();
    if (
      found && typeof found === "object" && Symbol.iterator in found && !ArrayBuffer.isView(found)
    ) {
      for (const _ of found as Iterable<unknown>) break;
    }
    return "done";
  } catch (cause) {
    if (cause instanceof VitrailError) return "refused";
    return cause instanceof Error ? `${cause.name}: ${cause.message.split("\n")[0]}` : `${cause}`;
  }
}

/**
 * Tries every number of every subject.
 *
 * @returns how many calls were made, and what is wrong, a line each
 */
export async function sweep(
  subjects: readonly Subject[],
): Promise<{ calls: number; faults: string[] }> {
  const faults: string[] = [];
  let calls = 0;
  for (const { name, good, takes, required = [], call } of subjects) {
    const usual = await outcomeOf(() => call({ ...good }));
    if (usual !== "done") faults.push(`${name}: ${usual} with what should be right`);
    for (const [option, takesIt] of Object.entries(takes)) {
      for (const value of TRIED) {
        const isRight = value === undefined ? !required.includes(option) : takesIt(value);
        if (isRight && typeof value === "number" && value > LARGE) continue;
        const found = await outcomeOf(() => call({ ...good, [option]: value }));
        calls++;
        const wanted = isRight ? "done" : "refused";
        // What may be left out may also be refused where it is named; and `null` may stand for that.
        const isFree = value === undefined && isRight || value === null;
        if (found === wanted || (isFree && (found === "done" || found === "refused"))) continue;
        const shown = typeof value === "number" ? String(value) : JSON.stringify(value) ?? "absent";
        faults.push(`${name}, ${option} ${shown}: ${found}, wanted ${wanted}`);
      }
    }
  }
  return { calls, faults };
}

if (import.meta.main) {
  const device = await openDevice();
  const { calls, faults } = await sweep([
    ...hostSubjects(),
    ...deviceSubjects(device),
    ...await textSubjects(device),
  ]);
  for (const fault of faults) console.log(`FAIL ${fault}`);
  console.log(`${calls} calls, ${faults.length} faults`);
  device.destroy();
  Deno.exit(faults.length > 0 ? 1 : 0);
}
