/**
 * `quantize`, and `--weights` of generate and evaluate: one model, written or made in passing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import { folder } from "../data/files.ts";
import { runCli, snapshot } from "./run_cli.ts";

const MODEL = new URL("../fixtures/gpt2/model/", import.meta.url);
const TEXT = "Call me Ishmael. Some years ago - never mind how long precisely.\n".repeat(7);
const FILES = {
  "a.txt": TEXT,
  "m/config.json": Deno.readTextFileSync(new URL("config.json", MODEL)),
  "m/model.safetensors": Deno.readFileSync(new URL("model.safetensors", MODEL)),
  "m/tokenizer.json": JSON.stringify((await trainCharacterTokenizer([TEXT])).toJson()),
};

/** Runs a command that must succeed; arguments stand apart by blanks. */
async function run(args: string, cwd: string): Promise<string> {
  const { code, stdout, stderr } = await runCli(args.split(" "), { cwd });
  assert.equal(code, 0, stderr);
  return stdout;
}

Deno.test("quantize writes what --weights makes in passing, and says what it costs", async () => {
  using place = folder(FILES);
  const cwd = place.path;
  const json = async (args: string) => JSON.parse(await run(`${args} --json`, cwd));
  const flags = "--model m --weights int8 --group 128";
  const { before, after } = await json(`quantize ${flags} --out q --data a.txt`);
  assert.ok(after.weightBytes < before.weightBytes);
  assert.notEqual(after.perplexity, before.perplexity);
  assert.equal(after.fileBytes, Deno.statSync(place.at("q/model.safetensors")).size);
  const found = await json("evaluate --data a.txt --model q");
  assert.equal(found.perplexity, after.perplexity);
  const generate = "generate --ids 5,6,7 --greedy --max-new-tokens 9";
  assert.deepEqual(await json(`${generate} --model q`), await json(`${generate} ${flags}`));
  const halves = await json(`${generate} ${flags} --cache f16`);
  assert.deepEqual(halves, await json(`${generate} ${flags}`), "f16 is what --cache is by itself");
  assert.equal(halves.ids[0].length, 9);
  assert.equal(
    Deno.readTextFileSync(place.at("q/tokenizer.json")),
    Deno.readTextFileSync(place.at("m/tokenizer.json")),
  );
});

Deno.test("what cannot be quantized is said, and no file is touched", async () => {
  using place = folder(FILES);
  const cwd = place.path;
  const said = await run("quantize --model m --weights int8 --out q", cwd);
  assert.match(
    said,
    /^weights f32 [\d,]+ bytes, int8 [\d,]+ bytes \(\d+\.\d %\)\nWrote q \(model\.safetensors of [\d,]+ bytes\)\n$/,
  );
  const before = snapshot(cwd);
  const says = async (args: string, words: RegExp) => {
    const { code, stderr } = await runCli(args.split(" "), { cwd });
    assert.notEqual(code, 0, args);
    assert.match(stderr, words);
    assert.match(stderr, /^error: [^\n]+\n$/);
    assert.deepEqual(snapshot(cwd), before, args);
  };
  const again = /Cannot use the weights in q as \w+: they are quantized to int8 already; leave out/;
  await says("quantize --model q --weights int4 --out r", again);
  await says("generate --model q --weights f32 --ids 5", again);
  await says("evaluate --model q --weights int8 --data a.txt", again);
  await says(
    "quantize --model m --weights int8 --out ./m",
    /Cannot quantize into \.\/m: it is the model in floats, .* give another --out/,
  );
  await says("quantize --model m --out r", /--weights/);
  await says("quantize --model m --weights int5 --out r", /wanted f16, int8 or int4/);
  await says("generate --model m --ids 5 --group 32", /Cannot use --group 32 with the file's/);
  await says("generate --model m --ids 5 --cache f8", /wanted f32 or f16/);
  await says("generate --model m --ids 5 --weights int8 --group 7", /wanted 32, 64 or 128/);
  await says(
    "train --data a.txt --from q --out r",
    /Cannot train the model in q: it is quantized to int8; give the model that it was made from/,
  );
});
