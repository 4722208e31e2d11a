/**
 * Pairs of texts on the command line, and the order of labels, each in a process with the launcher's
 * permissions.
 *
 * @module
 */
import assert from "node:assert/strict";
import { folder } from "../data/files.ts";
import { runCli } from "./run_cli.ts";

const fixture = new URL("../fixtures/pairs", import.meta.url).pathname;

/** A model of pairs; `pair_fields` says so, where it is given. */
function model(
  name: "bert" | "gpt",
  more: Record<string, unknown> = {},
): Record<string, string | Uint8Array> {
  const read = (file: string) => Deno.readFileSync(`${fixture}/${name}/${file}`);
  const config = JSON.parse(new TextDecoder().decode(read("config.json")));
  return {
    "m/config.json": JSON.stringify({ ...config, ...more }),
    "m/model.safetensors": read("model.safetensors"),
    "m/tokenizer.json": read("tokenizer.json"),
  };
}

Deno.test("classify and evaluate: second texts, lines with a tab, records, ids as labels", async () => {
  const rows = ["a man is asleep .", "the dog runs ."].map((premise, i) =>
    JSON.stringify({ premise, hypothesis: "no one runs .", label: i })
  );
  using made = folder({
    ...model("bert", { pair_fields: ["premise", "hypothesis"] }),
    "dev.json": `[${rows.join(",")}]`,
  });
  const run = async (args: string[], input?: string) => {
    const outcome = await runCli([...args, "--model", "m", "--json"], { cwd: made.path, input });
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome.stdout.trim().split("\n").map((line) => JSON.parse(line));
  };
  const [given] = await run(["classify", "a man is asleep .", "--pair", "no one runs ."]);
  assert.deepEqual([given.text, given.pair, given.truncated], [
    "a man is asleep .",
    "no one runs .",
    false,
  ]);
  const [line] = await run(["classify", "--data", "-"], "a man is asleep .\tno one runs .\n");
  assert.deepEqual(line, given);
  const read = await run(["classify", "--data", "dev.json"]);
  assert.deepEqual(read[0].labels.map(({ label }: { label: string }) => label), [
    ...given.labels.map(({ label }: { label: string }) => label),
  ]);
  const [figures] = await run(["evaluate", "--data", "dev.json"]);
  assert.equal(figures.count, 2);
  assert.deepEqual(
    figures.classes.map(({ label, support }: Record<string, unknown>) => [label, support]),
    [["entailment", 1], ["neutral", 1], ["contradiction", 0]],
  );
  assert.match(figures.notes.join(), /no text is of class contradiction/);

  const refused = async (args: string[], message: RegExp, input?: string) => {
    const { code, stderr } = await runCli([...args, "--model", "m"], { cwd: made.path, input });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^error: [^\n]+\n$/);
    assert.match(stderr, message);
  };
  await refused(
    ["classify", "a man"],
    /text 1 alone: the model was trained on pairs of texts \(premise, hypothesis\); .*--pair/,
  );
  await refused(["classify", "a", "b", "--pair", "c"], /Cannot pair 2 texts with 1 second texts/);
  await refused(["classify", "--data", "-"], /line 1 has 0 tabs, wanted two texts/, "a man\n");
});

Deno.test("a model that does not say so is given one text with a word about its labels", async () => {
  using made = folder(model("gpt"));
  const { code, stdout, stderr } = await runCli(["classify", "a man", "--model", "m"], {
    cwd: made.path,
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /entailment 0\.\d{4}/);
  assert.match(
    stderr,
    /^The labels of this model \(entailment, .*compare two texts: give the second/,
  );
});

Deno.test("finetune classify: a GPT of pairs, whose twelve integer labels keep their order when it goes on", async () => {
  const rows = Array.from({ length: 36 }, (_, i) => `a ${i} b;"c; ${i * 7 % 12}";${(i * 5) % 12}`);
  const header = "first;second;label";
  using made = folder({ "x.csv": [header, ...rows].join("\n") });
  const run = async (args: string) => {
    const outcome = await runCli(args.split(" "), { cwd: made.path });
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome;
  };
  const sizes =
    "--family gpt2 --vocabulary 270 --sequence 16 --batch 4 --patience 0 --validation x.csv";
  await run(
    `finetune classify --data x.csv --text-field first,second --from scratch --out m --steps 2 ${sizes}`,
  );
  const config = JSON.parse(Deno.readTextFileSync(made.at("m/config.json")));
  assert.deepEqual(config.pair_fields, ["first", "second"]);
  assert.deepEqual(Object.values(config.id2label), Array.from({ length: 12 }, (_, i) => `${i}`));
  const { post_processor } = JSON.parse(Deno.readTextFileSync(made.at("m/tokenizer.json")));
  assert.deepEqual(post_processor.pair[1], { SpecialToken: { id: "<|endoftext|>", type_id: 0 } });
  // Labels as they were sorted once: the head's outputs stay where they are.
  const old = Object.values<string>(config.id2label).sort();
  config.id2label = { ...old };
  Deno.writeTextFileSync(made.at("m/config.json"), JSON.stringify(config));
  await run("finetune classify --out m --resume --steps 3");
  const after = JSON.parse(Deno.readTextFileSync(made.at("m/config.json")));
  assert.deepEqual(Object.values(after.id2label), old);
  assert.deepEqual(after.pair_fields, ["first", "second"]);
});
