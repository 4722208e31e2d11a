/** `probe induction`, in a process with the launcher's permissions. @module */
import assert from "node:assert/strict";
import { Bert, createBertConfig, openDevice, saveBert } from "../../mod.ts";
import { folder } from "../data/files.ts";
import { PIECES, tinyTokenizer } from "../data/pretraining/tiny_bert_tokenizer.ts";
import { readInductionState } from "../../src/probes/induction/train.ts";
import { killWhen } from "../kill.ts";
import { cliCommand, runCli } from "./run_cli.ts";

const made = folder({ "bert/tokenizer.json": JSON.stringify(tinyTokenizer().toJson()) });
Deno.test.afterAll(() => made[Symbol.dispose]());

const run = async (args: string, code = 0) => {
  const outcome = await runCli(["probe", "induction", ...args.split(" ")], { cwd: made.path });
  assert.equal(outcome.code, code, outcome.stderr);
  return outcome;
};

Deno.test("a model is trained, kept, and examined again with the same result", async () => {
  const first = await run(
    "--steps 70 --heads 2 --out model --html pages/of/x.html --svg x.svg --json",
  );
  const { history, ...evidence } = JSON.parse(first.stdout);
  assert.deepEqual(history.steps, [64, 70]);
  assert.equal(evidence.scores.length, 4);
  assert.ok(first.stderr.includes("70/70 steps"), first.stderr);
  const page = Deno.readTextFileSync(made.at("pages/of/x.html"));
  for (const words of ["How they form", "Without them"]) {
    assert.ok(page.includes(words), words);
  }
  assert.ok(Deno.readTextFileSync(made.at("x.svg")).startsWith("<svg"));

  const second = JSON.parse((await run("--model model --json")).stdout);
  assert.deepEqual(second, evidence);
  const { stdout } = await run("--model model");
  // Seventy steps are not enough, which is said in place of naming a head.
  const highest = evidence.found.induction.toFixed(3);
  assert.ok(stdout.includes(`no head does induction: the highest score is ${highest}`), stdout);
  assert.ok(!stdout.includes("the previous-token head"));
});

Deno.test("an interrupted training is saved and looked at as it is, and goes on", async () => {
  const args = ["probe", "induction", "--steps", "4000", "--heads", "2", "--out", "stopped"];
  const [command, ...rest] = cliCommand([...args, "--json"], { cwd: made.path });
  const child = new Deno.Command(command, {
    args: rest,
    cwd: made.path,
    env: { XDG_RUNTIME_DIR: made.path, NO_COLOR: "1", VITRAIL_CACHE: "" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const checkpoint = made.at("stopped/induction_checkpoint.safetensors");
  await killWhen(
    {
      kill: (signal) => child.kill(signal),
      ended: ended.then(({ code, stderr }) => ({ code, stderr: text(stderr) })),
    },
    () => isThere(checkpoint),
    "SIGTERM",
  );
  const { stdout, stderr } = await ended;
  const step = Number(
    text(stderr).match(/^Stopped at step (\d+) of 4000 and saved; go on with: /m)?.[1],
  );
  assert.ok(step >= 64 && step < 4000, text(stderr));
  assert.equal(readInductionState(checkpoint)!.step, step);
  assert.equal(JSON.parse(text(stdout)).history.steps.length, Math.floor(step / 64));
  // Not a model before it has come to its end.
  assert.deepEqual([...Deno.readDirSync(made.at("stopped"))].map(({ name }) => name), [
    "induction_checkpoint.safetensors",
  ]);
  const unasked = await run("--steps 4000 --heads 2 --out stopped", 1);
  assert.match(
    unasked.stderr,
    /is there already; continue it with --resume, replace it with --over/,
  );
  const other = await run("--out stopped --resume --steps 70", 1);
  assert.match(
    other.stderr,
    /Cannot go on from .* with --steps 70 --heads 2 --seed 0: it was begun/,
  );
});

const isThere = (path: string): boolean => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
};

Deno.test("what cannot be examined is told", async () => {
  const device = await openDevice();
  const size = { contextLength: 16, channels: 24, layers: 2, heads: 2 };
  await saveBert(
    new Bert(device, createBertConfig({ ...size, vocabularySize: PIECES.length })),
    made.at("bert"),
  );
  device.destroy();
  const { stderr } = await run("--model bert", 1);
  assert.ok(stderr.includes("wanted a GPT"), stderr);
  // Before minutes of training: a file is no folder.
  const file = await run("--html bert/tokenizer.json/x.html", 1);
  assert.match(file.stderr, /^error: Cannot write to bert\/tokenizer\.json: /);
  const odd = await run("--heads 5 --steps 3", 1);
  assert.match(odd.stderr, /channels is 64, wanted a multiple of heads, 5/);
});
