/**
 * Runs the test suite and closes with the plain count `N passed, N failed, N skipped`.
 *
 * @module
 */

/** How many tests passed, failed and were skipped. */
export interface TestCount {
  /** Tests that passed. */
  passed: number;
  /** Tests that failed. */
  failed: number;
  /** Tests that were ignored. */
  skipped: number;
}

const COLOURS = new RegExp(String.fromCharCode(27) + "\\[[0-9;]*m", "g");

/** Text without the escape sequences that colour it. */
export function withoutColours(text: string): string {
  return text.replace(COLOURS, "");
}

/** Reads one line of output: the count if it is `deno test`'s summary, else nothing. */
export function parseSummary(line: string): TestCount | undefined {
  const text = withoutColours(line).trim();
  if (!/^(ok|FAILED) \| \d+ passed\b/.test(text)) return undefined;
  const number = (word: string) =>
    Number(text.match(new RegExp(`\\| (\\d+) ${word}\\b`))?.[1] ?? 0);
  return { passed: number("passed"), failed: number("failed"), skipped: number("ignored") };
}

/**
 * Whether a process died of a signal behind a summary in which nothing failed. A software driver may abort
 * when the process takes it down, after all tests have had their say: seen once in some hundred runs of
 * llvmpipe. A signal before the summary is a failure.
 */
export function crashedAtExit(
  { signal }: { signal: Deno.Signal | null },
  count: TestCount | undefined,
): boolean {
  return signal !== null && signal !== "SIGINT" && signal !== "SIGTERM" &&
    count !== undefined && count.passed > 0 && count.failed === 0;
}

/** The plain closing line. */
export function formatCount({ passed, failed, skipped }: TestCount): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** Tests that start processes, each of which loads all of Vitrail anew and leaves a core idle. */
const IN_PROCESSES = ["tests/cli/", "tests/launcher_test.ts"];

/**
 * The arguments of `deno test`, for one process or for two side by side: what the suite may touch, and what
 * it consists of.
 *
 * Tests read the checkout and the packages they import, and start `sh` and Deno for the launcher
 * and the command line. Writing is not bound to a folder, because Deno then makes no symbolic
 * links, and how those are treated is tested. Running is not bound to names either: with a list of
 * them Deno starts nothing at all where LD_LIBRARY_PATH, LD_PRELOAD or a DYLD_ variable is set, as on
 * every machine with CUDA or conda, and a list that has `sh` on it bounds nothing. `uid` tells whether
 * file modes mean anything.
 *
 * @param chosen arguments of the user: files and options of `deno test`
 * @param exists whether the checkout has a path
 */
export function testArguments(
  chosen: readonly string[],
  exists: (path: string) => boolean,
): string[][] {
  const common = [
    "test",
    "--no-prompt",
    "--doc",
    "--allow-read",
    "--allow-write",
    "--allow-run",
    "--allow-sys=uid",
    "--allow-env=NO_COLOR,FORCE_COLOR,CLICOLOR_FORCE,VK_DRIVER_FILES,VK_ICD_FILENAMES",
  ];
  if (chosen.some((argument) => !argument.startsWith("-"))) return [[...common, ...chosen]];
  const everything = ["tests/", "src/", "docs/", "mod.ts", "README.md"].filter(exists);
  const apart = IN_PROCESSES.filter(exists);
  return [
    [...common, ...chosen, `--ignore=${apart.join(",")}`, ...everything],
    [...common, ...chosen, ...apart],
  ];
}

/** How one process of `deno test` ended. */
interface Ended {
  count: TestCount | undefined;
  status: Deno.CommandStatus;
}

/** Runs one process, whose lines go to `show` as they come. */
async function run(args: string[], show: (line: string) => void): Promise<Ended> {
  const child = new Deno.Command("deno", { args, stdout: "piped" }).spawn();
  let count: TestCount | undefined;
  const read = (line: string) => {
    // The last summary is the runner's own; an earlier one is the output of a test.
    count = parseSummary(line) ?? count;
    show(line);
  };
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    lines.forEach(read);
  }
  if (rest) read(rest);
  return { count, status: await child.status };
}

/** Tests that passed, failed and were skipped in several processes. */
export function sumCounts(counts: readonly (TestCount | undefined)[]): TestCount {
  const sum = (key: keyof TestCount) => counts.reduce((all, count) => all + (count?.[key] ?? 0), 0);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
}

async function main(): Promise<void> {
  const exists = (path: string) => {
    try {
      return Boolean(Deno.statSync(path));
    } catch {
      return false;
    }
  };
  const colours = Deno.stdout.isTerminal();
  const show = (line: string) => console.log(colours ? line : withoutColours(line));
  const [args, apart] = testArguments(Deno.args, exists);
  // The lines of the second wait until the first is through: nobody can read two at once.
  let waiting: string[] | undefined = [];
  const both = [
    run(args, show),
    ...apart ? [run(apart, (line) => waiting ? waiting.push(line) : show(line))] : [],
  ];
  await both[0];
  waiting.forEach(show);
  waiting = undefined;
  let code = 0;
  const counts = (await Promise.all(both)).map(({ count, status }) => {
    const clean = crashedAtExit(status, count);
    if (clean) {
      console.error(`Deno ended by ${status.signal} behind the last test, when drivers clean up`);
    } else {
      code ||= status.code;
    }
    return count;
  });
  console.log(formatCount(sumCounts(counts)));
  Deno.exit(code);
}

if (import.meta.main) await main();
