/**
 * `finetune answer` and `answer`, each in a process with the launcher's permissions.
 *
 * @module
 */
import assert from "node:assert/strict";
import { folder } from "../data/files.ts";
import { runCli, snapshot } from "./run_cli.ts";

const [NAMES, PLACES] = [["ann", "bob", "eve", "max", "zoe"], ["rome", "york", "bath", "lyon"]];

/** Contexts such as `rome was max lee . at york`: asked `who`, the words behind `was`; `where`, behind `at`. */
const ARTICLES = Array.from({ length: 240 }, (_, i) => {
  const pick = (from: string[], k: number) =>
    from[Math.floor(6e4 * (1 + Math.sin(i * 7 + k))) % from.length];
  const who = pick(NAMES, 1) + (i % 3 ? "" : ` ${pick(NAMES, 2)}`);
  const [was, at] = [`was ${who}`, `at ${pick(PLACES, 3)}`];
  const context = (i % 2 ? [at, was, "."] : [pick(PLACES, 4), was, ".", at]).join(" ");
  const qa = i % 4 < 2
    ? { question: "who ?", answers: [{ text: who, answer_start: context.indexOf(was) + 4 }] }
    : i % 8 < 6
    ? {
      question: "where ?",
      answers: [{ text: at.slice(3), answer_start: context.indexOf(at) + 3 }],
    }
    : { question: "when ?", answers: [], is_impossible: true };
  return { title: `${i}`, paragraphs: [{ context, qas: [{ id: `${i}`, ...qa }] }] };
});
const SQUAD = JSON.stringify({ version: "v2.0", data: ARTICLES });
const SIZES =
  "--preset pico --vocabulary 60 --sequence 24 --batch 8 --learning-rate 0.005 --dropout 0";

async function run(args: string[], cwd: string, input?: string) {
  const outcome = await runCli(args, { cwd, input });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

Deno.test("answers are learnt, kept beside baselines, and given to new questions", async () => {
  using made = folder({ "x.json": SQUAD });
  const cwd = made.path;
  const train = `finetune answer --data x.json --from scratch --out m --steps 250 ${SIZES} ` +
    "--validation-fraction 0.2 --evaluate-every 50";
  const { stdout, stderr } = await run(train.split(" "), cwd);
  const [, held] = stderr.match(/questions to train on in .*, (\d+) held out/) ?? [];
  assert.ok(Number(held) > 10, stderr);
  const kept = JSON.parse(Deno.readTextFileSync(made.at("m/evaluation.json")));
  assert.equal(kept.questions, Number(held));
  assert.equal(kept.answerable.questions + kept.impossible.questions, Number(held));
  assert.ok(kept.exactMatch > 0.9 && kept.best.f1 >= kept.f1, stdout);
  const blind = kept.baselines["never an answer"];
  assert.equal(blind.exactMatch, kept.impossible.questions / Number(held));
  for (const baseline of Object.values(kept.baselines) as typeof blind[]) {
    assert.ok(baseline.exactMatch < 0.5, stdout);
  }
  assert.match(stdout, /^word overlap: exact match 0\.\d{4}, F1 0\.\d{4}; with an answer: /m);
  assert.match(Deno.readTextFileSync(made.at("m/metrics.jsonl")), /"validation\/exactMatch":/);
  const { architectures } = JSON.parse(Deno.readTextFileSync(made.at("m/config.json")));
  assert.deepEqual(architectures, ["BertForQuestionAnswering"]);

  // Two questions on one text, in files and on standard input.
  const ask = ["answer", "--model", "m", "--json", "who ?", "where ?"];
  const context = "at Lyon was Zoe eve";
  const said = async (more: string[], input?: string) =>
    (await run([...ask, ...more], cwd, input)).stdout.trim().split("\n")
      .map((line) => JSON.parse(line));
  const found = await said(["--context", context]);
  assert.deepEqual(found.map(({ question, text }) => [question, text]).at(1), ["where ?", "Lyon"]);
  for (const { text, begin, end } of found) assert.equal(context.slice(begin, end), text);
  assert.deepEqual(await said(["--context-file", "-"], context), found);
  Deno.writeTextFileSync(made.at("context.txt"), context);
  assert.deepEqual(await said(["--context-file", "context.txt"]), found);
  const asked = ["who ?", "where ?"].map((question) => JSON.stringify({ question, context }));
  const piped = ["answer", "--model", "m", "--data", "-", "--json"];
  const answers = (await run(piped, cwd, asked.join("\n"))).stdout.trim().split("\n");
  assert.deepEqual(answers.map((line) => JSON.parse(line)), found);
  const [none] = await said(["--context", context, "--threshold", "-1000", "--top-k", "2"]);
  assert.deepEqual([none.text, none.answers.length], ["", 2]);
  const lines = (await run(["answer", "--model", "m", "--data", "x.json"], cwd)).stdout;
  assert.equal(lines.trim().split("\n").length, 240);
  const score = ["answer", "--model", "m", "--data", "x.json", "--score", "--json"];
  assert.ok(JSON.parse((await run(score, cwd)).stdout).exactMatch > 0.9);

  const more = await run(["finetune", "answer", "--out", "m", "--resume", "--steps", "253"], cwd);
  assert.match(more.stdout, /^exact match/);
});

Deno.test("what cannot be answered is told in one line, and nothing is replaced", async () => {
  const wrong = structuredClone(ARTICLES.slice(0, 2));
  wrong[1].paragraphs[0].qas[0].answers[0].answer_start += 90;
  using made = folder({
    "x.json": SQUAD,
    "wrong.json": JSON.stringify({ data: wrong }),
    "one.json": JSON.stringify({ data: ARTICLES.slice(0, 1) }),
  });
  const cwd = made.path;
  const before = snapshot(cwd);
  const refused = async (args: string[], message: RegExp) => {
    const { code, stderr } = await runCli(args, { cwd });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^error: [^\n]+\n$/);
    assert.match(stderr, message);
    assert.deepEqual(snapshot(cwd), before);
  };
  const begin = ["finetune", "answer", "--from", "scratch", "--out", "m", "--data"];
  await refused([...begin, "wrong.json"], /in question "1", the answer .* is outside its context/);
  await refused([...begin, "one.json"], /all 1 are from one document/);
  await refused([...begin, "absent.json"], /absent\.json: no such file/);
  const answer = ["answer", "--model", "absent"];
  await refused([...answer, "who ?"], /give a question and --context TEXT/);
  await refused([...answer, "--context", "a b"], /give a question/);
  await refused([...answer, " ", "--context", "a"], /question 1: it is empty/);
  await refused([...answer, "who ?", "--context", " "], /from an empty text/);
  await refused(
    [...answer, "who ?", "--context", "a", "--data", "x.json"],
    /give one of --context/,
  );
  await refused([...answer, "who ?", "--context", "a", "--score"], /give --data FILE/);
  await refused([...answer, "who ?", "--context", "a"], /absent/);
});
