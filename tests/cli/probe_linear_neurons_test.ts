/**
 * `probe linear` and `probe neurons`, each in a process with the launcher's permissions.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  Bert,
  createBertConfig,
  createGptConfig,
  Gpt,
  openDevice,
  saveBert,
  saveGpt,
  trainCharacterTokenizer,
} from "../../mod.ts";
import { folder } from "../data/files.ts";
import { PIECES, tinyTokenizer } from "../data/pretraining/tiny_bert_tokenizer.ts";
import { runCli } from "./run_cli.ts";

const SENTENCES = Array.from({ length: 90 }, (_, i) => {
  const letters = Array.from({ length: 2 + i % 4 }, (_, w) => `${"abcd"[(w * w + i) % 4]} L`);
  return [...letters, `${1 + i % 3} N`, ". P"].join("\n");
});
const TEXTS = Array.from({ length: 60 }, (_, i) => ({
  text: (i % 2 ? ["1 2", "2 1 2", "1 1"] : ["a b c", "b", "d a"])[i % 3] + " .".repeat(1 + i % 5),
  label: i % 2 ? "numbers" : "letters",
}));

const characters = await trainCharacterTokenizer(["abcd 123 . , !"]);
const made = folder({
  "gpt/tokenizer.json": JSON.stringify(characters.toJson()),
  "bert/tokenizer.json": JSON.stringify(tinyTokenizer().toJson()),
  "tags.conll": SENTENCES.join("\n\n"),
  "texts.jsonl": TEXTS.map((record) => JSON.stringify(record)).join("\n"),
  "words.txt": "a bad cab , a dab . d c b a ! ".repeat(40),
});
Deno.test.afterAll(() => made[Symbol.dispose]());

const size = { contextLength: 16, channels: 24, layers: 2, heads: 2 };
const device = await openDevice();
await saveGpt(
  new Gpt(device, createGptConfig({ ...size, vocabularySize: characters.vocabularySize })),
  made.at("gpt"),
);
await saveBert(
  new Bert(device, createBertConfig({ ...size, vocabularySize: PIECES.length })),
  made.at("bert"),
);
device.destroy();
async function run(args: string) {
  const outcome = await runCli(["probe", ...args.split(" ")], { cwd: made.path });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

for (const model of ["gpt", "bert"]) {
  Deno.test(`${model}: tags at every layer, as a table, a page and a picture`, async () => {
    const steps = "--steps 60 --learning-rate 0.05 --html x.html --svg x.svg --overwrite";
    const { stdout, stderr } = await run(`linear --model ${model} --data tags.conll ${steps}`);
    assert.match(stderr, /\d+ words to train on, \d+ held out, 3 labels/);
    const rows = stdout.split("\n").filter((line) => /^blocks\.\d\.hook/.test(line));
    assert.equal(rows.length, 3);
    for (const row of rows) assert.match(row, /( +-?\d+\.\d %){5}$/);
    assert.match(stdout, /one most frequent for its type: 100\.0 %/);
    const page = Deno.readTextFileSync(made.at("x.html"));
    assert.match(page, /<title>Linear probes for 3 labels of words<\/title>/);
    assert.match(Deno.readTextFileSync(made.at("x.svg")), /^<svg [^]*as parts of each right one/);
  });

  Deno.test(`${model}: classes of texts, as JSON`, async () => {
    const { stdout } = await run(
      `linear --model ${model} --task classes --data texts.jsonl --steps 40 --learning-rate 0.05 ` +
        "--json --no-random --point blocks.0.hook_resid_pre",
    );
    const { labels, unit, layers, random } = JSON.parse(stdout);
    assert.deepEqual([labels, unit, random], [["letters", "numbers"], "texts", undefined]);
    assert.deepEqual([layers.length, layers[0].accuracy], [1, 1]);
  });

  Deno.test(`${model}: neurons with their examples, as text, a page and JSON`, async () => {
    const args = `neurons --model ${model} --data words.txt --layer 1 --examples 2`;
    const { stdout } = await run(`${args} --show 4 --html n.html --overwrite`);
    assert.equal(stdout.match(/^neuron \d+: above zero at/gm)?.length, 4);
    assert.equal(stdout.includes("speaks for"), model === "gpt");
    assert.match(Deno.readTextFileSync(made.at("n.html")), /<title>Neurons of layer 1<\/title>/);
    const { neurons } = JSON.parse((await run(`${args} --neurons 5,0 --json`)).stdout);
    assert.deepEqual(neurons.map(({ neuron }: { neuron: number }) => neuron), [5, 0]);
    assert.equal(neurons[0].examples.length, 2);
  });
}

Deno.test("what is not there is told in a sentence", async () => {
  const fails = async (args: string, message: RegExp) => {
    const { code, stderr } = await runCli(["probe", ...args.split(" ")], { cwd: made.path });
    assert.equal(code, 1);
    assert.match(stderr, message);
  };
  await fails("neurons --model gpt --data words.txt --layer 2", /this model has layers 0 to 1/);
  await fails(
    "linear --model gpt --data tags.conll --point blocks.7.hook_resid_pre",
    /Cannot find the hook point blocks\.7\.hook_resid_pre/,
  );
  await fails("linear --model gpt --data none.conll", /Cannot read none\.conll/);
});
