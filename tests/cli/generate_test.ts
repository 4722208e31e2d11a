/** `generate`: files of prompts, beams and probabilities, ends with ids, and what is refused. @module */

import assert from "node:assert/strict";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import { folder } from "../data/files.ts";
import { runCli } from "./run_cli.ts";

const fixture = (name: string): Uint8Array =>
  Deno.readFileSync(new URL(`../fixtures/gpt2/model/${name}`, import.meta.url));

// With the unknown token as many as the fixture has ids: all that it writes is text.
const letters = Array.from({ length: 196 }, (_, i) => String.fromCodePoint(0x4e00 + i));
const tokenizer = await trainCharacterTokenizer(
  (async function* () {
    yield letters.join("");
  })(),
  { specialTokens: [] },
);

/** A model directory that ends texts at these ids, and files of prompts. */
const made = () =>
  folder({
    "m/config.json": fixture("config.json"),
    "m/model.safetensors": fixture("model.safetensors"),
    "m/generation_config.json": '{"eos_token_id": [19, 196]}',
    "m/tokenizer.json": JSON.stringify(tokenizer.toJson()),
    "lines.txt": `${letters[3]}\n\n${letters.slice(4, 9).join("")}\n`,
    "records.jsonl": `${JSON.stringify({ prompt: letters[3] })}\n${
      JSON.stringify({ prompt: letters.slice(4, 9).join("") })
    }\n`,
  });

Deno.test("each line of a file is continued, and a record of JSON says how likely that is", async () => {
  using place = made();
  const { path: cwd } = place;
  const shared = ["generate", "--model", "m", "--max-new-tokens", "6", "--no-tune"];
  const lines = await runCli([...shared, "--prompts", "lines.txt", "--greedy"], { cwd });
  assert.equal(lines.code, 0, lines.stderr);
  assert.match(lines.stderr, /Left out 1 empty text of lines\.txt/);
  const alone = await runCli([...shared, "--prompt", letters[3], "--greedy"], { cwd });
  assert.ok(lines.stdout.startsWith(`--- 1\n${alone.stdout}--- 2\n${letters[4]}`), lines.stdout);
  const beams = [
    "--beams",
    "3",
    "--samples",
    "2",
    "--no-repeat-ngram",
    "2",
    "--min-new-tokens",
    "2",
  ];
  const found = await runCli([...shared, "--prompts", "records.jsonl", ...beams, "--json"], {
    cwd,
  });
  assert.equal(found.code, 0, found.stderr);
  const records = found.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(records.map(({ prompt }) => prompt), [letters[3], letters.slice(4, 9).join("")]);
  for (const { texts, sequences } of records) {
    assert.equal(sequences.length, 2);
    assert.ok(sequences[0].score >= sequences[1].score);
    sequences.forEach((own: Record<string, unknown>, s: number) => {
      assert.equal(own.text, texts[s]);
      const ids = own.ids as number[];
      assert.ok(ids.length >= 2 && !ids.includes(19) && !ids.includes(196));
      const sum = (own.logProbabilities as number[]).reduce((all, one) => all + one, 0);
      assert.equal(own.logProbability, sum);
      assert.ok(["stop", "length"].includes(own.finishReason as string));
    });
  }
});

Deno.test("ids end where the model's files say, and what cannot be is said", async () => {
  using place = made();
  const { path: cwd } = place;
  const shared = ["generate", "--model", "m", "--max-new-tokens", "12", "--no-tune"];
  const run = async (...more: string[]) => await runCli([...shared, "--greedy", ...more], { cwd });
  const ended = (await run("--ids", "54,38,0")).stdout.trim();
  // Without an end, 19 is among the first twelve tokens.
  assert.ok(!ended.split(",").includes("19") && ended.split(",").length < 12, ended);
  const faults: [string[], RegExp][] = [
    [["--ids", "1", "--prompt", "a"], /give one of --prompt TEXT, --prompts FILE and --ids/],
    [["--prompt", letters[1], "--stop", ""], /Cannot stop before an empty text/],
    [["--ids", "1", "--beams", "2", "--top-k", "3"], /leave out --top-k, or --beams/],
    [["--ids", "1", "--beams", "2", "--samples", "3"], /the best 3 of 2 beams/],
    [["--ids", "1", "--min-new-tokens", "13"], /13 tokens at least: 12 are written at most/],
  ];
  for (const [more, message] of faults) {
    const { code, stderr } = await run(...more);
    assert.equal(code, 1);
    assert.match(stderr, message);
  }
});
