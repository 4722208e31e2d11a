/**
 * `pipeline` in a process with the launcher's permissions: texts in, labels and writing out.
 *
 * @module
 */
import assert from "node:assert/strict";
import { trainCharacterTokenizer, trainWordPieceTokenizer } from "../../mod.ts";
import { folder } from "../data/files.ts";
import { runCli } from "./run_cli.ts";

const FIXTURES = new URL("../fixtures/", import.meta.url);
const read = (name: string) => Deno.readFileSync(new URL(name, FIXTURES));

async function* texts(): AsyncGenerator<string> {
  yield "abcdefghijklmnopqrstuvwxyz0123456789 .,<|>:\n";
}

Deno.test("each text is labelled, and written on by its label's template, live or as JSON", async () => {
  const [pieces, characters] = [
    await trainWordPieceTokenizer(texts(), { vocabularySize: 150 }),
    await trainCharacterTokenizer(texts(), {}),
  ];
  const templates = { LABEL_0: "zero: ", LABEL_1: "one: ", LABEL_2: "two: " };
  using made = folder({
    "reader/config.json": read("bert/single/config.json"),
    "reader/model.safetensors": read("bert/single/model.safetensors"),
    "reader/tokenizer.json": JSON.stringify(pieces.toJson()),
    "writer/config.json": read("gpt2/model/config.json"),
    "writer/model.safetensors": read("gpt2/model/model.safetensors"),
    "writer/tokenizer.json": JSON.stringify(characters.toJson()),
    "prompts.json": JSON.stringify(templates),
    "texts.txt": "abc\n\nxyz zyx\n",
  });
  const cwd = made.path;
  const flags = ["--classifier", "reader", "--writer", "writer", "--template", "prompts.json"];
  const options = ["--greedy", "--max-new-tokens", "9", "--data", "texts.txt"];
  const asJson = await runCli(["pipeline", ...flags, ...options, "--json"], { cwd });
  assert.equal(asJson.code, 0, asJson.stderr);
  const found = asJson.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(found.map(({ text }) => text), ["abc", "xyz zyx"]);
  for (const { label, score, prompt } of found) {
    assert.equal(prompt, templates[label as keyof typeof templates]);
    assert.ok(score > 1 / 3 && score <= 1);
  }
  // The labels are those that `classify` finds, and the writing that of `generate`.
  const classify = ["classify", "--model", "reader", "--top-k", "1", "--json", "abc", "xyz zyx"];
  const labels = await runCli(classify, { cwd });
  assert.deepEqual(
    labels.stdout.trim().split("\n").map((line) => JSON.parse(line).labels[0].label),
    found.map(({ label }) => label),
  );
  const { label: _, ...first } = found[0];
  const generate = ["generate", "--model", "writer", "--prompt", first.prompt, "--json"];
  const written = await runCli([...generate, "--greedy", "--max-new-tokens", "9"], { cwd });
  assert.deepEqual(JSON.parse(written.stdout).texts, [first.written]);
  const live = await runCli(["pipeline", ...flags, ...options], { cwd });
  const shown = found.map(({ label, score, prompt, written }) =>
    `${label} ${score.toFixed(4)}\n${prompt}${written}\n\n`
  );
  assert.equal(live.stdout, shown.join(""));
  const nothing = await runCli(["pipeline", ...flags], { cwd });
  assert.match(nothing.stderr, /^error: Cannot write on nothing: give texts, or --data FILE/);
});
