/** The runner of the suite: `./vitrail test` closes with the count, and keeps the exit code. @module */

import assert from "node:assert/strict";
import {
  crashedAtExit,
  formatCount,
  parseSummary,
  sumCounts,
  testArguments,
} from "../../scripts/test.ts";

const ROOT = new URL("../../", import.meta.url);
const ignore = Deno.build.os === "windows";
const test = (name: string, fn: () => void | Promise<void>) => Deno.test({ name, ignore, fn });

test("the summary of deno test becomes the count", () => {
  const count = (line: string) => formatCount(parseSummary(line)!);
  assert.equal(count("ok | 197 passed | 0 failed (3s)"), "197 passed, 0 failed, 0 skipped");
  assert.equal(
    count(
      "\x1b[31mFAILED\x1b[0m | 29 passed (4 steps) | 3 failed (1 step) | 2 ignored | 5 filtered out (7ms)",
    ),
    "29 passed, 3 failed, 2 skipped",
  );
  assert.equal(parseSummary("a test that says ok | 3 passed"), undefined);
  const [most, processes] = testArguments([], () => true);
  assert.ok(most.includes("mod.ts") && most.includes("tests/"));
  const apart = ["tests/cli/", "tests/launcher_test.ts"];
  assert.ok(most.includes(`--ignore=${apart}`), "nothing is tested twice");
  assert.deepEqual(processes.slice(-2), apart);
  const [one, ...none] = testArguments(["tests/a_test.ts"], () => true);
  assert.ok(!one.includes("mod.ts") && none.length === 0);
  const counts = [{ passed: 3, failed: 1, skipped: 0 }, undefined, {
    passed: 4,
    failed: 0,
    skipped: 2,
  }];
  assert.equal(formatCount(sumCounts(counts)), "7 passed, 1 failed, 2 skipped");
});

test("a driver that aborts behind the last test spoils nothing, and one before it does", () => {
  const passed = { passed: 3, failed: 0, skipped: 0 };
  assert.equal(crashedAtExit({ signal: "SIGABRT" }, passed), true);
  assert.equal(crashedAtExit({ signal: null }, passed), false);
  assert.equal(crashedAtExit({ signal: "SIGINT" }, passed), false);
  assert.equal(crashedAtExit({ signal: "SIGABRT" }, { ...passed, failed: 1 }), false);
  assert.equal(crashedAtExit({ signal: "SIGSEGV" }, undefined), false);
});

test("the count is the last line, and the exit code is kept", () => {
  const folder = Deno.makeTempDirSync();
  const script = new URL("scripts/test.ts", ROOT).pathname;
  const task: string = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))).tasks.test;
  const [, ...runner] = task.split(" ").slice(0, -1);
  const last = (source: string, env: Record<string, string> = {}) => {
    Deno.writeTextFileSync(`${folder}/x_test.ts`, source);
    const args = [...runner, script, "x_test.ts"];
    const { stdout, code } = new Deno.Command("deno", { args, cwd: folder, env }).outputSync();
    return [new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1), code];
  };
  const passing = "Deno.test('a', () => {}); Deno.test.ignore('b', () => {});";
  assert.deepEqual(last(passing), ["1 passed, 0 failed, 1 skipped", 0]);
  assert.deepEqual(last(`${passing} Deno.test('c', () => { throw new Error('no'); });`), [
    "1 passed, 1 failed, 1 skipped",
    1,
  ]);
  assert.deepEqual(last("this is no TypeScript"), ["0 passed, 0 failed, 0 skipped", 1]);
  // Deno starts no process beside these unless it may run all; CUDA and conda set the first.
  const starts =
    "Deno.test('d', () => { new Deno.Command('sh', { args: ['-c', ''] }).outputSync(); });";
  for (const name of ["LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH"]) {
    const found = last(starts, { [name]: name === "LD_PRELOAD" ? "" : folder });
    assert.deepEqual(found, ["1 passed, 0 failed, 0 skipped", 0], name);
  }
  Deno.removeSync(folder, { recursive: true });
});
