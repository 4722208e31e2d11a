/**
 * Texts written as text, to a stop string; and prompts made for the label that a classifier found.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  classifyAndWrite,
  fillTemplate,
  type LabelFinder,
  loadGpt,
  openDevice,
  readPromptTemplates,
  templateFor,
  trainCharacterTokenizer,
  VitrailError,
  writeText,
} from "../../mod.ts";
import { folder } from "../data/files.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const model = loadGpt(device, new URL("../fixtures/gpt2/model", import.meta.url).pathname);

async function* characters(): AsyncGenerator<string> {
  // With two special tokens, as many as the fixture has ids: whatever it writes is text.
  yield Array.from({ length: 195 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join("");
}
const tokenizer = await trainCharacterTokenizer(characters(), {});
const letters = (text: string): string =>
  // letters as some of those characters
  text.replace(/[a-z]/g, (c) => String.fromCodePoint(0x4e00 + c.charCodeAt(0)));
const writer = { model, tokenizer };
const greedy = { temperature: 0, maxNewTokens: 20, chunk: 3 };

Deno.test("a text is told piece by piece, and ends before the first stop string", async () => {
  const prompt = tokenizer.encode(letters("abc"));
  const pieces: string[] = [];
  const whole = await writeText(writer, prompt, { ...greedy, onText: (p) => pieces.push(p) });
  assert.equal([...whole].length, 20);
  assert.equal(pieces.join(""), whole);
  assert.equal(pieces.length, 7, "twenty tokens, three at a time");
  // A stop string that lies across two readings of three tokens, and one that comes later.
  for (const [from, length] of [[5, 3], [2, 1], [7, 5]]) {
    const stop = whole.slice(from, from + length);
    const at = whole.indexOf(stop);
    const told: string[] = [];
    const written = await writeText(writer, prompt, {
      ...greedy,
      stop: [stop, whole.slice(-2)],
      onText: (p) => told.push(p),
    });
    const end = Math.min(at, whole.indexOf(whole.slice(-2)));
    assert.equal(written, whole.slice(0, end));
    assert.equal(told.join(""), written, "nothing of a stop string is ever told");
  }
});

/** Finds the label in the text itself. */
const classifier: LabelFinder = {
  classify: (texts) =>
    Promise.resolve(texts.map((text) => ({
      labels: [{ label: text[0], score: 0.875 }, { label: "other", score: 0.125 }],
      truncated: text.length > 40,
    }))),
};

Deno.test("the template of the label that was found is what the writer goes on with", async () => {
  const [x, y] = [letters("xhello"), letters("ydear")];
  const templates = { [x[0]]: letters("one ") + "{text}", "*": letters("other ") + "{label}" };
  const seen: string[] = [];
  for (const [text, prompt] of [[x, letters("one ") + x], [y, letters("other ") + y[0]]]) {
    const result = await classifyAndWrite(text, { classifier, ...writer, templates }, {
      ...greedy,
      onPrompt: (found) => seen.push(found.prompt),
    });
    const wanted = await writeText(writer, tokenizer.encode(prompt), greedy);
    assert.deepEqual(result, {
      text,
      label: text[0],
      score: 0.875,
      prompt,
      written: wanted,
      truncated: false,
      shortened: false,
    });
  }
  assert.deepEqual(seen, [letters("one ") + x, letters("other ") + y[0]]);
});

Deno.test("a text that leaves no room loses its end, and says so; a template cannot", async () => {
  const text = letters("abcdefghijklmnopqrstuvwxyz".repeat(2));
  const templates = { "*": letters("q") + "{text}" + letters("z") };
  const result = await classifyAndWrite(text, { classifier, ...writer, templates }, greedy);
  // 31 tokens of context, 20 to write: 11 for the prompt, two of them the template's.
  assert.equal(result.prompt, letters("q") + text.slice(0, 9) + letters("z"));
  assert.deepEqual([result.shortened, result.truncated], [true, true]);
  const long = { "*": letters("abcdefghijkl") };
  await assert.rejects(
    () => classifyAndWrite(text, { classifier, ...writer, templates: long }, greedy),
    new VitrailError(
      "Cannot write on a prompt of 12 tokens: the writer's context has room for 11 beside what " +
        "is to be written; shorten the template, or write less",
    ),
  );
});

Deno.test("templates are filled once, chosen by label, and read from files", () => {
  const values = { label: "{text}", text: "$& {label}", score: 0.9876 };
  assert.equal(
    fillTemplate("<{label}|{text}|{score}|{else}>", values),
    "<{text}|$& {label}|0.99|{else}>",
  );
  using made = folder({
    "one.txt": "On {label}:\n",
    "many.json": '{"spam": "s", "*": "o"}',
    "list.json": '["a", 3]',
    "broken.json": "{",
  });
  assert.deepEqual(readPromptTemplates(made.at("one.txt")), { "*": "On {label}:\n" });
  const many = readPromptTemplates(made.at("many.json"));
  assert.deepEqual(["spam", "ham", "toString"].map((l) => templateFor(many, l)), ["s", "o", "o"]);
  assert.throws(() => templateFor({ spam: "s" }, "ham"), {
    name: "VitrailError",
    message: 'Cannot write on the label "ham": there is no template for it, only for "spam"; ' +
      'add one, or "*" for all others',
  });
  assert.throws(() => readPromptTemplates(made.at("list.json")), /it holds \["a",3\], wanted/);
  assert.throws(() => readPromptTemplates(made.at("broken.json")), /it is not valid JSON/);
  assert.throws(() => readPromptTemplates(made.at("none.txt")), /no such file or directory/);
});
