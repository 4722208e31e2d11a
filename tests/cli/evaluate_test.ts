/**
 * `evaluate` in a process with the launcher's permissions, on models whose answers are known without
 * running them: where a head's weights are zero, its biases alone decide.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  Bert,
  type BertHeadsSettings,
  createBertConfig,
  freshWeights,
  openDevice,
  saveBert,
  type WeightSource,
} from "../../mod.ts";
import { type Folder, folder } from "../data/files.ts";
import { PIECES, tinyTokenizer } from "../data/pretraining/tiny_bert_tokenizer.ts";
import { runCli } from "./run_cli.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const config = createBertConfig({
  vocabularySize: PIECES.length,
  contextLength: 13,
  channels: 36,
  layers: 1,
  heads: 3,
});

/** Random weights, but heads of zeros that always prefer `first`. */
const source = (first: number): WeightSource => (name, shape, initial) => {
  const size = shape.reduce((all, n) => all * n, 1);
  if (name === "classifier.bias") {
    return Float32Array.from({ length: size }, (_, i) => +(i === first));
  }
  const zero = /^(classifier|cls\.seq_relationship|cls\.predictions\.bias|.*word_embeddings)/;
  return zero.test(name) ? new Float32Array(size) : freshWeights(5)(name, shape, initial);
};

/** A folder with a model and other files. */
async function place(
  heads: BertHeadsSettings,
  first: number,
  files: Record<string, string>,
): Promise<Folder> {
  const made = folder({ ...files, "m/tokenizer.json": JSON.stringify(tinyTokenizer().toJson()) });
  await saveBert(new Bert(device, config, { heads, source: source(first) }), made.at("m"));
  return made;
}

async function evaluate(args: string, cwd: string, input?: string) {
  const words = `evaluate --model m ${args}`.split(" ");
  const outcome = await runCli(words, { cwd, input });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

async function refused(args: string, cwd: string, message: RegExp): Promise<void> {
  const { code, stderr } = await runCli(`evaluate --model m ${args}`.split(" "), { cwd });
  assert.equal(code, 1, stderr);
  assert.match(stderr, message);
  assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
}

Deno.test("a BERT that knows nothing loses ln V at each masked token and ln 2 at each pair", async () => {
  const text = Array.from({ length: 9 }, () => "ab c ab\nc ab\nc c\nab c d").join("\n\n");
  using made = await place({ kind: "pretraining" }, 0, { "a.txt": text });
  const args = "--data a.txt --sentences lines --masking 0.3";
  const figures = JSON.parse((await evaluate(`${args} --json`, made.path)).stdout);
  assert.ok(Math.abs(figures.maskedLoss - Math.log(PIECES.length)) < 1e-5, `${figures.maskedLoss}`);
  assert.ok(Math.abs(figures.nextSentence.loss - Math.LN2) < 1e-6);
  assert.ok(figures.tokens > 20 && figures.nextSentence.pairs > 5);
  const { accuracy, baseline } = figures.nextSentence;
  assert.ok([baseline, 1 - baseline].some((part) => Math.abs(part - accuracy) < 1e-9));
  const { stdout } = await evaluate(args, made.path);
  assert.match(
    stdout,
    new RegExp(`^masked tokens: .* of ${figures.tokens} masked\nnext sentences:`),
  );
  Deno.writeTextFileSync(made.at("none.txt"), " ");
  await refused("--data none.txt", made.path, /Cannot use none\.txt: it holds no text/);
});

Deno.test("weights in fewer bits are refused where they would change nothing", async () => {
  const heads = [
    [{ kind: "pretraining" }, "fill-mask"],
    [{ kind: "sequence-classification", labels: ["a", "b"], labelKind: "single" }, "classify"],
  ] as const;
  for (const [head, task] of heads) {
    using made = await place({ ...head } as BertHeadsSettings, 0, { "a.txt": "ab c ab" });
    for (const asked of ["--weights int8", "--group 32"]) {
      const words = `Cannot evaluate m with ${asked}: it was made for ${task}, and only a GPT`;
      await refused(`--data a.txt ${asked}`, made.path, new RegExp(words));
    }
  }
});

Deno.test("a classifier is measured beside the commonest label, from files and standard input", async () => {
  const labels = ["x", "y", "z"];
  const heads = { kind: "sequence-classification" as const, labels, labelKind: "single" as const };
  const rows = ["x", "y", "y", "z", "y"].map((label, i) => `${"ab ".repeat(1 + 4 * i)}c,${label}`);
  const csv = ["text,label", ...rows, ",x"].join("\n");
  using made = await place(heads, 1, {
    "a.csv": csv,
    "new.csv": "text,label\nab,x\nc,w\n",
  });
  const { stdout, stderr } = await evaluate("--data a.csv --json", made.path);
  const { classes: _, ...figures } = JSON.parse(stdout);
  // Always y: 3 of 5 are; F1 of y is 2·3/(5 + 3), of the others 0. Three texts have 21 tokens or more.
  assert.deepEqual(figures.confusion, [[0, 1, 0], [0, 3, 0], [0, 1, 0]]);
  assert.deepEqual([figures.count, figures.accuracy, figures.macroF1], [5, 0.6, 0.25]);
  assert.deepEqual([figures.empty, figures.truncated], [1, 3]);
  assert.match(stderr, /^Left out 1 empty text of a\.csv$/m);
  assert.match(
    stderr,
    /^3 texts are longer than 13 tokens: cut there \(--long-texts windows reads all/m,
  );
  const piped = await evaluate("--data - --json", made.path, csv);
  assert.deepEqual(JSON.parse(piped.stdout), JSON.parse(stdout));
  assert.match((await evaluate("--data a.csv", made.path)).stdout, /^always y: accuracy 0\.6000/m);
  await refused(
    "--data new.csv",
    made.path,
    /new\.csv: line 3 has the label "w", which is not known/,
  );
});

Deno.test("a tagger is measured by the word and by the entity, on tags that it knows", async () => {
  const heads = { kind: "token-classification" as const, labels: ["B-X", "O"] };
  using made = await place(heads, 0, {
    "a.conll": "ab B-X\nc O\nab O\n\nc B-X\n",
    "new.conll": "ab B-Y\nc O\n",
  });
  const figures = JSON.parse((await evaluate("--data a.conll --json", made.path)).stdout);
  assert.deepEqual([figures.words, figures.accuracy], [4, 0.5]);
  // Every word is found to be an X: two of these four are there, and all that are there are found.
  const { precision, recall, f1 } = figures.entities;
  assert.deepEqual([precision, recall, f1], [0.5, 1, 2 / 3]);
  await refused("--data new.conll", made.path, /Cannot use the tag "B-Y" of new\.conll:1/);
});
