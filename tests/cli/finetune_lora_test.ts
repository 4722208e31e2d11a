/**
 * LoRA for the tasks: an adapter is trained beside a model that is left alone, its head whole; it is
 * measured, used, merged and trained further, each in a process with the launcher's permissions.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  Bert,
  createBertConfig,
  createGptConfig,
  freshWeights,
  Gpt,
  openDevice,
  openSafetensors,
  saveBert,
  saveGpt,
  trainBytePairTokenizer,
  trainWordPieceTokenizer,
} from "../../mod.ts";
import { type Folder, folder } from "../data/files.ts";
import { runCli, snapshot } from "./run_cli.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const NAMES = ["ann", "bob", "eve", "max", "zoe"];
const PLACES = ["rome", "york", "bath", "lyon"];
const pick = (from: string[], n: number): string =>
  from[Math.floor(6e4 * (1 + Math.sin(n))) % from.length];

/** Sentences such as `max was in rome`, some of them about a person alone. */
const FACTS = Array.from({ length: 96 }, (_, i) => {
  const [who, where] = [pick(NAMES, 7 * i), pick(PLACES, 7 * i + 1)];
  return i % 3 ? { who, where, text: `${who} was in ${where}` } : { who, text: `${who} met ann` };
});
const WORDS = [...NAMES, ...PLACES, "was", "in", "met", "where", "who", "?"].join(" ");

const DATA = {
  "classify.csv": "text,label\n" +
    FACTS.map(({ text, where }) => `${text},${where ? "place" : "person"}`).join("\n"),
  "tag.conll": FACTS.map(({ text }) =>
    text.split(" ").map((w) =>
      `${w} ${PLACES.includes(w) ? "B-LOC" : NAMES.includes(w) ? "B-PER" : "O"}`
    ).join("\n")
  ).join("\n\n"),
  "answer.json": JSON.stringify({
    data: FACTS.filter(({ where }) => where).map(({ text, who, where }, i) => ({
      title: `${i}`,
      paragraphs: [{
        context: text,
        qas: [
          i % 2 ? { id: `${i}`, question: "who ?", answers: [{ text: who, answer_start: 0 }] } : {
            id: `${i}`,
            question: "where ?",
            answers: [{ text: where, answer_start: text.indexOf(where!) }],
          },
        ],
      }],
    })),
  }),
};

/** A folder with a BERT that only knows tokens, or a GPT, of random weights, and the data. */
async function place(family: "bert" | "gpt2"): Promise<Folder> {
  const learn = family === "bert" ? trainWordPieceTokenizer : trainBytePairTokenizer;
  const texts = Array.from({ length: 9 }, () => WORDS);
  const tokenizer = await learn(texts, { vocabularySize: family === "bert" ? 90 : 300 });
  const made = folder({ ...DATA, "base/tokenizer.json": JSON.stringify(tokenizer.toJson()) });
  const sizes = {
    vocabularySize: tokenizer.vocabularySize,
    contextLength: 19,
    channels: 36,
    layers: 1,
    heads: 3,
  };
  if (family === "gpt2") {
    const config = createGptConfig(sizes, { initializerRange: 0.2 });
    await saveGpt(new Gpt(device, config, freshWeights(3)), made.at("base"));
    return made;
  }
  const config = createBertConfig(sizes, {
    hiddenDropout: 0,
    attentionDropout: 0,
    initializerRange: 0.2,
  });
  const heads = { kind: "masked-language" as const };
  await saveBert(new Bert(device, config, { heads, source: freshWeights(3) }), made.at("base"));
  return made;
}

async function run(args: string[], cwd: string, input?: string) {
  const outcome = await runCli(args, { cwd, input });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

/** What is learnt, which of its figures must be good, what is trained whole, and how it is used. */
interface Case {
  family: "bert" | "gpt2";
  data: string;
  steps: number;
  score: (figures: Record<string, number> & { entities?: { f1: number } }) => number;
  whole: string[];
  use: string[];
  says: (line: string) => unknown;
  means: unknown;
  /** Whether it is trained further; the commands share what does that. */
  resumed?: boolean;
}

const classified = {
  data: "classify.csv",
  steps: 30,
  score: ({ macroF1 }: Record<string, number>) => macroF1,
  use: ["classify", "zoe was in bath"],
  says: (line: string) => JSON.parse(line).labels[0].label,
  means: "place",
};

const CASES: Record<string, Case> = {
  "classify, BERT": { ...classified, family: "bert", whole: ["classifier", "pooler"] },
  "classify, GPT": { ...classified, family: "gpt2", whole: ["score"], resumed: true },
  "tag": {
    family: "bert",
    data: "tag.conll",
    steps: 30,
    score: ({ entities }) => entities!.f1,
    whole: ["classifier"],
    use: ["tag", "zoe was in bath"],
    says: (line) => JSON.parse(line).entities.map((e: { type: string; text: string }) => e.text),
    means: ["zoe", "bath"],
    resumed: true,
  },
  "answer": {
    family: "bert",
    data: "answer.json",
    steps: 60,
    score: ({ f1 }) => f1,
    whole: ["qa_outputs"],
    use: ["answer", "where ?", "--context", "zoe was in bath"],
    says: (line) => JSON.parse(line).text,
    means: "bath",
  },
};

for (const [name, one] of Object.entries(CASES)) {
  const { family, data, steps, score, whole, use, says, means, resumed } = one;
  Deno.test(`an adapter learns the task, and is measured, used and merged: ${name}`, async () => {
    using made = await place(family);
    const cwd = made.path;
    const before = snapshot(made.at("base"));
    const [task] = name.split(",");
    const { stderr } = await run(
      `finetune ${task} --data ${data} --model base --out out --steps ${steps} --batch 8 --merge \
--lora-rank 4 --learning-rate 0.02 --validation-fraction 0.2 --evaluate-every 30`.split(" "),
      cwd,
    );
    assert.match(stderr, /^[\d,]+ of [\d,]+ parameters are trained \(\d/m);
    assert.deepEqual(snapshot(made.at("base")), before, "the model is left alone");
    const config = JSON.parse(Deno.readTextFileSync(made.at("out/adapter_config.json")));
    assert.deepEqual([config.r, config.modules_to_save.toSorted()], [4, whole]);
    assert.ok(!Object.keys(snapshot(made.at("out"))).includes("model.safetensors"));
    using adapter = openSafetensors(made.at("out/adapter_model.safetensors"));
    const kept = adapter.names.filter((n) => !n.includes("lora_"));
    assert.ok(whole.every((layer) => kept.some((n) => n.includes(layer))), kept.join());

    const measure = async (flags: string) => {
      const args = `evaluate ${flags} --data ${data} --json`.split(" ");
      return JSON.parse((await run(args, cwd)).stdout);
    };
    const figures = await measure("--model base --adapter out");
    assert.ok(score(figures) > 0.95, JSON.stringify(figures));
    const merged = await measure("--model out/merged");
    assert.ok(Math.abs(score(merged) - score(figures)) < 1e-5, JSON.stringify(merged));
    const used = [use[0], "--model", "base", "--adapter", "out", "--json", ...use.slice(1)];
    assert.deepEqual(says((await run(used, cwd)).stdout), means);

    using base = openSafetensors(made.at("base/model.safetensors"));
    using mergedFile = openSafetensors(made.at("out/merged/model.safetensors"));
    const changed = base.names.filter((n) =>
      mergedFile.has(n) && `${base.read(n)}` !== `${mergedFile.read(n)}`
    );
    assert.deepEqual(
      changed.filter((n) => !/query|key|value|dense|c_attn|c_proj|c_fc/.test(n)),
      [],
    );
    assert.ok(changed.length >= 4 && changed.every((n) => n.endsWith("weight")), changed.join());
    if (!resumed) return;
    await run(`finetune ${task} --out out --resume --steps ${steps + 3}`.split(" "), cwd);
    const done = Deno.readTextFileSync(made.at("out/metrics.jsonl")).trim().split("\n")
      .map((line) => JSON.parse(line)).filter(({ loss }) => loss !== undefined)
      .map(({ step }) => step);
    assert.deepEqual(done, Array.from({ length: steps + 3 }, (_, i) => i + 1));
  });
}

Deno.test("what LoRA cannot do for a task is told in one line, before anything is written", async () => {
  using made = await place("bert");
  const cwd = made.path;
  for (const name of ["config.json", "tokenizer.json"]) {
    Deno.mkdirSync(made.at("adapter"), { recursive: true });
    Deno.copyFileSync(made.at(`base/${name}`), made.at(`adapter/${name}`));
  }
  Deno.writeTextFileSync(made.at("adapter/adapter_model.safetensors"), "");
  const before = snapshot(cwd);
  const refused = async (args: string, message: RegExp) => {
    const { code, stderr } = await runCli(args.split(" "), { cwd });
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert.deepEqual(snapshot(cwd), before);
  };
  const classify = "finetune classify --data classify.csv --out out --lora-rank 2";
  await refused(`${classify} --from scratch`, /Cannot add LoRA to random weights/);
  await refused(`${classify} --model base --freeze embeddings`, /Cannot freeze layers beside LoRA/);
  await refused(`${classify} --model base --lora-targets c_attn`, /Cannot add LoRA to c_attn: no/);
  await refused(
    "finetune tag --data tag.conll --model base --out base --overwrite --lora-rank 2",
    /Cannot write the adapter into base: it is the model that the adapter needs/,
  );
  await refused(
    "finetune answer --data answer.json --model base --out out --merge",
    /Cannot merge without an adapter/,
  );
  await refused(
    "finetune tag --data tag.conll --model base --out out --freeze layer.7",
    /Cannot freeze layer\.7: no parameter has that/,
  );
  await refused(
    "classify --model adapter zoe",
    /Cannot classify sequences with this BERT: its head is for masked-language/,
  );
  await refused(
    "classify --model base --adapter absent zoe",
    /Cannot read absent\/adapter_config\.json/,
  );
});
