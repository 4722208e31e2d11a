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

/**
 * The arguments of `deno test`: what the suite may touch, and what it consists of.
 *
 * Tests read the checkout and the packages they import, and start `sh` and Deno for the launcher
 * and the command line. Writing is not bound to a folder, because Deno then makes no symbolic
 * links, and how those are treated is tested. `uid` tells whether file modes mean anything.
 *
 * @param chosen arguments of the user: files and options of `deno test`
 * @param exists whether the checkout has a path
 */
export function testArguments(
  chosen: readonly string[],
  exists: (path: string) => boolean,
): string[] {
  const everything = ["tests/", "src/", "docs/", "mod.ts", "README.md"].filter(exists);
  return [
    "test",
    "--no-prompt",
    "--doc",
    "--allow-read",
    "--allow-write",
    "--allow-run=sh",
    "--allow-run=deno",
    `--allow-run=${Deno.execPath()}`,
    "--allow-sys=uid",
    "--allow-env=NO_COLOR,FORCE_COLOR,CLICOLOR_FORCE,VK_DRIVER_FILES,VK_ICD_FILENAMES",
    ...(chosen.some((argument) => !argument.startsWith("-")) ? [] : everything),
    ...chosen,
  ];
}

async function main(): Promise<void> {
  const exists = (path: string) => {
    try {
      return Boolean(Deno.statSync(path));
    } catch {
      return false;
    }
  };
  const args = testArguments(Deno.args, exists);
  const child = new Deno.Command("deno", { args, stdout: "piped" }).spawn();
  const colours = Deno.stdout.isTerminal();
  let count: TestCount | undefined;
  const read = (line: string) => {
    // The last summary is the runner's own; an earlier one is the output of a test.
    count = parseSummary(line) ?? count;
    console.log(colours ? line : withoutColours(line));
  };
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    lines.forEach(read);
  }
  if (rest) read(rest);
  const status = await child.status;
  const clean = crashedAtExit(status, count);
  if (clean) {
    console.error(`Deno ended by ${status.signal} behind the last test, when drivers clean up`);
  }
  console.log(formatCount(count ?? { passed: 0, failed: 0, skipped: 0 }));
  Deno.exit(clean ? 0 : status.code);
}

if (import.meta.main) await main();
