/**
 * Broken input at the command line: the exit code is not 0, stderr has one line that says what to
 * do, and no file is touched.
 *
 * @module
 */
import assert from "node:assert/strict";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import { folder } from "../data/files.ts";
import { cliCommand, type Outcome, runCli, runCommand, snapshot } from "./run_cli.ts";

const MODEL = new URL("../fixtures/gpt2/model/", import.meta.url);
const CONFIG = JSON.parse(Deno.readTextFileSync(new URL("config.json", MODEL)));
const WEIGHTS = Deno.readFileSync(new URL("model.safetensors", MODEL));
const TEXT = "Call me Ishmael. Some years ago - never mind how long precisely.\n".repeat(197);
const TOKENIZER = JSON.stringify((await trainCharacterTokenizer([TEXT])).toJson());

/** A safetensors file of one header and some bytes. */
function safetensors(
  header: string,
  { length = BigInt(header.length), data = 0 } = {},
): Uint8Array {
  const bytes = new Uint8Array(8 + header.length + data);
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  bytes.set(new TextEncoder().encode(header), 8);
  return bytes;
}

type Files = Record<string, string | Uint8Array>;

/** A model directory; a file that is undefined is left out. */
function model(changed: Record<string, string | Uint8Array | undefined> = {}): Files {
  const whole = {
    "config.json": JSON.stringify(CONFIG),
    "model.safetensors": WEIGHTS,
    "tokenizer.json": TOKENIZER,
    ...changed,
  };
  const present = Object.entries(whole).filter(([, contents]) => contents !== undefined);
  return Object.fromEntries(present.map(([name, contents]) => [`m/${name}`, contents!]));
}

const config = (changes: object): Files =>
  model({ "config.json": JSON.stringify({ ...CONFIG, ...changes }) });
const INTEGERS = safetensors(
  '{"transformer.wte.weight":{"dtype":"I64","shape":[3],"data_offsets":[0,24]}}',
  { data: 24 },
);

interface Case {
  args: string;
  files?: Files;
  input?: string;
  says: RegExp;
}

const GENERATE = "generate --model m --max-new-tokens 3 --prompt Call";
const TRAIN = "train --data a.txt --out old --overwrite";

const CASES: Record<string, Case> = {
  "an empty corpus": {
    args: TRAIN,
    files: { "a.txt": "" },
    says: /Cannot use a\.txt: it holds no text; give a text with words in it/,
  },
  "an empty standard input": {
    args: "data -",
    input: "",
    says: /Cannot use standard input: it holds no text/,
  },
  "a binary file": {
    args: TRAIN,
    files: { "a.txt": Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 1) },
    says: /Cannot read a\.txt: it is not UTF-8 text \(byte 4\); give a text file, or convert it/,
  },
  "a missing file": {
    args: "train --data absent.txt --out old --overwrite",
    says: /Cannot read absent\.txt: there is no such file or folder; wanted a path, .*moby-dick/,
  },
  "a record without text": {
    args: "tokenizer train --data a.jsonl --out old --overwrite --text-field body",
    files: { "a.jsonl": '{"body":"x"}\n{"text":"y"}\n' },
    says: /Cannot read a\.jsonl: line 2 has no text in "body"; name the field with --text-field/,
  },
  "weights cut short": {
    args: GENERATE,
    files: model({ "model.safetensors": WEIGHTS.subarray(0, WEIGHTS.length - 197) }),
    says: /m\/model\.safetensors: .* it is cut short, fetch or save it again/,
  },
  "weights of integers": {
    args: GENERATE,
    files: model({ "model.safetensors": INTEGERS }),
    says: /tensor "transformer\.wte\.weight" is I64, wanted F32, F16, BF16 or F64; save the model/,
  },
  "a header of 2^63 bytes": {
    args: GENERATE,
    files: model({ "model.safetensors": safetensors("{}", { length: 1n << 63n }) }),
    says: /its header claims 9223372036854775808 bytes, wanted at most 100000000; it is damaged/,
  },
  "no heads": {
    args: GENERATE,
    files: config({ n_head: 0 }),
    says: /Cannot use m\/config\.json: n_head is 0, wanted a whole number from 1/,
  },
  "channels that the heads do not divide": {
    args: GENERATE,
    files: config({ n_head: 5 }),
    says: /m\/config\.json: n_embd is \d+, wanted a multiple of n_head, 5/,
  },
  "flags that do not go together": {
    args: `${TRAIN} --channels 12 --heads 5`,
    files: { "a.txt": TEXT },
    says: /channels is 12, wanted a multiple of heads, 5/,
  },
  "no tokenizer": {
    args: GENERATE,
    files: model({ "tokenizer.json": undefined }),
    says: /Cannot find a tokenizer in m: wanted tokenizer\.json, .*or give token ids with --ids/,
  },
  "a tokenizer that is none": {
    args: "evaluate --model m --data a.txt",
    files: { ...model({ "tokenizer.json": "{}" }), "a.txt": TEXT },
    says: /Cannot use m\/tokenizer\.json: model is absent, wanted an object/,
  },
  "no configuration": {
    args: GENERATE,
    files: model({ "config.json": undefined }),
    says: /Cannot read m\/config\.json: no such file .*; wanted a Hugging Face model directory/,
  },
  "a prompt longer than the context": {
    args: `generate --model m --prompt ${"Call".repeat(29)}`,
    files: model(),
    says: /prompt of 116 tokens: the model's context is 31; shorten the prompt to 30 at most/,
  },
  "more tokens than there is room for": {
    args: "generate --model m --prompt Call --max-new-tokens 28",
    files: model(),
    says: /Cannot write 28 tokens after a prompt of 4: .* give --max-new-tokens 27, or shorten/,
  },
  "an id outside the vocabulary": {
    args: "generate --model m --ids 1,50257 --max-new-tokens 3",
    files: model(),
    says: /Cannot continue with token 50257: the model knows ids from 0 to \d+/,
  },
  "an output that is a file": {
    args: "tokenizer train --data a.txt --out b.txt",
    files: { "a.txt": TEXT, "b.txt": "mine" },
    says: /Cannot write to b\.txt: it is a file, wanted a directory/,
  },
  "an output that is the system's": {
    args: "train --data a.txt --out /proc/x",
    files: { "a.txt": TEXT },
    says: /Cannot use \/proc\/x\S*: it belongs to the system; give --out DIRECTORY in the current/,
  },
  "a model of another family, before its tokenizer": {
    args: "classify --model m Call",
    files: { "m/config.json": '{ "model_type": "llama" }' },
    says: /Cannot use m\/config\.json: model_type is "llama", wanted "bert" or "gpt2"/,
  },
  "an adapter whose model is not there": {
    args: "generate --adapter a --ids 1",
    files: {
      "a/adapter_config.json": JSON.stringify({
        peft_type: "LORA",
        r: 1,
        lora_alpha: 1,
        base_model_name_or_path: "gpt2",
      }),
    },
    says:
      /model of the adapter in a: its base_model_name_or_path is "gpt2", which is no model's di/,
  },
  "neither a model nor an adapter": {
    args: "generate --ids 1",
    says: /required option '--model <directory>' not specified \(see vitrail generate --help\)/,
  },
  "an unknown flag": {
    args: "generate --model m --promt Call",
    says: /unknown option '--promt'; did you mean --prompt\? \(see vitrail generate --help\)/,
  },
  "an unknown flag in place of a required one": {
    args: "train --otu x",
    says: /unknown option '--otu'; did you mean --out\? \(see vitrail train --help\)/,
  },
  "the same in a command of a command": {
    args: "data prepare --dta a.txt --out=x",
    says: /unknown option '--dta'; did you mean --data\? \(see vitrail data prepare --help\)/,
  },
  "a required flag that is missing": {
    args: "train --data a.txt",
    says: /required option '--out <directory>' not specified \(see vitrail train --help\)/,
  },
  "an unknown command": {
    args: "trian --out x",
    says: /unknown command 'trian'; did you mean train\? \(see vitrail --help\)/,
  },
  "a bad number": {
    args: `${TRAIN} --steps 1e`,
    files: { "a.txt": TEXT },
    says: /'--steps <n>' argument '1e' is invalid: wanted a whole number from 1/,
  },
  "an unknown preset": {
    args: `${TRAIN} --preset nanp`,
    files: { "a.txt": TEXT },
    says: /Cannot use preset nanp: wanted pico, .* did you mean nano\?/,
  },
  "an unknown kind": {
    args: "tokenizer train --data a.txt --out old --kind charcters",
    files: { "a.txt": TEXT },
    says:
      /argument 'charcters' is invalid: wanted bpe, characters or wordpiece; did you mean characters\?/,
  },
  "an unknown key in --config": {
    args: `${TRAIN} --config c.json`,
    files: { "a.txt": TEXT, "c.json": '{"steps": 3, "learnRate": 0.1}' },
    says:
      /Cannot use c\.json: it sets "learnRate", which is no flag of train; .*(learningRate|help)/,
  },
  "a bad value in --config": {
    args: `${TRAIN} --config c.json`,
    files: { "a.txt": TEXT, "c.json": '{"steps": "many"}' },
    says: /Cannot use c\.json: steps is "many": wanted a whole number from 1/,
  },
  "a --config that is no JSON": {
    args: `${TRAIN} --config c.json`,
    files: { "a.txt": TEXT, "c.json": "{steps: 3}" },
    says: /Cannot read c\.json: it is not valid JSON/,
  },
  "a run that is not there": {
    args: "train --out nothing --resume",
    says: /Cannot resume nothing: it holds no run; begin one with --data FILE/,
  },
};

/** What an earlier run left in `old`. */
const OLD: Files = {
  "old/config.json": "{}",
  "old/model.safetensors": "weights of an earlier run",
  "old/tokenizer.json": "{}",
};

/** One line that begins as errors do, and no stack. */
function assertOneLine({ code, stdout, stderr }: Outcome, says: RegExp): void {
  assert.notEqual(code, 0, stdout + stderr);
  assert.match(stderr, /^error: [^\n]+\n$/);
  assert.match(stderr, says);
  assert.ok(!/\n\s+at |file:\/\/|\.ts:\d/.test(stderr), stderr);
  assert.equal(stdout, "");
}

Deno.test("broken input ends in one line that says what to do, and touches no file", async (t) => {
  const waiting = Object.entries(CASES);
  const results = new Map<string, () => void>();
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [name, { args, files = {}, input, says }] = next;
      using place = folder({ ...OLD, ...files });
      const before = snapshot(place.path);
      const outcome = await runCli(args.split(" "), { cwd: place.path, input });
      const after = snapshot(place.path);
      results.set(name, () => {
        assertOneLine(outcome, says);
        assert.deepEqual(after, before);
      });
    }
  };
  await Promise.all([work(), work(), work()]);
  for (const name of Object.keys(CASES)) await t.step(name, () => results.get(name)!());
});

Deno.test("a directory without the right to write is told so", {
  // The superuser may write anywhere.
  ignore: Deno.build.os === "windows" || Deno.uid() === 0,
}, async () => {
  using place = folder({ ...OLD, "a.txt": TEXT });
  Deno.chmodSync(place.at("old"), 0o555);
  const args = "tokenizer train --data a.txt --out old --overwrite --vocabulary 300";
  const outcome = await runCli(args.split(" "), { cwd: place.path });
  Deno.chmodSync(place.at("old"), 0o755);
  assertOneLine(
    outcome,
    /Cannot write to old: permission denied; change the permissions or choose/,
  );
});

/** Starts a command where it may mount a small disk; found out by trying. */
const NAMESPACE = ["-m", "-rm"].find((flags) => {
  const script = `unshare ${flags} mount -t tmpfs -o size=4k tmpfs /mnt`;
  return Deno.build.os === "linux" &&
    new Deno.Command("sh", { args: ["-c", script], stdout: "null", stderr: "null" })
      .outputSync().success;
});

for (
  const [what, args, free] of [
    ["a tokenizer", "tokenizer train --data a.txt --out disk --overwrite --kind characters", 0],
    ["tokens", "data prepare --data a.txt --out disk --overwrite --tokenizer m", 4096],
  ] as const
) {
  Deno.test(`a disk that fills up while ${what} is written keeps what was there`, {
    ignore: NAMESPACE === undefined,
  }, async () => {
    using place = folder({ ...OLD, ...model(), "a.txt": TEXT, "disk/.keep": "" });
    // The disk is there for this process alone and goes with it; its files are shown at the end.
    const script = `mount -t tmpfs -o size=32k tmpfs disk && cp old/* disk || exit 99
head -c $((1 << 20)) /dev/zero > disk/filler 2> /dev/null
truncate -s -${free} disk/filler
"$@"; code=$?; cd disk; for file in *; do echo "$file $(head -c 40 "$file" | tr -d '\\0')"; done
exit $code`;
    const outcome = await runCommand(
      [
        "sh",
        "-c",
        `exec unshare ${NAMESPACE} sh -c "$0" sh "$@"`,
        script,
        ...cliCommand(args.split(" "), { cwd: place.path }),
      ],
      { cwd: place.path },
    );
    const { stdout, stderr: all, ...rest } = outcome;
    // The tokenizer was learnt from another text.
    const stderr = all.replace(/^The tokenizer does not know .*\n/, "");
    assertOneLine(
      { ...rest, stderr, stdout: "" },
      /Cannot write .*no space left on the device; free some/,
    );
    assert.deepEqual(stdout.trimEnd().split("\n").map((line) => line.trim()), [
      "config.json {}",
      "filler",
      "model.safetensors weights of an earlier run",
      "tokenizer.json {}",
    ]);
  });
}
