/** Nothing that exists is replaced unasked, by any command; and nothing is begun that cannot be written. @module */
import assert from "node:assert/strict";
import type { Command } from "commander";
import { createGptConfig, Gpt, openDevice, saveGpt } from "../../mod.ts";
import { createProgram } from "../../src/cli/program.ts";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import { DirectoryLock, LOCK_FILE } from "../../src/formats/directory_lock.ts";
import { folder } from "../data/files.ts";
import { runCli, snapshot } from "./run_cli.ts";

const TEXT = "Call me Ishmael. Some years ago, never mind how long precisely.\n".repeat(20);
const made = folder({
  "a.txt": TEXT,
  "there.out": "precious",
  "run/metrics.jsonl": "",
  "page/report.html": "precious",
});
const cwd = made.path;
Deno.test.afterAll(() => made[Symbol.dispose]());
Deno.test.beforeAll(async () => {
  const tokenizer = await trainCharacterTokenizer([TEXT]);
  const device = await openDevice();
  for (const name of ["gpt", "other"]) {
    Deno.mkdirSync(made.at(name));
    const size = { contextLength: 16, channels: 8, layers: 1, heads: 2 };
    const config = createGptConfig({ ...size, vocabularySize: tokenizer.vocabularySize });
    await saveGpt(new Gpt(device, config), made.at(name));
    Deno.writeTextFileSync(made.at(`${name}/tokenizer.json`), JSON.stringify(tokenizer.toJson()));
  }
  device.destroy();
  Deno.writeTextFileSync(made.at("run/metrics.jsonl"), '{"step":1,"loss":2}\n');
  Deno.writeTextFileSync(made.at("run/training.json"), "{}\n");
});

/** Commands with outputs, each of which is there already. */
const REPLACING = [
  "demo --out other",
  "train --data a.txt --out other",
  "train --data a.txt --out other --resume",
  "train --data a.txt --out page",
  "pretrain bert --data a.txt --out other",
  "finetune generate --data a.txt --model gpt --out other",
  "finetune classify --data a.csv --from scratch --out other",
  "finetune tag --data a.conll --from scratch --out other",
  "finetune answer --data a.json --from scratch --out run",
  "merge --model gpt --adapter gpt --out other",
  "quantize --model gpt --weights int8 --out other",
  "tokenizer train --data a.txt --out other",
  "data prepare --data a.txt --out other",
  "report run --out there.out",
  "profile step --json there.out",
  "profile step --html there.out",
  "profile step --trace there.out",
  "probe attention --model gpt Call --html there.out",
  "probe attention --model gpt Call --svg there.out",
  "probe lens --model gpt --train-on a.txt --lens there.out",
  "probe sae --model gpt --data a.txt --out there.out",
  "probe induction --out other",
];

Deno.test("no command replaces what is there, whatever it is", async () => {
  const before = snapshot(cwd);
  const outcomes = await twoAtATime(REPLACING, (args) => runCli(args.split(" "), { cwd }));
  for (const [i, { code, stderr }] of outcomes.entries()) {
    const file =
      "(there\\.out|other/(config|tokenizer)\\.json|run/training\\.json|page/report\\.html)";
    const message = new RegExp(
      `^error: Cannot write ${file}: it is there already; (continue it with --resume, )?` +
        "replace it with --overwrite, or give another --[a-z]+\n$",
    );
    // What is not an adapter is reported first: nothing would be replaced by it.
    if (REPLACING[i].startsWith("merge")) assert.match(stderr, /^error: Cannot /);
    else assert.match(stderr, message, REPLACING[i]);
    assert.equal(code, 1, REPLACING[i]);
  }
  assert.deepEqual(snapshot(cwd), before);
});

Deno.test("every flag that names an output has --overwrite beside it", () => {
  const writing: string[] = [];
  const visit = (command: Command, name: string): void => {
    const flags = command.options.map(({ flags }) => flags);
    const writes = flags.filter((f) => /^--(out|html|svg|trace|json) <|^--lens </.test(f));
    if (writes.length > 0) {
      writing.push(name);
      assert.ok(flags.includes("--overwrite"), `${name} has ${writes} and no --overwrite`);
    }
    for (const child of command.commands) visit(child, `${name} ${child.name()}`.trim());
  };
  visit(createProgram(), "");
  assert.ok(writing.length >= 24, writing.join());
});

Deno.test("a place that cannot be written is reported in words, before anything is done", async () => {
  const before = snapshot(cwd);
  const cases: [string, RegExp][] = [
    ["train --data a.txt --out a.txt", /Cannot write to a\.txt: it is a file, wanted a directory/],
    ["quantize --model gpt --weights int8 --out a.txt", /Cannot write to a\.txt: it is a file, wa/],
    [
      "data prepare --data a.txt --out a.txt/b",
      /Cannot write to a\.txt\/b: a part of the path is a/,
    ],
    ["report run --out gpt", /Cannot write gpt: it is a directory, wanted a file for --out/],
    ["profile step --html gpt/", /Cannot write gpt\/: it is a directory, wanted a file for --html/],
    [
      "profile step --html x --json x",
      /Cannot write x twice: --json and --html name it/,
    ],
  ];
  const outcomes = await twoAtATime(cases, ([args]) => runCli(args.split(" "), { cwd }));
  for (const [i, { code, stderr }] of outcomes.entries()) {
    assert.match(stderr, cases[i][1]);
    assert.match(stderr, /^error: [^\n]+\n$/);
    assert.equal(code, 1);
  }
  assert.deepEqual(snapshot(cwd), before);
});

Deno.test("what another process is writing to is left alone, and the process is named", async () => {
  const own = (name: string): string => {
    Deno.mkdirSync(made.at(name));
    return made.at(name);
  };
  const commands: [string, string][] = [
    ["busy train", "train --data a.txt --overwrite --out busy"],
    ["busy quantize", "quantize --model gpt --weights int8 --overwrite --out busy"],
    ["busy prepare", "data prepare --data a.txt --overwrite --out busy"],
    ["busy induction", "probe induction --overwrite --out busy"],
  ];
  using _lock = new DirectoryLock(own("busy"), "finetune tag --out busy");
  const outcomes = await twoAtATime(commands, ([, args]) => runCli(args.split(" "), { cwd }));
  for (const [i, { code, stderr }] of outcomes.entries()) {
    const message =
      `error: Cannot write to busy: process ${Deno.pid} has been writing there since `;
    assert.ok(stderr.startsWith(message), `${commands[i]}: ${stderr}`);
    assert.match(stderr, /\(finetune tag --out busy\); wait until it ends, or write elsewhere\n$/);
    assert.equal(code, 1);
  }
  assert.deepEqual([...Deno.readDirSync(made.at("busy"))].map(({ name }) => name), [LOCK_FILE]);
});

Deno.test("what a killed command left is replaced by the same one, and by no other", async () => {
  Deno.mkdirSync(made.at("cut"));
  Deno.writeTextFileSync(made.at("cut/tokenizer.json"), "{}");
  Deno.writeTextFileSync(made.at("cut/.vitrail-0a1b2c3d-4e5f.tmp"), "half");
  const holder = { pid: 1, since: new Date().toISOString(), command: "merge --out cut" };
  const note = { ...holder, unfinished: "quantize --model gpt --weights int8 --out cut" };
  Deno.writeTextFileSync(made.at(`cut/${LOCK_FILE}`), JSON.stringify(note) + "\n");
  const other = await runCli("tokenizer train --data a.txt --out cut".split(" "), { cwd });
  assert.match(other.stderr, /^error: Cannot write cut\/tokenizer\.json: it is there already; /);
  const same = await runCli("quantize --model gpt --weights int8 --out cut".split(" "), { cwd });
  assert.equal(same.code, 0, same.stderr);
  assert.match(
    same.stderr,
    /^quantize was ended here before it was done: what it left is replaced$/m,
  );
  const names = [...Deno.readDirSync(made.at("cut"))].map(({ name }) => name);
  assert.ok(names.includes("config.json") && names.includes("model.safetensors"), names.join());
  assert.deepEqual(names.filter((name) => /\.tmp$|\.lock$/.test(name)), []);
});

Deno.test("numbers that no shader can hold are refused by their flag", async () => {
  const cases: [string, RegExp][] = [
    [
      "--seed 4294967296",
      /'--seed <n>' argument '4294967296' is invalid: wanted a whole number up/,
    ],
    ["--seed 1e300", /argument '1e300' is invalid: wanted a whole number up to 4294967295/],
    ["--temperature 1e-39", /'1e-39' is invalid: wanted 0, or a number from 1\.18e-38 on/],
    ["--temperature 1e-400", /'1e-400' is invalid: wanted 0, or a number from 1\.18e-38 on/],
    ["--temperature 1e39", /'1e39' is invalid: wanted a number up to 3\.40e\+38/],
  ];
  const outcomes = await twoAtATime(
    cases,
    ([flags]) => runCli(`generate --model gpt --prompt Call ${flags}`.split(" "), { cwd }),
  );
  for (const [i, { code, stderr }] of outcomes.entries()) {
    assert.match(stderr, cases[i][1]);
    assert.equal(code, 1);
  }
});

/** Calls in order, two of them under way. */
async function twoAtATime<T, R>(items: readonly T[], call: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const i = next++;
      results[i] = await call(items[i]);
    }
  };
  await Promise.all([work(), work()]);
  return results;
}
