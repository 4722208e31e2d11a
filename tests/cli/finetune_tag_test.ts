/**
 * `finetune tag` and `tag`, each in a process with the launcher's permissions.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { folder } from "../data/files.ts";
import { runCli, snapshot } from "./run_cli.ts";

const NAMES = ["ann", "bob", "eve", "max", "zoe", "lee"];
const VERBS = ["met", "saw", "told"];

/** A name behind `mr` is a person of two words or three; a name alone is a place. */
const SENTENCES = Array.from({ length: 83 }, (_, i) => {
  const name = (k: number) => NAMES[Math.floor(6e4 * (1 + Math.sin(i * 7 + k))) % 6];
  const person = [["mr", "B-PER"], [name(1), "I-PER"], ...i % 3 ? [] : [[name(2), "I-PER"]]];
  const rest = [[VERBS[i % 3], "O"], [name(3), "B-LOC"], [".", "O"]];
  return (i % 2 ? [...person, ...rest] : [...rest.slice(0, 2), ...person, [".", "O"]]);
});
const CONLL = SENTENCES.map((rows) => rows.map((row) => row.join(" ")).join("\n")).join("\n\n");
const SIZES =
  "--preset pico --vocabulary 60 --sequence 24 --batch 8 --learning-rate 0.005 --dropout 0";

async function run(args: string[], cwd: string, input?: string) {
  const outcome = await runCli(args, { cwd, input });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

Deno.test("tags are learnt, kept beside a baseline, and given to new words", async () => {
  using made = folder({ "x.conll": CONLL, "o.conll": "saw O\nmet O\n" });
  const cwd = made.path;
  const train = `finetune tag --data x.conll --from scratch --out m --steps 100 ${SIZES} ` +
    "--validation-fraction 0.2 --evaluate-every 20";
  const { stdout, stderr } = await run(train.split(" "), cwd);
  const [, held] = stderr.match(/sentences to train on .*, (\d+) held out, 4 tags/) ?? [];
  assert.ok(Number(held) > 5, stderr);
  assert.match(
    stdout,
    /^accuracy 1\.0000, entities: precision 1\.0000, recall 1\.0000, F1 1\.0000/,
  );
  const kept = JSON.parse(Deno.readTextFileSync(made.at("m/evaluation.json")));
  assert.equal(kept.sentences, Number(held));
  assert.deepEqual(Object.keys(kept.entities.types), ["LOC", "PER"]);
  // A name may be of a place or of a person: who looks words up cannot know.
  assert.ok(kept.baseline.accuracy < 0.95 && kept.baseline.accuracy > 0.5, stdout);
  assert.match(stdout, new RegExp(`frequent tag: accuracy ${kept.baseline.accuracy.toFixed(4)}`));
  assert.match(Deno.readTextFileSync(made.at("m/metrics.jsonl")), /"validation\/f1":/);
  const { id2label, architectures } = JSON.parse(Deno.readTextFileSync(made.at("m/config.json")));
  assert.deepEqual(Object.values(id2label), ["B-LOC", "B-PER", "I-PER", "O"]);
  assert.deepEqual(architectures, ["BertForTokenClassification"]);

  const measured = await run(["evaluate", "--model", "m", "--data", "o.conll", "--json"], cwd);
  const { entities: none, notes } = JSON.parse(measured.stdout);
  assert.equal(none.f1, 0);
  assert.match(notes[0], /the right tags have no entity: .* F1 counts as 0/);

  const text = "Saw Ann Mr Bob, mr Zoe Max met Eve.";
  const [line] = (await run(["tag", "--model", "m", "--json", text], cwd)).stdout.trim().split(
    "\n",
  );
  const { sentences: [words], entities } = JSON.parse(line);
  assert.equal(words[5].word, "mr");
  assert.equal(text.slice(words[5].begin, words[5].begin + 2), "mr");
  assert.ok(
    entities.some((e: { text: string; type: string }) => e.text === "Ann" && e.type === "LOC"),
  );
  // Words and their tags in columns, from standard input: what they are scored against next.
  const lines = SENTENCES.slice(0, 3).map((rows) => rows.map(([word]) => word).join(" "));
  const given = ["tag", "--model", "m", "--data", "-", "--words"];
  const columns = (await run(given, cwd, lines.join("\n\n"))).stdout;
  const found = columns.trim().split("\n\n").map((sentence) =>
    sentence.split("\n").map((row) => row.split("\t").slice(0, 2))
  );
  assert.deepEqual(found, SENTENCES.slice(0, 3));
  Deno.writeTextFileSync(made.at("y.conll"), columns);
  const score = [
    "tag",
    "--model",
    "m",
    "--data",
    "y.conll",
    "--score",
    "--tag-column",
    "2",
    "--json",
  ];
  assert.equal(JSON.parse((await run(score, cwd)).stdout).accuracy, 1);

  const more = await run(["finetune", "tag", "--out", "m", "--resume", "--steps", "104"], cwd);
  assert.match(more.stdout, /^accuracy/);
  const steps = Deno.readTextFileSync(made.at("m/metrics.jsonl")).trim().split("\n")
    .map((row) => JSON.parse(row)).filter(({ loss }) => loss !== undefined)
    .map(({ step }) => step);
  assert.deepEqual(steps, Array.from({ length: 104 }, (_, i) => i + 1));
  const further = "finetune tag --data x.conll --model m --out n --steps 2 --patience 0 " +
    "--freeze embeddings,layer.0 --layer-decay 0.5";
  assert.match((await run(further.split(" "), cwd)).stdout, /^accuracy (0\.9|1)/);
  const [before, after] = ["m", "n"].map((place) =>
    openSafetensors(made.at(`${place}/model.safetensors`))
  );
  const changed = after.names.filter((name) => `${after.read(name)}` !== `${before.read(name)}`);
  assert.ok(changed.every((name) => /^bert\.encoder\.layer\.1\.|^classifier\./.test(name)));
  assert.ok(changed.includes("classifier.weight"), changed.join());
});

Deno.test("what cannot be tagged is told in one line, and nothing is replaced", async () => {
  using made = folder({
    "x.conll": CONLL,
    "new.conll": "mr B-ORG\nann O\n",
    "one.conll": "a X\nb X\n\nc X\n",
    "ragged.conll": "a X\nb X Y\n",
  });
  const cwd = made.path;
  const before = snapshot(cwd);
  const refused = async (args: string, message: RegExp) => {
    const { code, stderr } = await runCli(args.split(" "), { cwd });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^error: [^\n]+\n$/);
    assert.match(stderr, message);
    assert.deepEqual(snapshot(cwd), before);
  };
  const begin = "finetune tag --from scratch --out m --data";
  await refused(`${begin} x.conll --validation new.conll`, /the tag "B-ORG" of new\.conll:1/);
  await refused(`${begin} one.conll`, /every word has the tag "X"/);
  await refused(`${begin} ragged.conll`, /line 2 has 3 columns, wanted 2/);
  await refused(`${begin} none.conll`, /there is no such file/);
  await refused(`${begin} x.conll --tag-column 0`, /wanted a column/);
  await refused("finetune tag --data x.conll --out m", /give --model DIRECTORY, or --from scratch/);
  await refused("finetune tag --data x.conll --model absent --out m", /absent\/config\.json/);
  await refused("tag --model absent", /Cannot tag nothing/);
  await refused("tag --model absent a", /absent/);
  await refused("tag --model absent --score a", /give --data FILE with tags/);
});
