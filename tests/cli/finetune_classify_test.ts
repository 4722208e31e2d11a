/**
 * `finetune classify` and `classify`, each in a process with the launcher's permissions.
 *
 * @module
 */
import assert from "node:assert/strict";
import { folder } from "../data/files.ts";
import { runCli, snapshot } from "./run_cli.ts";

const WORDS = {
  sunny: ["sun", "warm", "bright", "beach", "blue", "heat"],
  wet: ["rain", "cold", "grey", "puddle", "cloud", "damp"],
};

/** Texts that a model can tell apart by any of their words. */
const EXAMPLES = Array.from({ length: 97 }, (_, i) => {
  const label = i % 3 === 0 ? "wet" : "sunny";
  const words = WORDS[label];
  const text = Array.from({ length: 2 + i % 5 }, (_, k) => words[(i * 5 + k * k) % 6]).join(" ");
  return { text: `${text} day ${i}`, label };
});
const CSV = ["text,label", ...EXAMPLES.map(({ text, label }) => `${text},${label}`)].join("\n");
const SIZES = "--vocabulary 300 --sequence 16 --batch 8 --learning-rate 0.003 --dropout 0";

async function run(args: string, cwd: string, input?: string) {
  const outcome = await runCli(args.split(" "), { cwd, input });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

for (const family of ["bert", "gpt2"]) {
  Deno.test(`labels are learnt, kept and given to new texts: ${family}`, async () => {
    using made = folder({ "x.csv": CSV });
    const cwd = made.path;
    const { stdout, stderr } = await run(
      `finetune classify --data x.csv --from scratch --family ${family} --out m --steps 40 ${SIZES} ` +
        "--balance weights --validation-fraction 0.2 --patience 0",
      cwd,
    );
    assert.match(stderr, /parameters, 77 texts to train on \(9 steps an epoch\), 20 held out/);
    assert.ok(stdout.startsWith("       →sunny  →wet  precision  recall     F1  texts\n"), stdout);
    assert.match(
      stdout,
      /^accuracy 1\.0000, macro F1 1\.0000, calibration error 0\.\d+ \(20 texts/m,
    );
    // Of 20 held out, 13 are sunny: F1 of that is 26/33, of the other 0.
    assert.match(stdout, /^always sunny: accuracy 0\.6500, macro F1 0\.3939$/m);
    const kept = JSON.parse(Deno.readTextFileSync(made.at("m/evaluation.json")));
    assert.deepEqual(kept.confusion, [[13, 0], [0, 7]]);
    assert.match(
      Deno.readTextFileSync(made.at("m/report.html")),
      /<dt>best Macro F1<\/dt><dd>1<\/dd>/,
    );
    assert.match(Deno.readTextFileSync(made.at("m/metrics.jsonl")), /"validation\/macroF1":/);

    const lines = "puddle rain day 98\n\nbright blue sun day 99\n";
    const given = await run("classify --model m --data - --top-k 1 --json", cwd, lines);
    assert.match(given.stderr, /^Left out 1 empty text of standard input$/m);
    const found = given.stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(found.map(({ text, labels }) => [text, labels.length, labels[0].label]), [
      ["puddle rain day 98", 1, "wet"],
      ["bright blue sun day 99", 1, "sunny"],
    ]);
    assert.ok(found.every(({ labels }) => labels[0].score > 0.6), given.stdout);
    // A text alone and beside others of other lengths gets the same.
    const alone = JSON.parse(
      (await runCli(
        ["classify", "--model", "m", "--json", "--top-k", "1", "bright blue sun day 99"],
        { cwd },
      )).stdout,
    );
    assert.ok(Math.abs(alone.labels[0].score - found[1].labels[0].score) < 1e-5);

    const more = await run("finetune classify --out m --resume --steps 48", cwd);
    assert.match(more.stdout, /macro F1/);
    const steps = Deno.readTextFileSync(made.at("m/metrics.jsonl")).trim().split("\n")
      .map((line) => JSON.parse(line)).filter(({ loss }) => loss !== undefined)
      .map(({ step }) => step);
    assert.deepEqual(steps, Array.from({ length: 48 }, (_, i) => i + 1));

    const further = `finetune classify --data x.csv --model m --out n --steps 2 --balance sampling`;
    assert.match((await run(further, cwd)).stdout, /macro F1/);
  });
}

Deno.test("what a long text says at its end counts, if it is read in windows", async () => {
  const rows = EXAMPLES.map(({ text, label }, i) => `${"day ".repeat(8 + i % 13)}${text},${label}`);
  using made = folder({ "x.csv": ["text,label", ...rows].join("\n") });
  const sizes = SIZES.replace("--sequence 16", "--sequence 9");
  const { stdout, stderr } = await run(
    `finetune classify --data x.csv --from scratch --out m --steps 200 ${sizes} ` +
      "--long-texts windows --validation-fraction 0.2 --patience 0",
    made.path,
  );
  assert.match(stderr, /77 texts to train on \(9 steps an epoch\), 20 held out/);
  assert.match(stderr, /^97 texts are longer than 9 tokens: read in windows$/m);
  assert.match(stdout, /^accuracy 1\.0000, macro F1 1\.0000.*\(20 texts/m);

  const measure = "evaluate --model m --data x.csv --sequence 9 --json --long-texts";
  const figures = async (how: string) =>
    JSON.parse((await run(`${measure} ${how}`, made.path)).stdout);
  const [windows, cut] = [await figures("windows"), await figures("cut")];
  assert.deepEqual([windows.accuracy, windows.count, windows.truncated], [1, 97, 0]);
  // The beginnings are all alike, and more texts are sunny.
  assert.deepEqual([cut.confusion, cut.truncated], [[[64, 0], [33, 0]], 97]);
  const given = `${"day ".repeat(30)}puddle rain day 98`;
  const { stdout: found } = await runCli(
    ["classify", "--model", "m", "--sequence", "9", "--long-texts", "windows", "--json", given],
    { cwd: made.path },
  );
  const { labels: [best], truncated } = JSON.parse(found);
  assert.deepEqual([best.label, truncated], ["wet", false]);
});

Deno.test("several labels at once and numbers are learnt too", async () => {
  const several = EXAMPLES.map(({ text, label }, i) =>
    JSON.stringify({
      text: i % 4 === 0 ? text + " snow" : text,
      label: i % 4 === 0 ? [label, "snow"] : [label],
    })
  ).join("\n");
  const numbers = [
    "text,label",
    ...EXAMPLES.map(({ text, label }) => `${text},${label === "wet" ? 2 : -1}`),
  ];
  using made = folder({ "several.jsonl": several, "numbers.csv": numbers.join("\n") });
  const args = `--from scratch --steps 60 ${SIZES} --validation-fraction 0.2`;
  const first = await run(`finetune classify --data several.jsonl --out s ${args}`, made.path);
  assert.match(first.stdout, /^snow +\d\.\d{3}/m);
  const figures = JSON.parse(Deno.readTextFileSync(made.at("s/evaluation.json")));
  assert.equal(figures.kind, "multiple");
  assert.ok(figures.microF1 > 0.9, JSON.stringify(figures));
  const second = await run(
    `finetune classify --data numbers.csv --labels number --out n ${args}`,
    made.path,
  );
  const [, r2] = second.stdout.match(/R² (\S+)/)!;
  assert.ok(Number(r2) > 0.8, second.stdout);
  const given = await runCli(["classify", "--model", "n", "--json", "damp rain"], {
    cwd: made.path,
  });
  const { labels: [{ label, score }] } = JSON.parse(given.stdout);
  assert.equal(label, "label");
  assert.ok(Math.abs(score - 2) < 0.8, `${score}`);
});

const BROKEN: [string, RegExp][] = [
  ["--data x.csv", /Cannot fine-tune without a model: give --model DIRECTORY, or --from scratch/],
  ["--data no.csv --from scratch", /Cannot read no\.csv: there is no such file/],
  ["--data one.csv --from scratch", /every text is "a"; wanted two labels at least to tell apart/],
  ["--data x.csv --from nowhere", /nowhere\/config\.json/],
  [
    "--data x.csv --validation y.csv --from scratch",
    /Cannot use y\.csv: line 3 has the label "windy"/,
  ],
  [
    "--data m.jsonl --from scratch --balance weights",
    /its labels are multiple; --balance is for one/,
  ],
  ["--data x.csv --from scratch --preset huge", /Cannot use preset huge: wanted pico, tiny/],
];

for (const [args, message] of BROKEN) {
  Deno.test(`what cannot be learnt from is told before anything is written: ${args}`, async () => {
    using made = folder({
      "x.csv": CSV,
      "y.csv": "text,label\na,wet\nb,windy\n",
      "one.csv": "text,label\na,a\nb,a\n",
      "m.jsonl": '{"text":"a","label":["x"]}\n{"text":"b","label":[]}\n',
    });
    const before = snapshot(made.path);
    const { code, stderr } = await runCli(
      ["finetune", "classify", "--out", "m", ...args.split(" ")],
      { cwd: made.path },
    );
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.deepEqual(snapshot(made.path), before);
  });
}
