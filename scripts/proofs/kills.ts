/**
 * Kills commands at random instants and resumes them: do they end with the bytes of an
 * uninterrupted run, and is nothing ever half written?
 *
 *     deno run -A --no-check scripts/proofs/kills.ts --kills 5 --seed 197 [--only train,quantize]
 *
 * Every fifth kill is a SIGTERM, the others are SIGKILL. A kill counts only if it ended the process; one that
 * comes after the end is drawn again.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { openSafetensors } from "../../mod.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "5" },
    seed: { type: "string", default: "197" },
    only: { type: "string" },
    folder: { type: "string" },
  },
});
const KILLS = Number(values.kills);
let state = Number(values.seed) >>> 0;
/** A generator of numbers in [0, 1). */
function random(): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let h = Math.imul(state ^ (state >>> 15), state | 1);
  h ^= h + Math.imul(h ^ (h >>> 7), h | 61);
  return ((h ^ (h >>> 14)) >>> 0) / 2 ** 32;
}

const cwd = values.folder ?? Deno.makeTempDirSync();
Deno.mkdirSync(cwd, { recursive: true });
const words = "whale ship sea captain harpoon storm the of and a to in".split(" ");
const word = (): string => words[Math.floor(random() * words.length)];
const sentence = (n: number): string => Array.from({ length: n }, word).join(" ");
const paragraphs = (count: number): string =>
  Array.from({ length: count }, () => `${sentence(12)}.\n${sentence(8)}.\n\n`).join("");
const put = (name: string, text: string): void => Deno.writeTextFileSync(`${cwd}/${name}`, text);
const list = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

put("text.txt", paragraphs(400));
put("long.txt", paragraphs(400_000));
put(
  "texts.jsonl",
  list(80, () => JSON.stringify({ text: list(6, () => `The ${sentence(5)}.`).join(" ") })).join(
    "\n",
  ),
);
put(
  "pairs.jsonl",
  list(60, () => JSON.stringify({ prompt: sentence(5), completion: sentence(4) })).join("\n"),
);
put(
  "labels.csv",
  "text,label\n" +
    list(80, (i) => `${sentence(6)}${i % 2 ? " storm" : " calm"},${i % 2 ? "bad" : "good"}`).join(
      "\n",
    ),
);
put(
  "tags.conll",
  list(
    60,
    () => sentence(6).split(" ").map((w) => `${w} ${w === "whale" ? "B-FISH" : "O"}`).join("\n"),
  ).join(
    "\n\n",
  ),
);
put(
  "squad.json",
  JSON.stringify({
    data: list(12, (i) => ({
      title: `t${i}`,
      paragraphs: list(4, (j) => {
        const [head, answer] = [sentence(6), word()];
        const context = `${head} ${answer} ${sentence(4)}`;
        const answers = [{ text: answer, answer_start: head.length + 1 }];
        return { context, qas: [{ id: `${i}.${j}`, question: `Which ${word()}?`, answers }] };
      }),
    })),
  }),
);

/** A command, and the files that it ends with. */
interface Case {
  args: string;
  /** Added to go on after a kill. */
  resume?: string;
}

const RHYTHM = "--steps 60 --evaluate-every 20 --save-every 9 --batch 4";
const SMALL = "--layers 1 --heads 2 --channels 32 --sequence 32 --vocabulary 300";
const BERT = `--from scratch --preset pico --vocabulary 300 --sequence 32 ${RHYTHM}`;
const CASES: Record<string, Case> = {
  "train": { args: `train --data text.txt ${SMALL} ${RHYTHM} --dropout 0.1 --samples 9` },
  "pretrain": { args: `pretrain bert --data texts.jsonl ${SMALL} ${RHYTHM} --evaluate-batches 4` },
  "finetune generate": {
    args: `finetune generate --data pairs.jsonl --model gpt ${RHYTHM} --samples 9`,
  },
  "finetune generate lora": {
    args:
      `finetune generate --data text.txt --model gpt ${RHYTHM} --lora-rank 2 --merge --samples 0`,
  },
  "finetune classify": { args: `finetune classify --data labels.csv ${BERT}` },
  "finetune tag": { args: `finetune tag --data tags.conll ${BERT}` },
  "finetune answer": { args: `finetune answer --data squad.json ${BERT}` },
  "probe induction": { args: "probe induction --steps 200 --heads 2 --json" },
  "data prepare": { args: "data prepare --data long.txt --vocabulary 300", resume: "" },
  "quantize": { args: "quantize --model large --weights int8", resume: "" },
  "merge": { args: "merge --model gpt --adapter adapter", resume: "" },
};

const task: string = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`)).tasks.train;
const permissions = task.split(" ").filter((flag) => flag.startsWith("--"));

function start(args: string): Deno.ChildProcess {
  const config = ["--no-check", "--no-prompt", "--config", `${ROOT}deno.json`];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...config, ...permissions, `${ROOT}cli.ts`, ...args.split(" ").filter(Boolean)],
    cwd,
    env: { VITRAIL_CACHE: "", XDG_RUNTIME_DIR: cwd, NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** Runs a command to its end and says how many milliseconds it took. */
async function finish(args: string): Promise<number> {
  const begun = performance.now();
  const child = start(args);
  const stderr = await new Response(child.stderr).text();
  const { code } = await child.status;
  if (code !== 0) throw new Error(`${args} ended with ${code}: ${stderr}`);
  return performance.now() - begun;
}

/** Files whose bytes are those of the machine or the hour, and not of the work. */
const OF_THE_HOUR = /^(history\.json|report\.html|speed\.jsonl|events\..*)$/;

function files(folder: string, inside = ""): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const { name, isDirectory } of Deno.readDirSync(`${cwd}/${folder}/${inside}`)) {
    const place = `${inside}${name}`;
    if (isDirectory) { for (const [n, b] of files(folder, `${place}/`)) found.set(n, b); }
    else if (!OF_THE_HOUR.test(name)) {
      const bytes = Deno.readFileSync(`${cwd}/${folder}/${place}`);
      found.set(place, name === "training.json" ? withoutPlace(bytes, folder) : bytes);
    }
  }
  return found;
}

/** The settings of a run name its directory. */
function withoutPlace(bytes: Uint8Array, folder: string): Uint8Array {
  const text = new TextDecoder().decode(bytes).replaceAll(`"${folder}"`, '"OUT"');
  return new TextEncoder().encode(text);
}

/** What is wrong with what a killed process left, leaving aside what has a temporary name. */
function halfWritten(folder: string): string[] {
  const wrong: string[] = [];
  let names: Map<string, Uint8Array>;
  try {
    names = files(folder);
  } catch {
    return []; // Nothing was made yet.
  }
  for (const [name, bytes] of names) {
    if (/\.tmp(\/|$)|\.lock$/.test(name)) continue;
    try {
      if (name.endsWith(".json")) JSON.parse(new TextDecoder().decode(bytes));
      if (name.endsWith(".safetensors")) {
        openSafetensors(`${cwd}/${folder}/${name}`)[Symbol.dispose]();
      }
    } catch (error) {
      wrong.push(`${name}: ${(error as Error).message}`);
    }
    // By its configuration a directory counts as a model.
    const model = name.replace(/config\.json$/, "model.safetensors");
    const isModel = /(^|\/)config\.json$/.test(name);
    if (isModel && !names.has(model) && !names.has(model.replace("model", "adapter_model"))) {
      wrong.push(`${name} without weights`);
    }
  }
  return wrong;
}

function differences(a: string, b: string): string[] {
  const [one, two] = [files(a), files(b)];
  return [...new Set([...one.keys(), ...two.keys()])].filter((name) => {
    const [x, y] = [one.get(name), two.get(name)];
    return !x || !y || x.length !== y.length || x.some((byte, i) => byte !== y[i]);
  });
}

function isThere(path: string): boolean {
  try {
    return Boolean(Deno.lstatSync(`${cwd}/${path}`));
  } catch {
    return false;
  }
}

console.error(`in ${cwd}`);
const tiny = `${SMALL} --batch 4 --samples 0 --data text.txt`;
await finish(`train --out gpt --steps 5 ${tiny}`);
await finish(`train --out large --steps 1 --preset micro --batch 1 --samples 0 --data text.txt`);
await finish(
  "finetune generate --data text.txt --model gpt --out adapter --steps 5 --lora-rank 2 --samples 0",
);

let [hits, wrong] = [0, 0];
for (const [name, { args, resume = "--resume" }] of Object.entries(CASES)) {
  if (values.only && !values.only.split(",").includes(name)) continue;
  const place = name.replaceAll(" ", "-");
  const time = await finish(`${args} --out ${place}`);
  const killed = `${place}-killed`;
  const command = `${args} --out ${killed} ${resume}`;
  const faults: string[] = [];
  const found = { SIGKILL: 0, SIGTERM: 0 };
  const compare = (): void => {
    const different = differences(place, killed);
    if (different.length > 0) faults.push(`other bytes: ${different.join(", ")}`);
  };
  let misses = 0;
  for (let kill = 0; kill < KILLS;) {
    const signal = kill % 5 === 3 ? "SIGTERM" : "SIGKILL";
    const child = start(command);
    const stderr = new Response(child.stderr).text();
    const timer = setTimeout(() => child.kill(signal), time * (0.1 + 0.85 * random()));
    const { code } = await child.status;
    clearTimeout(timer);
    await stderr;
    if (code === 137 || code === 143) {
      kill++;
      hits++;
      found[signal]++;
      faults.push(...halfWritten(killed));
      // Without its lock it had done all, and was killed on its way out; another would be refused.
      if (resume === "" && isThere(killed) && !isThere(`${killed}/.vitrail.lock`)) {
        compare();
        Deno.removeSync(`${cwd}/${killed}`, { recursive: true });
      }
    } else if (code === 0) {
      // It was quicker: what it left counts, and the next begins anew.
      compare();
      Deno.removeSync(`${cwd}/${killed}`, { recursive: true });
      if (++misses > 20) throw new Error(`${name}: no kill comes in time`);
    } else faults.push(`ended with ${code}: ${await stderr}`);
  }
  await finish(command);
  compare();
  wrong += faults.length;
  console.log(
    `${name}: ${found.SIGKILL} SIGKILL, ${found.SIGTERM} SIGTERM, of ${
      (time / 1000).toFixed(1)
    } s; ` +
      (faults.length > 0 ? faults.join("; ") : "the same bytes, nothing half written"),
  );
  for (const folder of [place, killed]) Deno.removeSync(`${cwd}/${folder}`, { recursive: true });
}
console.log(`${hits} kills, ${wrong} faults`);
if (!values.folder) Deno.removeSync(cwd, { recursive: true });
if (wrong > 0) Deno.exitCode = 1;
