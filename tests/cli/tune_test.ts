/** Tuning from the command line: what is measured, when nothing is, and what is said. @module */

import assert from "node:assert/strict";
import type { Winner } from "../../src/tuning/cache.ts";
import { runCli } from "./run_cli.ts";

const cwd = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(cwd, { recursive: true }));
// deno-fmt-ignore
const TUNE = [
  "tune", "--heads", "1", "--channels", "12", "--sequence", "13", "--batch", "3",
  "--vocabulary", "29", "--prompt", "5",
];
const files = (folder: string) => [...Deno.readDirSync(`${cwd}/${folder}`)].map(({ name }) => name);
const winnersIn = (folder: string): Record<string, Winner> =>
  JSON.parse(Deno.readTextFileSync(`${cwd}/${folder}/${files(folder)[0]}`)).winners;

Deno.test("tune remembers every class, and goes on with what time had been up for", async () => {
  Deno.mkdirSync(`${cwd}/cache`);
  const none = await runCli([...TUNE, "--seconds", "0"], { cwd, cache: "cache" });
  assert.equal(none.code, 0, none.stderr);
  assert.match(none.stdout, /^0 measured on /);
  const before = winnersIn("cache");
  assert.ok(Object.keys(before).length >= 4, JSON.stringify(before));
  assert.ok(Object.values(before).every(({ ratio }) => ratio === undefined));
  const some = await runCli([...TUNE, "--seconds", "1"], { cwd, cache: "cache" });
  assert.equal(some.code, 0, some.stderr);
  const winners = winnersIn("cache");
  assert.deepEqual(Object.keys(winners), Object.keys(before));
  const measured = Object.entries(winners).filter(([, { ratio }]) => ratio !== undefined);
  assert.ok(measured.length > 0);
  const lines = some.stdout.trimEnd().split("\n");
  assert.equal(lines.length, measured.length + 1);
  assert.ok(lines.at(-1)!.startsWith(`${measured.length} measured on `), some.stdout);
  for (const [key, { variant, ratio }] of measured) {
    assert.ok(ratio! > 0 && ratio! <= 1, `${ratio}`);
    const gain = ratio === 1 ? "as it ships" : `${(100 * (1 - ratio!)).toFixed(0)} % less time`;
    assert.ok(lines.includes(`${key}: ${variant}, ${gain}`), `${key} in ${some.stdout}`);
  }
  Deno.writeTextFileSync(`${cwd}/cache/${files("cache")[0]}`, "half a fi");
  const mended = await runCli([...TUNE, "--seconds", "0"], { cwd, cache: "cache" });
  assert.equal(mended.code, 0);
  assert.match(
    mended.stderr,
    /^warning: cache\/tuning-.*json is damaged and will be written anew$/m,
  );
  assert.deepEqual(winnersIn("cache"), before);
});

Deno.test("without a folder to remember them in, nothing can be tuned ahead", async () => {
  const { code, stderr } = await runCli(TUNE, { cwd });
  assert.equal(code, 1);
  assert.match(stderr, /^error: Cannot tune: there is no folder to remember the winners in; run/m);
});

Deno.test("train tunes itself where winners can be kept, and not with --no-tune", async () => {
  Deno.writeTextFileSync(`${cwd}/text.txt`, "call me Ishmael. ".repeat(60));
  // deno-fmt-ignore
  const train = [
    "train", "--data", "text.txt", "--tokenizer", "characters", "--layers", "1", "--heads", "1",
    "--channels", "12", "--sequence", "8", "--batch", "3", "--steps", "1", "--samples", "0",
    "--evaluate-batches", "1", "--overwrite", "--out", "run",
  ];
  const checkpoint = () =>
    new TextDecoder().decode(Deno.readFileSync(`${cwd}/run/checkpoint.safetensors`));
  Deno.mkdirSync(`${cwd}/tuned`);
  for (const [flags, cache] of [[["--no-tune"], "tuned"], [[], ""]] as const) {
    const { code, stderr } = await runCli([...train, ...flags], { cwd, cache });
    assert.equal(code, 0, stderr);
    assert.deepEqual(files("tuned"), []);
    assert.ok(!stderr.includes("tune "), stderr);
    assert.ok(!checkpoint().includes("variants"));
  }
  const { code, stderr } = await runCli(train, { cwd, cache: "tuned" });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^First start on .+: its driver compiles the kernels once$/m);
  assert.match(stderr, /^tune {2}100%/m);
  assert.ok(checkpoint().includes("variants"));
  assert.ok(Object.keys(winnersIn("tuned")).length >= 4);
  const again = await runCli([...train, "--steps", "2"], { cwd, cache: "tuned" });
  assert.equal(again.code, 0, again.stderr);
  assert.doesNotMatch(again.stderr, /First start/);
});
