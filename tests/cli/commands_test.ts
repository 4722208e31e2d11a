/**
 * Commands as a program calls them: JSON on stdout, flags from a file, text prepared once.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describeFailure } from "../../src/cli/failure.ts";
import { nearest } from "../../src/cli/choices.ts";
import { Command } from "commander";
import { folder } from "../data/files.ts";
import { runCli, snapshot } from "./run_cli.ts";

const LINE = "Call me Ishmael. Some years ago - never mind how long precisely.\n";
const TEXT = Array.from({ length: 97 }, (_, n) => `${n} ${LINE}`).join("");

/** Runs a command that must succeed; arguments stand apart by blanks. */
async function run(args: string, { cwd, input }: { cwd: string; input?: string }) {
  const outcome = await runCli(args.split(" "), { cwd, input });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

/** What a command printed, which must be one line of JSON. */
// deno-lint-ignore no-explicit-any -- each test looks at its own keys
async function json(args: string, options: { cwd: string; input?: string }): Promise<any> {
  const { stdout } = await run(args, options);
  assert.match(stdout, /^[^\n]+\n$/);
  return JSON.parse(stdout);
}

Deno.test("data --json counts a source, standard input too, and lists the corpora", async () => {
  using place = folder({ "a.txt": TEXT, "b.jsonl": '{"text":"one"}\n{"text":"three"}\n' });
  const cwd = place.path;
  const counted = { source: "a.txt", documents: 1, characters: TEXT.length };
  assert.deepEqual(await json("data a.txt --json", { cwd }), counted);
  assert.deepEqual(await json("data - --json", { cwd, input: TEXT }), { ...counted, source: "-" });
  assert.deepEqual(await json("data b.jsonl --json", { cwd }), {
    source: "b.jsonl",
    documents: 2,
    characters: 8,
  });
  const { corpora } = await json("data --json", { cwd });
  assert.deepEqual(Object.keys(corpora), ["brown", "moby-dick", "state-of-the-union"]);
});

Deno.test("data prepare writes tokens once, and train is told how to use them", async () => {
  using place = folder({ "a.txt": TEXT });
  const cwd = place.path;
  const args = "data prepare --data a.txt --out tokens --vocabulary 300 --validation-fraction 0.2";
  const first = await json(`${args} --json`, { cwd });
  const { train, validation } = first;
  assert.deepEqual([first.directory, first.reused, first.vocabularySize], ["tokens", false, 300]);
  assert.equal(train.bytes + validation.bytes, TEXT.length);
  const written = snapshot(cwd);
  const second = await run(`${args} --json`, { cwd });
  assert.deepEqual(JSON.parse(second.stdout), { ...first, reused: true });
  assert.equal(second.stderr, "", "nothing was learnt or tokenized again");
  const shards = (files: typeof written) =>
    Object.entries(files).filter(([name]) => name.endsWith(".bin"));
  assert.deepEqual(shards(snapshot(cwd)), shards(written));
  Deno.writeTextFileSync(place.at("a.txt"), TEXT + "The end.\n");
  const before = snapshot(cwd);
  const refused = await runCli(args.split(" "), { cwd });
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /^error: Cannot write tokens\/tokenizer\.json: it is there already; replace it with --overw/,
  );
  assert.deepEqual(snapshot(cwd), before);
  const { stdout, stderr } = await run(`${args} --overwrite`, { cwd });
  assert.match(
    stdout,
    /^Wrote tokens: \d+ tokens to train on, .*; use it with: train --data tokens/,
  );
  assert.match(stderr, /^tokenizer .*300\/300 tokens/m);
  assert.match(stderr, /tokenize {2}100% {2}(\d+)\/\1 bytes/);
});

Deno.test("tokenizers are trained, encode and decode", async () => {
  using place = folder({ "a.txt": TEXT });
  const cwd = place.path;
  await run("tokenizer train --data a.txt --out t --kind characters --special <s> [x]", { cwd });
  const { stdout } = await run("tokenizer encode --model t Call", { cwd });
  const { stdout: text } = await run(`tokenizer decode --model t ${stdout.trim()}`, { cwd });
  assert.equal(text, "Call\n");
  const outcome = await runCli("tokenizer decode --model t 5,197".split(" "), { cwd });
  assert.match(outcome.stderr, /^error: Cannot decode 197: the tokenizer has ids from 0 to \d+\n$/);
});

Deno.test("train takes flags from --config and prepared tokens; its model answers in JSON", async () => {
  using place = folder({
    "a.txt": TEXT,
    "c.json": JSON.stringify({
      data: "a.txt",
      layers: 1,
      heads: 2,
      channels: 8,
      sequence: 29,
      batch: 3,
      steps: 99,
      "learning-rate": 0.01,
      samples: 0,
      tokenizer: "characters",
      evaluateEvery: 99,
    }),
  });
  const cwd = place.path;
  await run("train --config c.json --out m --steps 2 --batch 2", { cwd });
  const stored = JSON.parse(Deno.readTextFileSync(place.at("m/training.json")));
  const { steps, batch, learningRate, layers } = stored;
  assert.deepEqual({ steps, batch, learningRate, layers }, {
    steps: 2,
    batch: 2,
    learningRate: 0.01,
    layers: 1,
  });
  const kept = () => Object.entries(snapshot(place.at("m/data")));
  const tokens = kept();
  await run("train --out m --resume --steps 3", { cwd });
  assert.deepEqual(kept(), tokens, "a resumed run does not tokenize again");

  const said = await json(
    "generate --model m --prompt Call --max-new-tokens 5 --samples 2 --json",
    {
      cwd,
    },
  );
  assert.equal(said.prompt, "Call");
  assert.equal(said.texts.length, 2);
  const again = await json("generate --model m --ids 5,6 --max-new-tokens 5 --greedy --json", {
    cwd,
  });
  assert.deepEqual(again.prompt, [5, 6]);
  assert.equal(again.ids[0].length, 5);
  const filled = await json("generate --model m --ids 5,6 --greedy --json", { cwd });
  const context = JSON.parse(Deno.readTextFileSync(place.at("m/config.json"))).n_positions;
  assert.ok(context < 102, "else the default is 100 tokens");
  assert.equal(filled.ids[0].length, context - 2, "as many as there is room for");

  const found = await json("evaluate --model m --data a.txt --json", { cwd });
  assert.equal(found.bytes, TEXT.length);
  assert.equal(found.tokens, TEXT.length - 1, "a character is a token, and the first is given");
  assert.ok(Math.abs(found.perplexity - Math.exp(found.loss)) < 1e-9);
  const bits = found.loss * found.tokens / Math.LN2 / found.bytes;
  assert.ok(Math.abs(found.bitsPerByte - bits) < 1e-12);

  await run("data prepare --data a.txt --out tokens --tokenizer m", { cwd });
  Deno.removeSync(place.at("a.txt"));
  await run("train --config c.json --data tokens --out n --steps 1", { cwd });
  assert.deepEqual(
    Deno.readTextFileSync(place.at("n/tokenizer.json")),
    Deno.readTextFileSync(place.at("m/tokenizer.json")),
  );
});

Deno.test("doctor --json says what a program would ask", async () => {
  using place = folder();
  const report = await json("doctor --json", { cwd: place.path });
  assert.equal(report.deno, Deno.version.deno);
  assert.equal(report.matmul, "right");
  const { pico, nano } = report.training;
  assert.deepEqual([pico.measured, nano.measured], [true, false]);
  assert.ok(
    pico.stepSeconds > 0 && nano.stepSeconds > 2 * pico.stepSeconds,
    JSON.stringify(report),
  );
  assert.ok(report.adapter.length > 0);
});

Deno.test("the nearest word is the one that was meant, and a far one is none", () => {
  const flags = ["--out", "--steps", "--data", "--learning-rate", "--layers"];
  for (
    const [word, meant] of [
      ["--otu", "--out"],
      ["--step", "--steps"],
      ["--DATA", "--data"],
      ["--learnin-rate", "--learning-rate"],
      ["--learn", "--learning-rate"],
      ["--xyz", undefined],
      ["--quantize", undefined],
    ] as const
  ) assert.equal(nearest(word, flags), meant, word);
});

Deno.test("a fault of any kind is one line; help is none", () => {
  const program = new Command("vitrail");
  const line = (error: unknown) => describeFailure(error, { program, args: [] });
  assert.deepEqual(line(new Error("one\n  two")), { line: "error: one two", code: 1 });
  assert.deepEqual(line("text"), { line: "error: text", code: 1 });
  const denied = new Deno.errors.NotCapable(
    'Requires write access to "/x y", run again with the --allow-write flag',
  );
  assert.match(
    line(denied).line!,
    /^error: Cannot write to \/x y: only what flags of the command line name/,
  );
});
