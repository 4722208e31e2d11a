/**
 * `probe sae` and `probe bias`, each in a process with the launcher's permissions.
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

const characters = await trainCharacterTokenizer(["abcd 123 . , !"]);
const sets = ["a", "b", "c", "d"].map((word) => ({ name: `set ${word}`, words: [word] }));
const test = { name: "small", targets: sets.slice(0, 2), attributes: sets.slice(2) };
const made = folder({
  "gpt/tokenizer.json": JSON.stringify(characters.toJson()),
  "bert/tokenizer.json": JSON.stringify(tinyTokenizer().toJson()),
  "words.txt": "a bad cab , a dab . d c b a ! ".repeat(40),
  "sets.json": JSON.stringify({ tests: [test] }),
  "templates.json": JSON.stringify({
    tests: [{ ...test, templates: ["[TARGET] , [ATTRIBUTE] ."] }],
  }),
  "pairs.csv": "sent_more,sent_less\na b c,a d c\nb .,c .\n",
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

async function run(args: string, code = 0) {
  const outcome = await runCli(["probe", ...args.split(" ")], { cwd: made.path });
  assert.equal(outcome.code, code, outcome.stderr);
  return outcome;
}

for (const model of ["gpt", "bert"]) {
  Deno.test(`${model}: an autoencoder is trained, kept, and looked at again`, async () => {
    const common = `--model ${model} --data words.txt --examples 2`;
    const sizes = "--features 40 --k 4 --steps 30 --batch 64";
    const first = await run(
      `sae ${common} ${sizes} --out x.safetensors --html x.html --overwrite --show 3 --learning-rate 0.003`,
    );
    assert.match(first.stdout, /^fraction of variance 0\.\d{4}, L0 \d\.\d of 40 features/);
    assert.match(first.stdout, /loss \d\.\d{4} as it is, \d\.\d{4} with the reconstruction/);
    assert.equal(first.stdout.match(/^feature \d+: at/gm)!.length, 3);
    assert.match(first.stderr, /train +\d+% +\d+\/30 steps +.*ETA .*loss 0\.\d+/);
    const page = Deno.readTextFileSync(made.at("x.html"));
    assert.match(page, /<title>Sparse autoencoder at blocks\.0\.hook_/);
    assert.equal(page.match(/<h2>Feature \d+<\/h2>/g)!.length, 3);
    const { stdout } = await run(`sae ${common} --sae x.safetensors --feature 7,9 --json`);
    const again = JSON.parse(stdout);
    assert.deepEqual([again.features.map((f: { feature: number }) => f.feature)], [[7, 9]]);
    assert.equal(again.fit.frequencies.length, 40);
    assert.equal(again.fit.fractionOfVariance.toFixed(4), first.stdout.match(/0\.\d{4}/)![0]);
    assert.match(
      (await run(`sae ${common} --sae x.safetensors --feature 40`, 1)).stderr,
      /Cannot show feature 40: there are 40, numbered from 0 to 39/,
    );
  });

  Deno.test(`${model}: own sets and pairs, as a table, a page and JSON`, async () => {
    const pairs = "--pairs pairs.csv --first-field sent_more --second-field sent_less";
    const { stdout } = await run(
      `bias --model ${model} --sets sets.json ${pairs} --html b.html --overwrite`,
    );
    assert.match(stdout, /p (0\.50|1\.0) +small: set a\/set b with set c\/set d/);
    assert.match(stdout, /pairs: the first is likelier in (0|50|100)\.0 % of 2/);
    assert.match(Deno.readTextFileSync(made.at("b.html")), /<h2>Embeddings \(WEAT\)<\/h2>/);
    const { stdout: json } = await run(
      `bias --model ${model} --sets sets.json --templates templates.json --json`,
    );
    const { words, templates, skipped } = JSON.parse(json);
    assert.deepEqual([words.length, templates.length], [1, model === "bert" ? 1 : 0]);
    if (model === "gpt") assert.match(skipped[0], /the model guesses no masked tokens/);
  });
}

Deno.test("files that cannot be used are told before a model is opened", async () => {
  const { stderr } = await run("bias --model gpt --sets templates.txt", 1);
  assert.match(stderr, /Cannot read .*templates\.txt/);
  const wrong = await run("bias --model gpt --templates sets.json", 1);
  assert.match(
    wrong.stderr,
    /sets\.json: tests\[0\]\.templates is not sentences with one \[TARGET\]/,
  );
  const pairs = await run("bias --model gpt --pairs words.txt", 1);
  assert.match(pairs.stderr, /wanted a file that ends in \.csv, \.tsv or \.jsonl/);
});
