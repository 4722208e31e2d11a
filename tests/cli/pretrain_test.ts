/**
 * `pretrain bert` and `fill-mask` from a terminal: resumed to the same bytes, used, and refused.
 *
 * @module
 */
import assert from "node:assert/strict";
import { randomOf } from "../../src/data/random.ts";
import { readMetrics } from "../../src/training/metrics.ts";
import { killWhen } from "../kill.ts";
import { cliCommand, runCli } from "./run_cli.ts";

const STEPS = 24;
// deno-fmt-ignore
const FLAGS = [
  "pretrain", "bert", "--data", "texts.jsonl", "--steps", `${STEPS}`, "--vocabulary", "197",
  "--layers", "1", "--heads", "2", "--channels", "24", "--sequence", "29", "--batch", "3",
  "--accumulation", "2", "--learning-rate", "0.01", "--evaluate-every", "10",
  "--evaluate-batches", "5", "--save-every", "7", "--validation-fraction", "0.3", "--whole-word",
];
/** Files that a resumed run leaves to the byte as an uninterrupted one does. */
const REPEATED = [
  "model.safetensors",
  "checkpoint.safetensors",
  "metrics.jsonl",
  "config.json",
  "tokenizer.json",
  "data/sentences.safetensors",
];

/** Documents of a few sentences, each about an animal and a place of its own. */
function makeTexts(documents: number): string {
  const random = randomOf(197);
  const pick = (words: string): string => {
    const all = words.split(" ");
    return all[Math.floor(random() * all.length)];
  };
  return Array.from({ length: documents }, () => {
    const [animal, place] = [pick("cat dog horse sparrow pike"), pick("barn river house forest")];
    const sentences = Array.from(
      { length: 2 + Math.floor(9 * random()) },
      () =>
        `The ${pick("old young hungry")} ${animal} ${pick("sleeps sings waits")} ` +
        `${pick("in near behind")} the ${place}${pick(". ! ?")}`,
    );
    return JSON.stringify({ text: sentences.join(" ") });
  }).join("\n") + "\n";
}

const cwd = Deno.makeTempDirSync();
globalThis.addEventListener("unload", () => Deno.removeSync(cwd, { recursive: true }));
Deno.writeTextFileSync(`${cwd}/texts.jsonl`, makeTexts(60));

/** Runs a command that must succeed. */
async function run(args: string[], input?: string) {
  const outcome = await runCli(args, { cwd, input });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

/** A command that must fail with one line. */
async function refused(args: string[], message: RegExp, input?: string): Promise<void> {
  const { code, stderr } = await runCli(args, { cwd, input });
  assert.equal(code, 1);
  assert.match(stderr, message);
  assert.match(stderr, /^error: [^\n]+\n$/);
}

let whole: Promise<string> | undefined;
/** What was told by a run that nobody disturbed; it is in `whole`. */
function uninterrupted(): Promise<string> {
  return whole ??= run([...FLAGS, "--out", "whole"]).then(({ stderr }) => stderr);
}

Deno.test("both losses and both accuracies are logged, and the share of padding is told", async () => {
  const told = await uninterrupted();
  assert.match(
    told,
    /parameters on .*; an epoch has \d+ sequences in \d+ batches, \d+\.\d % padding, \d+\.\d % of/,
  );
  const records = readMetrics(`${cwd}/whole/metrics.jsonl`);
  const held = records.filter((r) => "validationLoss" in r);
  assert.deepEqual(held.map(({ step }) => step), [10, 20, 24]);
  for (const r of held) {
    const [masked, next] = ["maskedLoss", "nextSentenceLoss"]
      .map((name) => Number(r[`validation/${name}`]));
    assert.ok(Math.abs(Number(r.validationLoss) - masked - next) < 1e-6);
    for (const name of ["maskedAccuracy", "nextSentenceAccuracy", "nextSentenceBaseline"]) {
      const value = Number(r[`validation/${name}`]);
      assert.ok(value >= 0 && value <= 1, `${name} ${value}`);
    }
  }
  // Most words are the same in every sentence: soon far less is unknown than at the beginning.
  const { vocab_size } = JSON.parse(Deno.readTextFileSync(`${cwd}/whole/config.json`));
  const masked = Number(held.at(-1)!["validation/maskedLoss"]);
  assert.ok(masked < 0.7 * Math.log(vocab_size), `${masked}, ${vocab_size}`);
  assert.ok(records.every((r) => !("loss" in r) || "train/nextSentenceLoss" in r));
});

Deno.test("a run that was killed and resumed ends with the same bytes", async () => {
  await uninterrupted();
  const [command, ...args] = cliCommand([...FLAGS, "--out", "killed", "--resume"], {
    cwd,
  });
  const lines = (): number => {
    try {
      return Deno.readTextFileSync(`${cwd}/killed/metrics.jsonl`).split("\n").length;
    } catch {
      return 0;
    }
  };
  for (const enough of [1, 12]) {
    const child = new Deno.Command(command, { args, cwd, stdout: "null", stderr: "null" }).spawn();
    await killWhen({ kill: (s) => child.kill(s), ended: child.status }, () => lines() > enough);
    assert.ok(lines() <= STEPS, "killed before its last step");
  }
  // Goes on with the sentences of then, though the text is another now.
  const text = Deno.readTextFileSync(`${cwd}/texts.jsonl`);
  Deno.writeTextFileSync(`${cwd}/texts.jsonl`, text + makeTexts(3));
  try {
    const { stderr } = await run(args.slice(args.indexOf("pretrain")));
    assert.match(stderr, /is not what this run began with/);
  } finally {
    Deno.writeTextFileSync(`${cwd}/texts.jsonl`, text);
  }
  for (const name of REPEATED) {
    const [a, b] = ["whole", "killed"].map((d) => Deno.readFileSync(`${cwd}/${d}/${name}`));
    assert.ok(a.length === b.length && a.every((x, i) => x === b[i]), `${name} differs`);
  }
});

Deno.test("masked tokens alone, from a pre-trained directory and its tokenizer", async () => {
  await uninterrupted();
  const flags = FLAGS.filter((flag) => flag !== "--whole-word");
  await run([...flags, "--out", "masked", "--from", "whole", "--no-next-sentence"]);
  const config = JSON.parse(Deno.readTextFileSync(`${cwd}/masked/config.json`));
  assert.deepEqual(config.architectures, ["BertForMaskedLM"]);
  const held = readMetrics(`${cwd}/masked/metrics.jsonl`).filter((r) => "validationLoss" in r);
  assert.ok(held.every((r) => !("validation/nextSentenceLoss" in r)));
  // It goes on where the other stopped: no worse than it was.
  const before = readMetrics(`${cwd}/whole/metrics.jsonl`).findLast((r) => "validationLoss" in r)!;
  const after = Number(held.at(-1)!.validationLoss);
  assert.ok(after < Number(before["validation/maskedLoss"]), `${after}, ${JSON.stringify(before)}`);
  const [a, b] = ["whole", "masked"].map((d) =>
    Deno.readTextFileSync(`${cwd}/${d}/tokenizer.json`)
  );
  assert.equal(a, b);
});

Deno.test("fill-mask guesses each gap, of arguments, files and standard input alike", async () => {
  await uninterrupted();
  const texts = ["The [MASK] cat sleeps [MASK] the house.", "The old dog [MASK]"];
  const json = async (args: string[], input?: string) =>
    (await run(["fill-mask", "--model", "whole", "--json", ...args], input)).stdout
      .trimEnd().split("\n").map((line) => JSON.parse(line));
  const found = await json([...texts, "--top-k", "3"]);
  assert.deepEqual(found.map(({ text }) => text), texts);
  assert.deepEqual(found.map(({ masks }) => masks.length), [2, 1]);
  for (const { text, filled, masks } of found) {
    for (const { begin, end, guesses } of masks) {
      assert.equal(text.slice(begin, end), "[MASK]");
      assert.equal(guesses.length, 3);
      const scores = guesses.map(({ score }: { score: number }) => score);
      assert.deepEqual(scores, scores.toSorted((a: number, b: number) => b - a));
      assert.ok(scores[0] < 1 && scores[2] > 0);
    }
    assert.ok(!filled.includes("[MASK]"));
  }
  // All guesses together are certain.
  const [{ masks }] = await json([texts[1], "--top-k", "1000"]);
  const sum = masks[0].guesses.reduce(
    (all: number, { score }: { score: number }) => all + score,
    0,
  );
  assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`);
  const { vocab_size } = JSON.parse(Deno.readTextFileSync(`${cwd}/whole/config.json`));
  assert.equal(masks[0].guesses.length, vocab_size);
  assert.deepEqual(await json(["--data", "-", "--top-k", "3"], texts.join("\n\n")), found);
  Deno.writeTextFileSync(`${cwd}/gaps.txt`, texts.join("\n") + "\n");
  assert.deepEqual(await json(["--data", "gaps.txt", "--top-k", "3", "--batch", "1"]), found);
  const { stdout } = await run(["fill-mask", "--model", "whole", "--top-k", "2", texts[0]]);
  const guess = String.raw`\S+ [01]\.\d{3}`;
  assert.match(stdout, new RegExp(`^The [^\\n]*\\n(  ${guess}  ${guess}\\n){2}$`));
});

Deno.test("what cannot be filled in, or trained on, is told in one line", async () => {
  await uninterrupted();
  const fill = ["fill-mask", "--model", "whole"];
  await refused(fill, /Cannot fill in nothing: give a text such as/);
  await refused([...fill, "The cat"], /Cannot fill in "The cat": it has no \[MASK\]; put one/);
  const long = "the [MASK] " + "cat ".repeat(29);
  await refused([...fill, long], /it has 33 tokens .* context is 29; shorten the text/);
  await refused([...fill, "--data", "-"], /standard input: it holds no text/, "\n");
  const train = (data: string, ...flags: string[]) => [
    ...["pretrain", "bert", "--out", "refused", "--data", data, "--vocabulary", "197"],
    ...flags,
  ];
  Deno.writeTextFileSync(`${cwd}/lone.jsonl`, '{"text":"One."}\n{"text":"Two."}\n');
  await refused(train("-"), /Cannot learn a tokenizer from standard input, .* --tokenizer/, "x");
  await refused(train("no such file"), /Cannot read no such file/);
  await refused(train("texts.jsonl", "--preset", "tyni"), /did you mean tiny\?/);
  await refused(train("texts.jsonl", "--sentences", "words"), /wanted lines or segmenter/);
  await refused(train("texts.jsonl", "--channels", "25"), /channels is 25, wanted a multiple of/);
});

Deno.test("documents of one sentence each give no pairs, and say what to do", async () => {
  Deno.writeTextFileSync(`${cwd}/lone.jsonl`, '{"text":"One."}\n{"text":"Two."}\n');
  const args = ["pretrain", "bert", "--out", "lone", "--data", "lone.jsonl"];
  const { code, stderr } = await runCli([...args, "--vocabulary", "29"], { cwd });
  assert.equal(code, 1);
  assert.match(stderr, /error: Cannot draw pairs of sentences: every document has only one; give/);
});
