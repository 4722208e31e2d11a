/**
 * `finetune … --dry-run` as a user calls it: figures of the model at hand, and no file.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  addLora,
  Bert,
  type BertHeadsSettings,
  createBertConfig,
  createGptConfig,
  freshWeights,
  Gpt,
  openDevice,
  saveBert,
  saveGpt,
  Trainer,
  trainWordPieceTokenizer,
} from "../../mod.ts";
import { trainCharacterTokenizer } from "../../src/tokenizers/train_characters.ts";
import { adapted } from "../../src/training/adapted_task.ts";
import { languageModelling } from "../../src/training/task.ts";
import { folder } from "../data/files.ts";
import { runCli, snapshot } from "./run_cli.ts";

const device = await openDevice();

const [C, T, LAYERS] = [36, 29, 2];
const TEXT = "call me ishmael some years ago never mind how long precisely";
const tokenizers = {
  gpt: await trainCharacterTokenizer([TEXT]),
  bert: await trainWordPieceTokenizer([TEXT, TEXT], { vocabularySize: 40 }),
};
const sizes = (vocabularySize: number) => {
  return { vocabularySize, contextLength: T, channels: C, layers: LAYERS, heads: 3 };
};
const gpt = new Gpt(
  device,
  createGptConfig(sizes(tokenizers.gpt.vocabularySize)),
  freshWeights(1),
);
const bert = new Bert(device, createBertConfig(sizes(tokenizers.bert.vocabularySize)), {
  heads: { kind: "masked-language" },
  source: freshWeights(1),
});
const rows = Array.from({ length: 30 }, (_, i) => [TEXT.slice(i), "abc"[i % 3]]);
const place = folder({
  "gpt/tokenizer.json": JSON.stringify(tokenizers.gpt.toJson()),
  "bert/tokenizer.json": JSON.stringify(tokenizers.bert.toJson()),
  "classify.csv": ["text,label", ...rows.map((row) => row.join(","))].join("\n"),
  "tag.conll": rows.map(([, tag]) => `ishmael ${tag}\nago O`).join("\n\n"),
});
await saveGpt(gpt, place.at("gpt"));
await saveBert(bert, place.at("bert"));
Deno.test.afterAll(() => {
  place[Symbol.dispose]();
  device.destroy();
});

/** Runs a dry run that must fit 20 MB and write nothing, and returns the figure of each line. */
async function dryRun(args: string): Promise<(name: string) => string | undefined> {
  const before = snapshot(place.path);
  const words = `finetune ${args} --dry-run --no-time --memory 0.02`.split(" ");
  const { code, stdout, stderr } = await runCli(words, { cwd: place.path });
  assert.equal(code, 0, stderr);
  assert.deepEqual(snapshot(place.path), before);
  return (name) => stdout.match(new RegExp(`^ *${name} +(\\S.*)$`, "m"))?.[1];
}

const words = (n: number): string => n.toLocaleString("en");
const count = (parameters: readonly { size: number }[]): number =>
  parameters.reduce((sum, { size }) => sum + size, 0);
const withHead = (heads: BertHeadsSettings): Bert => new Bert(device, bert.config, { heads });

Deno.test("finetune generate --dry-run: all weights, or those of an adapter, as a step uses them", async () => {
  const whole = await dryRun("generate --model gpt --batch 3");
  assert.equal(whole("parameters"), words(gpt.parameterCount));
  assert.equal(whole("trained"), undefined);

  const figure = await dryRun("generate --model gpt --batch 3 --lora-rank 5");
  assert.equal(figure("parameters"), words(gpt.parameterCount));
  // 5·(in + out) of c_attn, c_fc and both c_proj.
  assert.equal(figure("trained"), words(LAYERS * 5 * (4 + 5 + 2 + 5) * C));
  const own = await openDevice();
  try {
    const model = new Gpt(own, gpt.config);
    const adapter = addLora(model, { rank: 5, targets: ["c_attn", "c_proj", "c_fc"] });
    const trainer = new Trainer(adapted(languageModelling(model, T), adapter), { clip: 1 });
    const batch = { inputs: new Uint32Array(3 * T), targets: new Int32Array(3 * T) };
    for (let i = 0; i < 3; i++) trainer.step([batch], 1e-3);
    await trainer.figures();
    const used = own.pool.memory.peakBytes + own.textures.bytes;
    const said = Number.parseFloat(figure("memory, when most is in use")!) * 1e6;
    assert.ok(Math.abs(said / used - 1) < 0.1, `${said} bytes said, ${used} used`);
  } finally {
    own.destroy();
  }
});

Deno.test("finetune classify, tag and answer --dry-run: heads by their labels, LoRA, frozen layers", async () => {
  // LoRA of rank 2 on query, key, value and output, and on both sides of the MLP.
  const adapter = LAYERS * 2 * (4 * 2 + 2 * 5) * C;
  const classify = await dryRun("classify --model bert --data classify.csv --lora-rank 2");
  const labels = ["a", "b", "c"];
  const classifier = withHead({ kind: "sequence-classification", labels, labelKind: "single" });
  assert.equal(classify("parameters"), words(classifier.parameterCount));
  // The model has no pooler, so that one is trained with the head.
  assert.equal(classify("trained"), words(adapter + (C + 1) * C + 3 * (C + 1)));

  const tag = await dryRun(
    "tag --model bert --data tag.conll --lora-rank 2 --validation-fraction 0",
  );
  const tagger = withHead({ kind: "token-classification", labels: ["O", ...labels] });
  assert.equal(tag("parameters"), words(tagger.parameterCount));
  assert.equal(tag("trained"), words(adapter + 4 * (C + 1)));

  const answer = await dryRun("answer --model bert --freeze embeddings --layer-decay 0.5");
  const { parameters } = withHead({ kind: "question-answering" });
  assert.equal(answer("parameters"), words(count(parameters)));
  const free = parameters.filter(({ name }) => !name.includes("embeddings"));
  assert.equal(answer("trained"), words(count(free)));
});

Deno.test("finetune --dry-run from scratch takes the vocabulary that is asked for", async () => {
  const figure = await dryRun(
    "classify --from scratch --data classify.csv --vocabulary 197 --sequence 29 --family gpt2",
  );
  // C 64 and two layers of 12·C² + 13·C; tokens, positions, the last norm and three labels.
  const [blocks, rest] = [2 * (12 * 64 + 13) * 64, (197 + 29 + 2 + 3) * 64];
  assert.equal(figure("parameters"), words(blocks + rest));
});

Deno.test("a dry run without what decides the head's size says so; a run still wants --out", async () => {
  const says = async (args: string, message: RegExp) => {
    const { code, stderr } = await runCli(`finetune ${args}`.split(" "), { cwd: place.path });
    assert.notEqual(code, 0);
    assert.match(stderr, message);
  };
  await says("tag --model bert --dry-run", /Cannot tell how many tags there are .* give --data/);
  await says("classify --model bert --dry-run", /Cannot tell how many labels there are/);
  await says("tag --model bert --data tag.conll", /required option '--out/);
});
