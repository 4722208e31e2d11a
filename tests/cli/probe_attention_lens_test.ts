/**
 * `probe attention` and `probe lens`, each in a process with the launcher's permissions.
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
import { busy } from "../probes/busy_models.ts";
import { runCli } from "./run_cli.ts";

const characters = await trainCharacterTokenizer(["abcd 123 . , !"]);
const made = folder({
  "gpt/tokenizer.json": JSON.stringify(characters.toJson()),
  "bert/tokenizer.json": JSON.stringify(tinyTokenizer().toJson()),
  "words.txt": "a bad cab , a dab . d c b a ! ".repeat(20),
});
Deno.test.afterAll(() => made[Symbol.dispose]());

const size = { contextLength: 16, channels: 24, layers: 2, heads: 2 };
const device = await openDevice();
await saveGpt(
  new Gpt(device, createGptConfig({ ...size, vocabularySize: characters.vocabularySize }), busy),
  made.at("gpt"),
);
await saveBert(
  new Bert(device, createBertConfig({ ...size, vocabularySize: PIECES.length }), { source: busy }),
  made.at("bert"),
);
device.destroy();

const probe = (...args: string[]) => runCli(["probe", ...args], { cwd: made.path });
async function run(...args: string[]) {
  const outcome = await probe(...args);
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

for (const model of ["gpt", "bert"]) {
  Deno.test(`${model}: attention as text, JSON, page and picture`, async () => {
    const text = "a bad cab a";
    const { stdout } = await run(
      "attention",
      text,
      "--model",
      model,
      "--html",
      "a.html",
      "--overwrite",
      "--svg",
      "a.svg",
      "--head",
      "1.0",
    );
    const scores = stdout.split("\n").filter((line) => /^\d\.\d( +(\d+\.\d\d|–)){5}$/.test(line));
    assert.deepEqual(scores.map((line) => line.slice(0, 3)), ["0.0", "0.1", "1.0", "1.1"]);
    assert.match(stdout, /by rollout place \d+ is made of/);
    const page = Deno.readTextFileSync(made.at("a.html"));
    assert.equal(page.match(/<canvas/g)!.length >= 5, true, "four heads and the rollout");
    assert.match(page, /class="heatmaps" style="--abreast:2"/);
    assert.match(
      Deno.readTextFileSync(made.at("a.svg")),
      /^<svg [^]*<title>Layer 1, head 0<\/title>/,
    );

    const { stdout: json } = await run("attention", text, "--model", model, "--json");
    const { tokens, heads, rollout } = JSON.parse(json);
    const T = tokens.length;
    assert.deepEqual([heads.length, heads[3].pattern.length, rollout.length], [4, T, 2]);
    for (const row of [...heads[3].pattern, ...rollout[1]]) {
      const sum = row.reduce((a: number, b: number) => a + b, 0);
      assert.ok(row.length === T && Math.abs(sum - 1) < 1e-5, `${row}`);
    }
  });

  Deno.test(`${model}: a lens is trained, kept, and looked through again`, async () => {
    const mask = model === "bert" ? ["--mask", "2"] : [];
    const look = ["a b c .", "--model", model, "--lens", "x.safetensors", ...mask];
    const { stdout, stderr } = await run(
      "lens",
      ...look,
      "--train-on",
      "words.txt",
      "--steps",
      "60",
      "--batch",
      "4",
      "--learning-rate",
      "0.01",
      "--html",
      "l.html",
      "--overwrite",
      "--svg",
      "l.svg",
      "--attribute",
      "--neurons",
      "3",
    );
    assert.match(stderr, /Wrote x\.safetensors/);
    const beside = [...stdout.matchAll(/^(embeddings|layer 1) +(\d\.\d+) +(\d\.\d+)$/gm)];
    assert.equal(beside.length, 2);
    for (const [, , plain, tuned] of beside) assert.ok(Number(tuned) < Number(plain), stdout);
    assert.match(stdout, /rank \d+ → \d+ → \d+/);
    assert.match(stdout, /layer 2: 0\.000 nats from the final guess \(plain lens 0\.000\)/);
    assert.ok(Math.abs(Number(/what is left: (\S+)/.exec(stdout)![1])) < 1e-4, stdout);
    assert.equal(stdout.match(/^ {2}layer \d, neuron \d+: [+−]\d\.\d{3}$/gm)!.length, 3);
    const page = Deno.readTextFileSync(made.at("l.html"));
    assert.match(page, /<h3>Logit lens<\/h3>[^]*<h3>Tuned lens<\/h3>/);
    assert.match(page, /<th scope="col">Place<\/th><th scope="col">embeddings<\/th>/);
    assert.match(page, /The tuned lens beside the plain one/);
    assert.match(Deno.readTextFileSync(made.at("l.svg")), /^<svg [^]*What each head adds/);

    const { stdout: json } = await run("lens", ...look, "--json", "--top", "2");
    const { layers, tuned, tokens } = JSON.parse(json);
    assert.deepEqual([layers.length, tuned.length, layers[1].cells.length], [3, 3, tokens.length]);
    assert.equal(tuned[0].cells[0].top.length, 2);
    const divergence = (rows: typeof layers) =>
      rows[0].cells.reduce((sum: number, cell: { klToFinal: number }) => sum + cell.klToFinal, 0);
    assert.ok(divergence(tuned) < divergence(layers));
    assert.equal(layers[0].cells[2].target.id === undefined, false);
  });
}

Deno.test("what cannot be looked at is told in a line", async () => {
  const cases: [string[], RegExp][] = [
    [["lens", "--model", "gpt"], /Cannot look at nothing: give a text, or --train-on FILE/],
    [
      ["lens", "--model", "gpt", "--train-on", "words.txt"],
      /give --lens FILE along with --train-on/,
    ],
    [["lens", "a b", "--model", "gpt", "--mask", "1"], /Cannot mask places of a text for a GPT/],
    [
      ["lens", "a b", "--model", "bert", "--mask", "9"],
      /Cannot mask place 9: the text has places 0 to 3/,
    ],
    [["lens", "a b", "--model", "gpt", "--against", "a"], /give --attribute TOKEN as well/],
    [["lens", "a b", "--model", "gpt", "--attribute", "--at", "3"], /there are places 0 to 2/],
    [["attention", "a b", "--model", "gpt", "--head", "2.0"], /Cannot show head 0 of layer 2/],
    [
      ["attention", "a b", "--model", "gpt", "--head", "x"],
      /wanted a layer and a head, such as 1\.3/,
    ],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await probe(...args);
    assert.equal(code !== 0, true, args.join(" "));
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
});
