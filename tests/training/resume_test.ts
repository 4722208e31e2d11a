/** What a run promises when it is killed, interrupted, or fails: nothing is lost. @module */

import assert from "node:assert/strict";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { readMetrics } from "../../src/training/metrics.ts";
import { readHistory } from "../../src/training/run_record.ts";
import { snapshot } from "../cli/run_cli.ts";
import { killWhen } from "../kill.ts";
import { scalarsOf } from "./event_file.ts";
import { makeText, mulberry32, runTrain, startTrain } from "./train_process.ts";

const STEPS = 60;
// deno-fmt-ignore
const FLAGS = [
  "--data", "text.txt", "--steps", `${STEPS}`, "--tokenizer", "characters",
  "--layers", "1", "--heads", "2", "--channels", "24", "--sequence", "29", "--batch", "3",
  "--accumulation", "2", "--dropout", "0.1", "--learning-rate", "0.01", "--samples", "7",
  "--evaluate-every", "11", "--evaluate-batches", "2", "--save-every", "7", "--seed", "197",
];
/** Files that a resumed run leaves to the byte as an uninterrupted one does. */
const REPEATED = [
  "model.safetensors",
  "checkpoint.safetensors",
  "metrics.jsonl",
  "samples.jsonl",
  "config.json",
  "tokenizer.json",
];

const root = Deno.makeTempDirSync();
globalThis.addEventListener("unload", () => Deno.removeSync(root, { recursive: true }));
Deno.writeTextFileSync(`${root}/text.txt`, makeText(3000, 29));

let whole: Promise<string> | undefined;
/** The directory of a run that nobody disturbed. */
function uninterrupted(): Promise<string> {
  whole ??= runTrain(`${root}/whole`, FLAGS).then(() => `${root}/whole`);
  return whole;
}

const exists = (path: string): boolean => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
};
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
/** Lines that a run has logged so far. */
const logged = (directory: string): number =>
  exists(`${directory}/metrics.jsonl`)
    ? Deno.readTextFileSync(`${directory}/metrics.jsonl`).split("\n").length - 1
    : 0;
const trained = (directory: string) =>
  scalarsOf(directory).filter(({ tag }) => tag !== "tokens_per_second");

async function assertSameRun(directory: string, context: string): Promise<void> {
  const wanted = await uninterrupted();
  for (const name of REPEATED) {
    const [a, b] = [wanted, directory].map((d) => Deno.readFileSync(`${d}/${name}`));
    assert.ok(
      a.length === b.length && a.every((x, i) => x === b[i]),
      `${name} differs; ${context}`,
    );
  }
  assert.deepEqual(trained(directory), trained(wanted), context);
}

Deno.test("a run logs each step once, in metrics, samples and event files", async () => {
  const directory = await uninterrupted();
  const records = readMetrics(`${directory}/metrics.jsonl`);
  const evaluated = [11, 22, 33, 44, 55, 60];
  const steps = records.filter((r) => "loss" in r);
  assert.deepEqual(steps.map((r) => r.step), Array.from({ length: STEPS }, (_, i) => i + 1));
  const held = records.filter((r) => "validationLoss" in r);
  assert.deepEqual(held.map((r) => r.step), evaluated);
  assert.deepEqual(readMetrics(`${directory}/samples.jsonl`).map((r) => r.step), evaluated);
  for (
    const [tag, field, from] of [
      ["loss/train", "loss", steps],
      ["learning_rate", "learningRate", steps],
      ["gradient_norm", "gradientNorm", steps],
      ["loss/validation", "validationLoss", held],
    ] as const
  ) {
    assert.deepEqual(
      scalarsOf(directory).filter((s) => s.tag === tag).map(({ step, value }) => [step, value]),
      from.map((r) => [r.step, Math.fround(r[field] as number)]),
      tag,
    );
  }
  const speeds = scalarsOf(directory).filter((s) => s.tag === "tokens_per_second");
  assert.ok(speeds.length > 0 && speeds.every(({ value }) => value > 0));
  assert.equal(speeds.at(-1)!.step, STEPS);
});

Deno.test("a run killed again and again in the middle of its work ends with the same bytes", async () => {
  await uninterrupted();
  const random = mulberry32(197);
  const directory = `${root}/killed`;
  // As a process leaves it that is killed while it writes.
  Deno.mkdirSync(`${directory}/data.0123abcd.tmp`, { recursive: true });
  Deno.writeTextFileSync(`${directory}/.vitrail-0123abcd-45ef.tmp`, "half a checkpoint");
  const told: string[] = [];
  const flags = [...FLAGS, "--resume"]; // also the first time: it is the same command throughout
  // The first kill comes before anything is logged, the others behind a line that no earlier run logged.
  for (let kills = 0; kills < 5; kills++) {
    const target = 11 * kills + Math.floor(9 * random());
    const ready = (): boolean =>
      kills === 0 ? exists(`${directory}/tokenizer.json`) : logged(directory) > target;
    const run = startTrain(directory, flags);
    await killWhen(run, ready);
    told.push(`killed at ${logged(directory)} lines`);
    assert.ok(logged(directory) < STEPS, told.join(", "));
  }
  // The last process is one under nohup: a terminal that is closed interrupts nothing.
  const last = startTrain(directory, flags, { VITRAIL_NOHUP: "1" });
  const before = logged(directory);
  let over = false;
  last.ended.then(() => over = true);
  while (!over && logged(directory) === before) await sleep(1);
  assert.ok(!over, "it ended before a terminal could be closed");
  last.kill("SIGHUP");
  const { code, stderr } = await last.ended;
  assert.equal(code, 0, stderr);
  await assertSameRun(directory, told.join(", "));
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
  assert.deepEqual(names.filter((name) => /\.tmp$|\.lock$/.test(name)), []);
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test(`${signal} saves the step, says how to go on, and leaves with ${code}`, {
    ignore: signal !== "SIGINT" && Deno.build.os === "windows",
  }, async () => {
    const directory = `${root}/${signal}`;
    const run = startTrain(directory, FLAGS);
    let over = false;
    run.ended.then(() => over = true);
    while (!over && logged(directory) === 0) await sleep(1);
    if (!over) run.kill(signal);
    const { code: found, stderr } = await run.ended;
    assert.equal(found, code, stderr);
    assert.match(stderr, /Interrupted: saving after this step/);
    assert.equal(stderr.includes("press Ctrl-C again to leave at once"), signal === "SIGINT");
    const step = Number(stderr.match(/at step (\d+) and saved; go on with: .*--resume/)?.[1]);
    {
      using checkpoint = openSafetensors(`${directory}/checkpoint.safetensors`);
      assert.equal(JSON.parse(checkpoint.metadata.state).step, step);
    }
    assert.ok(step >= 1 && step < STEPS, `step ${step}`);
    assert.ok(exists(`${directory}/report.html`));
    const [part] = readHistory(directory);
    assert.deepEqual([part.from, part.to, part.ended], [0, step, "interrupted"]);
    // One of them goes on: the others saved the same way.
    if (signal !== "SIGTERM") return;
    await runTrain(directory, ["--resume"]);
    await assertSameRun(directory, `interrupted at step ${step}`);
    const parts = readHistory(directory);
    assert.deepEqual(parts.map(({ from, to }) => [from, to]), [[0, step], [step, STEPS]]);
    assert.ok(parts[1].complete);
  });
}

Deno.test("a run that has come to its end keeps its record, whatever is asked of it", async () => {
  const directory = await uninterrupted();
  const before = snapshot(directory);
  const asked = (flags: string[]) => startTrain(directory, ["--resume", ...flags]).ended;
  const less = await asked(["--steps", "10"]);
  assert.equal(less.code, 1);
  assert.match(less.stderr, /^error: Cannot resume .* up to step 10: it has done 60, and stays as/);
  const same = await asked(["--learning-rate", "5"]);
  assert.equal(same.code, 0);
  assert.match(same.stderr, /^Nothing to do: 60 steps were done; train on with --resume --steps N/);
  assert.deepEqual(snapshot(directory), before);
  const { steps, learningRate } = JSON.parse(
    Deno.readTextFileSync(`${directory}/training.json`),
  );
  assert.deepEqual([steps, learningRate], [60, 0.01]);
});

Deno.test("a loss that is not finite stops the run; the last good checkpoint stays", async () => {
  const good = Deno.readFileSync(`${await uninterrupted()}/checkpoint.safetensors`);
  const directory = `${root}/diverged`;
  Deno.mkdirSync(directory);
  for (const { name, isFile } of Deno.readDirSync(`${root}/whole`)) {
    if (isFile) Deno.copyFileSync(`${root}/whole/${name}`, `${directory}/${name}`);
  }
  Deno.renameSync(`${root}/whole/data`, `${directory}/data`);
  const more = ["--resume", "--steps", "70"];
  try {
    // A checkpoint after every step: the first update already spoils the weights.
    const spoilt = [...more, "--learning-rate", "1e30", "--save-every", "1"];
    const { code, stderr } = await startTrain(directory, spoilt).ended;
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /error: Training stopped at step 62: the gradient of transformer\.\S+ is not finite \(loss /,
    );
    assert.deepEqual(Deno.readFileSync(`${directory}/checkpoint.safetensors`), good);
    // What went well is logged and reported.
    assert.equal(readMetrics(`${directory}/metrics.jsonl`).at(-1)!.step, 61);
    assert.match(Deno.readTextFileSync(`${directory}/report.html`), /stopped at step 62: the grad/);
    await runTrain(directory, [...more, "--learning-rate", "0.01"]);
    assert.equal(readMetrics(`${directory}/metrics.jsonl`).at(-1)!.step, 70);
  } finally {
    Deno.renameSync(`${directory}/data`, `${root}/whole/data`);
  }
});

Deno.test("a run is neither resumed where there is none nor replaced unasked", async () => {
  const none = await startTrain(`${root}/none`, ["--resume"]).ended;
  assert.equal(none.code, 1);
  assert.match(
    none.stderr,
    /^error: Cannot resume .*\/none: it holds no run; begin one with --data/,
  );
  const directory = await uninterrupted();
  const before = Deno.readFileSync(`${directory}/checkpoint.safetensors`);
  const again = await startTrain(directory, FLAGS).ended;
  assert.equal(again.code, 1);
  assert.match(
    again.stderr,
    /^error: Cannot begin a run in .*: it holds one at step 60; continue it/,
  );
  const wrong = ["--overwrite", "--data", "no such file", "--steps", "3"];
  assert.equal((await startTrain(directory, wrong).ended).code, 1);
  assert.deepEqual(Deno.readFileSync(`${directory}/checkpoint.safetensors`), before);
  assert.match(await runTrain(directory, ["--resume"]), /Nothing to do: 60 steps were done/);
  await assertSameRun(directory, "resumed after its end");
});
