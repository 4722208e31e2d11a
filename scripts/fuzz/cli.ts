/**
 * Runs the command line on damaged files and damaged arguments, a process each.
 *
 *     deno run -A scripts/fuzz/cli.ts --count 500 --seed 1
 *
 * Wanted is an exit code of 0, or one line that begins with `error: ` and a code that is not 0; no stack trace,
 * no character that a terminal obeys, no more than 30 s (10 s beside the start of a process on a busy machine).
 *
 * @module
 */
import { parseArgs } from "node:util";
import { below, type Random, randomOf } from "../../src/data/random.ts";
import { cliCommand, runCommand } from "../../tests/cli/run_cli.ts";
import { type Kind, mutate } from "./mutate.ts";
import { TEXT, tokenizerSeeds } from "./tokenizer_seeds.ts";

const ROOT = new URL("../../", import.meta.url);
const LIMIT = 30_000;
/** Seconds from which an attempt is named, to be looked at. */
const SLOW = 15;

/** A command line, and the kinds of the files that it reads. */
interface Case {
  args: string;
  files: Record<string, Kind>;
}

const MODEL: Record<string, Kind> = {
  "m/config.json": "json",
  "m/model.safetensors": "safetensors",
  "m/tokenizer.json": "json",
  "m/generation_config.json": "json",
};
const CASES: Case[] = [
  { args: "generate --model m --prompt Call --max-new-tokens 2 --no-tune", files: MODEL },
  { args: "generate --model m --ids 1,2 --max-new-tokens 2 --no-tune --json", files: MODEL },
  { args: "evaluate --model m --data a.txt --no-tune", files: { ...MODEL, "a.txt": "text" } },
  { args: "tokenizer encode --model m Ishmael", files: { "m/tokenizer.json": "json" } },
  { args: "tokenizer decode --model m 1,2,3", files: { "m/tokenizer.json": "json" } },
  { args: "data a.jsonl", files: { "a.jsonl": "jsonl" } },
  {
    args: "data prepare --data a.txt --tokenizer m --out o",
    files: { "a.txt": "text", "m/tokenizer.json": "json" },
  },
  { args: "report run run", files: { "run/metrics.jsonl": "jsonl", "run/training.json": "json" } },
  { args: "train --config c.json --out o --steps 1 --no-tune", files: { "c.json": "json" } },
  {
    args: "train --data tok --tokenizer tok --out o --preset pico --steps 1 --no-tune",
    files: { "tok/tokens.json": "json", "tok/tokenizer.json": "json" },
  },
  {
    args: "classify --model c --no-tune Hello",
    files: { "c/config.json": "json", "c/model.safetensors": "safetensors", "c/vocab.txt": "text" },
  },
  {
    args: "merge --model m --adapter l --out o",
    files: { "l/adapter_config.json": "json", "l/adapter_model.safetensors": "safetensors" },
  },
  {
    args: "probe bias --model b --sets w.json --no-tune",
    files: { "w.json": "json", "b/config.json": "json" },
  },
  {
    args: "profile kernel a.wgsl --entry forward --workgroups 1 --no-roof",
    files: { "a.wgsl": "text" },
  },
  {
    args: "evaluate --model t --data t.conll --no-tune",
    files: { "t.conll": "text", "t/config.json": "json" },
  },
];

/** Words for which a careless parser of arguments has no answer. */
const WORDS = [
  "",
  "-1",
  "0",
  "1e400",
  "NaN",
  "1.5",
  "99999999999999999999",
  "--",
  "-",
  "--=",
  "--model=",
  "../../..",
  "/dev/null",
  "/dev/zero",
  "/",
  "a\u001b[2Jb",
  "\u202e",
  "x".repeat(5000),
  "--help=1",
  "-x",
  "é日😀",
  "'\"",
];

async function prepare(): Promise<string> {
  const place = Deno.makeTempDirSync({ prefix: "vitrail-fuzz-cli-" });
  const copy = (from: string, to: string): void => {
    Deno.mkdirSync(`${place}/${to}`, { recursive: true });
    for (const { name } of Deno.readDirSync(new URL(from, ROOT))) {
      Deno.copyFileSync(new URL(`${from}/${name}`, ROOT), `${place}/${to}/${name}`);
    }
  };
  const write = (name: string, text: string): void =>
    Deno.writeTextFileSync(`${place}/${name}`, text);
  copy("tests/fixtures/gpt2/model", "m");
  copy("tests/fixtures/bert/single", "c");
  copy("tests/fixtures/bert/masked-language", "b");
  copy("tests/fixtures/bert/tags", "t");
  copy("tests/fixtures/lora/gpt2", "l");
  const { characters, "word-piece": wordPiece } = await tokenizerSeeds();
  write("m/tokenizer.json", JSON.stringify(characters));
  for (const model of ["b", "t"]) write(`${model}/tokenizer.json`, JSON.stringify(wordPiece));
  write(
    "c/vocab.txt",
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##o"].join("\n") + "\n",
  );
  write("a.txt", `${TEXT}\n`.repeat(30));
  write("a.jsonl", '{"text":"one"}\n{"text":"two"}\n');
  write("c.json", JSON.stringify({ data: "a.txt", preset: "pico", steps: 3, learningRate: 0.001 }));
  write("t.conll", "Call VB\nme PRP\n\nIshmael NNP\n. .\n");
  write("w.json", Deno.readTextFileSync(new URL("src/probes/bias/weat_sets.json", ROOT)));
  write("a.wgsl", Deno.readTextFileSync(new URL("shaders/add.wgsl", ROOT)));
  Deno.mkdirSync(`${place}/run`);
  write(
    "run/metrics.jsonl",
    '{"step":1,"loss":5.25}\n{"step":2,"loss":4.5,"validationLoss":4.75}\n',
  );
  write("run/training.json", '{"data":"a.txt","steps":2,"preset":"pico"}');
  await run("data prepare --data a.txt --tokenizer m --out tok".split(" "), place);
  return place;
}

async function run(args: readonly string[], cwd: string) {
  return await runCommand(cliCommand(args, { cwd }), { cwd });
}

/** One argument taken out, put in, doubled or replaced. */
function mutateArguments(args: string[], random: Random): string[] {
  const at = 1 + below(random, args.length - 1);
  const word = WORDS[below(random, WORDS.length)];
  const changed = [...args];
  const kind = below(random, 4);
  changed.splice(
    at,
    kind === 0 || kind === 3 ? 1 : 0,
    ...kind === 0 ? [] : kind === 2 ? [args[at]] : [word],
  );
  return changed;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "100" },
      seed: { type: "string", default: "1" },
      first: { type: "string", default: "0" },
    },
  });
  const [count, seed, first] = [values.count, values.seed, values.first].map(Number);
  const place = await prepare();
  const tally = { done: 0, refused: 0, faults: 0 };
  let slowest = 0;
  const attempt = async (number: number): Promise<void> => {
    const random = randomOf(seed, number);
    const { args: line, files } = CASES[number % CASES.length];
    const cwd = `${place}.${number}`;
    await new Deno.Command("cp", { args: ["-r", place, cwd] }).output();
    let args = line.split(" ");
    let what = "";
    if (below(random, 10) < 3) {
      args = mutateArguments(args, random);
      what = "arguments";
    } else {
      const names = Object.keys(files);
      const name = names[below(random, names.length)];
      const mutant = mutate(Deno.readFileSync(`${cwd}/${name}`), files[name], random);
      Deno.writeFileSync(`${cwd}/${name}`, mutant.bytes);
      what = `${name}: ${mutant.what}`;
    }
    const since = performance.now();
    const limited = (limit: number) =>
      Promise.race([
        run(args.map((a) => a.replaceAll("\0", "")), cwd),
        new Promise<undefined>((resolve) => setTimeout(resolve, limit, undefined)),
      ]);
    // A second time with patience: on a busy machine slow is not hung.
    const done = await limited(LIMIT) ?? await limited(5 * LIMIT);
    const seconds = (performance.now() - since) / 1000;
    slowest = Math.max(slowest, seconds);
    if (seconds > SLOW) {
      console.log(
        `#${number} took ${seconds.toFixed(1)} s: ${args.join(" ").slice(0, 100)} [${
          what.slice(0, 80)
        }]`,
      );
    }
    const output = done ? done.stdout + done.stderr : "";
    // deno-lint-ignore no-control-regex -- these are what is looked for
    const obeyed = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/.test(
      done?.stderr ?? "",
    );
    const last = done?.stderr.trimEnd().split("\n").at(-1) ?? "";
    const fault = !done
      ? "hung"
      : /^\s+at .*:\d+:\d+/m.test(output) || /Uncaught|panicked/.test(output)
      ? "a stack trace"
      : obeyed
      ? "control characters"
      : done.code === 0 || (last.startsWith("error: ") && last.length < 2000) ||
          /^Usage: /m.test(output)
      ? undefined
      : `code ${done.code} without a line that says why`;
    if (fault) {
      tally.faults++;
      console.log(`#${number} ${args.join(" ").slice(0, 100)} [${what.slice(0, 80)}]: ${fault}`);
      console.log(`    ${output.slice(-600).replaceAll("\n", "\n    ")}`);
    } else if (done!.code === 0) tally.done++;
    else tally.refused++;
    Deno.removeSync(cwd, { recursive: true });
  };
  for (let number = first; number < first + count; number += 2) {
    await Promise.all([attempt(number), attempt(number + 1)]);
  }
  console.log(
    `${tally.refused} refused, ${tally.done} done, ${tally.faults} faults; slowest ${
      slowest.toFixed(1)
    } s`,
  );
  Deno.removeSync(place, { recursive: true });
  Deno.exit(tally.faults > 0 ? 1 : 0);
}

await main();
