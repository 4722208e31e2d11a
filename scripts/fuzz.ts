/**
 * Damages files of every kind that Vitrail reads, and tells what was not refused in plain words.
 *
 *     deno run -A scripts/fuzz.ts --count 20000 --seed 1 --keep /tmp/accepted
 *
 * Each attempt changes one file of one reader's directory and reads it. Reported are hangs (10 s), errors that
 * are no VitrailError, complaints (what a reader accepted contradicts itself, or a message that a terminal would
 * obey), and memory above three times the file and 100 MB for the runtime. `--only TEXT` keeps readers with
 * TEXT in their names; `--first N` begins at attempt N.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { readers } from "./fuzz/readers.ts";
import { type Attempt, attempt } from "./fuzz/run.ts";

const HANG = 10_000;
/** Bytes that a process may take beyond three times the file: the runtime, and garbage not yet collected. */
const SPARE = 100e6;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    first: { type: "string", default: "0" },
    only: { type: "string", default: "" },
    keep: { type: "string" },
    child: { type: "boolean", default: false },
    show: { type: "string", default: "20" },
  },
});
const seed = Number(values.seed);
const [first, count] = [Number(values.first), Number(values.count)];

/** What a child says: an attempt that begins, or how it ended with the memory it took. */
type Line = Attempt & { grown?: number };

/** Resident memory now, and the most since the last call. */
function peak(): { now: number; most: number } {
  const status = Deno.readTextFileSync("/proc/self/status");
  const bytes = (name: string) => 1024 * Number(status.match(new RegExp(`${name}:\\s+(\\d+)`))![1]);
  Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  return { now: bytes("VmRSS"), most: bytes("VmHWM") };
}

async function child(): Promise<void> {
  const all = (await readers()).filter(({ name }) => name.includes(values.only));
  const say = (line: object) => console.log(JSON.stringify(line));
  for (let number = first; number < count; number++) {
    const before = peak();
    const done = await attempt(all, { seed, number, keep: values.keep, onBegin: say });
    say({ ...done, grown: peak().most - before.now });
  }
}

async function parent(): Promise<void> {
  const tally = new Map<string, Map<string, number>>();
  const faults: Line[] = [];
  let slowest = 0;
  let largest = 0;
  const tell = (line: Line): void => {
    const counts = tally.get(line.reader) ?? new Map();
    tally.set(line.reader, counts);
    const { grown = 0 } = line;
    const over = grown > 3 * line.size + SPARE;
    const verdict = over ? "memory" : line.verdict;
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
    slowest = Math.max(slowest, line.milliseconds);
    largest = Math.max(largest, grown);
    if (["refused", "accepted"].includes(verdict)) return;
    faults.push(line);
    if (faults.length > Number(values.show)) return;
    const what = `#${line.number} ${line.reader}: ${line.file}, ${line.what}`;
    console.log(`${verdict} ${what.slice(0, 160)} ${over ? `${(grown / 1e6).toFixed(0)} MB` : ""}`);
    console.log(`    ${line.message.split("\n").slice(0, 4).join("\n    ").slice(0, 700)}`);
  };
  for (let next = first; next < count;) {
    const args = ["run", "-A", "--no-check", import.meta.filename!, "--child", `--seed=${seed}`];
    args.push(`--first=${next}`, `--count=${count}`, `--only=${values.only}`);
    if (values.keep) args.push(`--keep=${values.keep}`);
    const process = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
    let begun: Line | undefined;
    let hung = false;
    let timer = setTimeout(() => {}, 0);
    let rest = "";
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const said: Line = JSON.parse(line);
        clearTimeout(timer);
        if (said.verdict === undefined) {
          begun = said;
          timer = setTimeout(() => {
            hung = true;
            process.kill("SIGKILL");
          }, HANG);
        } else {
          begun = undefined;
          next = said.number + 1;
          tell(said);
        }
      }
    }
    clearTimeout(timer);
    const { code } = await process.status;
    if (begun) {
      const message = hung ? `hung for ${HANG / 1000} s` : `the process ended with code ${code}`;
      tell({ ...begun, verdict: "uncaught", message, milliseconds: hung ? HANG : 0 });
      next = begun.number + 1;
    } else if (next < count && code !== 0) {
      throw new Error(`the child failed with code ${code} before it began`);
    }
  }
  const verdicts = ["refused", "accepted", "complaint", "uncaught", "memory"];
  const sums = new Map<string, number>();
  console.log(`\n${"reader".padEnd(32)}${verdicts.map((v) => v.padStart(11)).join("")}`);
  for (const [name, counts] of tally) {
    for (const v of verdicts) sums.set(v, (sums.get(v) ?? 0) + (counts.get(v) ?? 0));
    console.log(
      name.padEnd(32) + verdicts.map((v) => String(counts.get(v) ?? 0).padStart(11)).join(""),
    );
  }
  console.log(
    "all".padEnd(32) + verdicts.map((v) => String(sums.get(v) ?? 0).padStart(11)).join(""),
  );
  console.log(`slowest ${slowest.toFixed(0)} ms, largest growth ${(largest / 1e6).toFixed(0)} MB`);
  Deno.exit(faults.length > 0 ? 1 : 0);
}

await (values.child ? child() : parent());
