/**
 * `finetune generate`, `merge` and `generate --adapter`, each in a process with the launcher's permissions.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openSafetensors, trainCharacterTokenizer } from "../../mod.ts";
import { type Folder, folder } from "../data/files.ts";
import { runCli, snapshot } from "./run_cli.ts";

const MODEL = new URL("../fixtures/gpt2/model/", import.meta.url);
const PAIRS = Array.from({ length: 23 }, (_, n) => {
  return JSON.stringify({ prompt: `${n} is `, completion: n % 2 ? "odd" : "even" });
}).join("\n");

async function* texts(): AsyncGenerator<string> {
  yield "abcdefghijklmnopqrstuvwxyz0123456789 .,<|>\n";
}

/** A folder with a model of 31 tokens of context and a tokenizer of characters, and some data. */
async function place(files: Record<string, string>): Promise<Folder> {
  const tokenizer = await trainCharacterTokenizer(texts(), {});
  const made = folder({
    ...files,
    "base/tokenizer.json": JSON.stringify(tokenizer.toJson()),
    "base/config.json": Deno.readTextFileSync(new URL("config.json", MODEL)),
    "base/model.safetensors": Deno.readFileSync(new URL("model.safetensors", MODEL)),
  });
  return made;
}

async function run(args: string, cwd: string) {
  const outcome = await runCli(args.split(" "), { cwd });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

const weightsOf = (path: string): Record<string, Float32Array> => {
  using file = openSafetensors(path);
  return Object.fromEntries(file.names.map((name) => [name, file.read(name)]));
};

Deno.test("completions are learnt by an adapter, which generates as the merged model does", async () => {
  using made = await place({ "pairs.jsonl": PAIRS, "pairs.txt": "1 is odd. 2 is even." });
  const cwd = made.path;
  const before = snapshot(made.at("base"));
  const { stderr } = await run(
    "finetune generate --data pairs.jsonl --model base --out out --steps 6 --batch 3 --lora-rank 2 " +
      "--lora-targets c_attn,mlp.c_proj --learning-rate 0.02 --validation-fraction 0.3 --samples 9 " +
      "--merge",
    cwd,
  );
  // Of c_attn 2·(36 + 108) numbers in each of two blocks, of the MLP's c_proj 2·(144 + 36).
  assert.match(stderr, /^1,296 of 40,\d{3} parameters are trained/m);
  const [, trained, held] = stderr.match(/^(\d+) examples to train on, (\d+) held out$/m)!;
  assert.equal(Number(trained) + Number(held), 23);
  assert.ok(Number(held) > 0);
  const lost = Number(stderr.match(/^Validation loss before: ([\d.]+)$/m)![1]);
  const metrics = Deno.readTextFileSync(made.at("out/metrics.jsonl")).trim().split("\n")
    .map((line) => JSON.parse(line));
  const found = metrics.filter(({ validationLoss }) => validationLoss !== undefined).at(-1);
  assert.ok(found.validationLoss < 0.8 * lost, `${lost} fell to ${found.validationLoss}`);
  assert.deepEqual(snapshot(made.at("base")), before, "the model is left alone");
  const config = JSON.parse(Deno.readTextFileSync(made.at("out/adapter_config.json")));
  assert.deepEqual(
    [config.r, config.lora_alpha, config.target_modules, config.base_model_name_or_path],
    [2, 4, ["c_attn", "mlp.c_proj"], "base"],
  );
  assert.deepEqual(
    [...Deno.readDirSync(made.at("out"))].map(({ name }) => name).filter((n) => /model/.test(n)),
    ["adapter_model.safetensors"],
  );
  const over = await runCli("merge --model base --adapter out --out base".split(" "), { cwd });
  assert.match(
    over.stderr,
    /^error: Cannot merge into base: it is the model that the adapter needs/,
  );
  await run("merge --model base --adapter out --out merged", cwd);
  assert.deepEqual(
    weightsOf(made.at("merged/model.safetensors")),
    weightsOf(made.at("out/merged/model.safetensors")),
  );
  const write = async (flags: string) =>
    (await run(`generate ${flags} --ids 7,8,9 --max-new-tokens 12 --greedy`, cwd)).stdout;
  const adapted = await write("--model base --adapter out");
  assert.equal(await write("--model merged"), adapted);
  assert.notEqual(await write("--model base"), adapted, "the adapter says something else");
  const lossOf = async (flags: string): Promise<number> =>
    JSON.parse((await run(`evaluate ${flags} --data pairs.txt --json`, cwd)).stdout).loss;
  const loss = await lossOf("--model base --adapter out");
  assert.ok(Math.abs(await lossOf("--model merged") - loss) < 1e-5 * loss);
  assert.ok(loss < await lossOf("--model base"));
  // Of examples, what is written behind the prompt counts: 3 characters or 4, and the end of text.
  const learnt = JSON.parse(
    (await run("evaluate --model base --adapter out --data pairs.jsonl --json", cwd)).stdout,
  );
  assert.deepEqual([learnt.examples, learnt.shortened, learnt.cut], [23, 0, 0]);
  assert.equal(learnt.tokens, 11 * 4 + 12 * 5);
  assert.ok(learnt.loss < 0.8 * lost, `${learnt.loss}`);
});

Deno.test("a text trains all weights but the frozen ones, and goes on after an interruption", async () => {
  using made = await place({ "text.txt": "odd and even, even and odd.\n\n".repeat(40) });
  const cwd = made.path;
  const args = "finetune generate --data text.txt --model base --batch 2 --samples 0 " +
    "--save-every 2 --freeze wte,h.0,ln_f --layer-decay 0.5";
  await run(`${args} --out a --steps 4`, cwd);
  const [base, tuned] = ["base", "a"].map((d) => weightsOf(made.at(`${d}/model.safetensors`)));
  for (const [name, weights] of Object.entries(base)) {
    const frozen = /\.(wte|ln_f|h\.0)\./.test(name);
    assert.equal(inText(weights) === inText(tuned[name]), frozen, name);
  }
  // The run knows its own flags.
  const { stderr } = await run("finetune generate --out a --resume", cwd);
  assert.match(stderr, /^Nothing to do: 4 steps were done; train on with --resume --steps N$/m);
  await run("finetune generate --out a --resume --steps 6", cwd);
  const further = weightsOf(made.at("a/model.safetensors"));
  for (const [name, weights] of Object.entries(tuned)) {
    const frozen = /\.(wte|ln_f|h\.0)\./.test(name);
    assert.equal(inText(weights) === inText(further[name]), frozen, `${name}, further on`);
  }
});

/** All numbers in one text, to compare. */
const inText = (weights: Float32Array): string => Array.from(weights).join();

Deno.test("what cannot be is told in one line, before anything is written", async () => {
  using made = await place({
    "pairs.jsonl": PAIRS,
    "broken.jsonl": PAIRS + '\n{"prompt": "24 is "}',
    "long.jsonl": JSON.stringify({ prompt: "a", completion: "b" }),
  });
  const cwd = made.path;
  const cases: [string, RegExp][] = [
    ["--data broken.jsonl", /^error: Cannot read broken\.jsonl: line 24 has absent as completion/],
    ["", /^error: Cannot train without text: give --data FILE$/],
    ["--data pairs.jsonl --lora-rank 2 --lora-targets query", /^error: Cannot add LoRA to query/],
    ["--data pairs.jsonl --freeze h.7", /^error: Cannot freeze h\.7: no parameter has that/],
    ["--data none.txt", /^error: Cannot read none\.txt: there is no such file or folder/],
    ["--data pairs.jsonl --sequence 32", /^error: Cannot train on sequences of 32: .* is 31/],
    ["--data pairs.jsonl --merge", /^error: Cannot merge without an adapter/],
    ["--data pairs.jsonl --lora-rank 2 --freeze wte", /^error: Cannot freeze layers beside LoRA/],
    ["--data pairs.jsonl --template {role}", /^error: Cannot use the template "\{role\}"/],
  ];
  for (const [flags, message] of cases) {
    const words = `finetune generate --model base --out out ${flags}`.trim().split(" ");
    const { code, stderr } = await runCli(words, { cwd });
    assert.equal(code, 1, stderr);
    assert.match(stderr.trimEnd(), message);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
  assert.ok(!Object.keys(snapshot(cwd)).some((name) => name.startsWith("out")));
  const words = "finetune generate --data pairs.jsonl --out out".split(" ");
  const bare = await runCli(words, { cwd });
  assert.match(bare.stderr, /^error: Cannot fine-tune without a model: give --model DIR\n$/);
  const merge = await runCli("merge --model base --adapter base --out base".split(" "), { cwd });
  assert.match(
    merge.stderr,
    /^error: Cannot read base\/adapter_config\.json: no such file or directory; wanted a directory with/,
  );
});
