/**
 * A small GPT learns one style and, by an adapter alone, another: what LoRA is for, from end to end.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  adapted,
  addLora,
  BatchSampler,
  createGptConfig,
  evaluate,
  generate,
  Gpt,
  languageModelling,
  loadAdapter,
  loadGpt,
  mergeAdapter,
  openDevice,
  Run,
  saveAdapter,
  saveGpt,
  sequentialBatches,
  type Task,
  trainCharacterTokenizer,
  Trainer,
} from "../../mod.ts";
import { mulberry32 } from "./train_process.ts";

const device = await openDevice();
const T = 29;
const NOUNS = ["whale", "captain", "harpoon", "mast", "sea", "boat", "wind"];
const ADJECTIVES = ["white", "grim", "old", "deep", "salt"];
const VERBS = ["hunts", "sees", "breaks", "follows"];

/** Sentences that say the same things in two ways. */
function sentences(style: "plain" | "chant", count: number, seed: number): string {
  const random = mulberry32(seed);
  const one = (words: string[]): string => words[Math.floor(words.length * random())];
  return Array.from({ length: count }, () => {
    const [who, how, does, whom] = [one(NOUNS), one(ADJECTIVES), one(VERBS), one(NOUNS)];
    return style === "plain"
      ? `the ${how} ${who} ${does} the ${whom}. `
      : `${does} ${whom}, ${does}! o ${who}, ${how} ${who}! `;
  }).join("");
}

async function* both(): AsyncGenerator<string> {
  yield sentences("plain", 50, 1);
  yield sentences("chant", 50, 2);
}
const tokenizer = await trainCharacterTokenizer(both(), {});

function tokensOf(text: string) {
  const ids = tokenizer.encode(text);
  return {
    length: ids.length,
    read: (offset: number, count: number) => ids.subarray(offset, offset + count),
  };
}

const size = { batch: 8, sequence: T };
const heldOut = {
  plain: tokensOf(sentences("plain", 30, 11)),
  chant: tokensOf(sentences("chant", 30, 12)),
};
async function lossOn(model: Gpt, style: keyof typeof heldOut): Promise<number> {
  const batches = sequentialBatches(heldOut[style], size);
  return (await evaluate(languageModelling(model, T), batches)).loss;
}

async function teach(
  task: Task<ReturnType<BatchSampler["at"]>>,
  style: "plain" | "chant",
  { steps, rate }: { steps: number; rate: number },
): Promise<void> {
  const sampler = new BatchSampler(tokensOf(sentences(style, 400, 3)), size);
  const trainer = new Trainer(task, { weightDecay: 0 });
  for (let step = 0; step < steps; step++) {
    trainer.step([sampler.at(step)], rate);
    if (trainer.full) await trainer.figures();
  }
  await trainer.figures();
}

Deno.test("an adapter of under 5 % of the model learns a style that the model did not see", async () => {
  const config = createGptConfig({
    vocabularySize: tokenizer.vocabularySize,
    contextLength: 2 * T,
    channels: 48,
    layers: 2,
    heads: 3,
  });
  const model = new Gpt(device, config);
  await teach(languageModelling(model, T), "plain", { steps: 200, rate: 6e-3 });
  const before = { plain: await lossOn(model, "plain"), chant: await lossOn(model, "chant") };
  // The grammar itself has ln(5·7·4·7) nats in about 35 characters: 0.2 a character.
  assert.ok(before.plain < 0.7, `the model knows its own style: ${before.plain}`);
  assert.ok(before.chant > 2 * before.plain, `and not the other: ${before.chant}`);
  const weights = await device.read(...model.parameters);

  const adapter = addLora(model, { rank: 1, targets: ["c_attn", "c_proj", "c_fc"] });
  const task = adapted(languageModelling(model, T), adapter);
  await teach(task, "chant", { steps: 120, rate: 2e-2 });
  const after = await lossOn(model, "chant");
  assert.ok(after < 0.5 * before.chant, `held-out loss ${before.chant} fell to ${after}`);
  assert.deepEqual(await device.read(...model.parameters), weights, "the model is as it was");

  const directory = Deno.makeTempDirSync();
  try {
    await saveGpt(model, directory);
    await saveAdapter(adapter, directory);
    const bytes = (name: string) => Deno.statSync(`${directory}/${name}`).size;
    const [part, whole] = [bytes("adapter_model.safetensors"), bytes("model.safetensors")];
    assert.ok(part < 0.05 * whole, `${part} of ${whole} bytes`);
    // Read back: the base knows its own style again, and with the adapter the other one.
    const again = loadGpt(device, directory);
    assert.equal(await lossOn(again, "plain"), before.plain);
    const loaded = loadAdapter(again, directory);
    assert.equal(await lossOn(again, "chant"), after);
    const prompt = tokenizer.encode("hunts ");
    const greedy = { maxNewTokens: 20, temperature: 0 };
    const written = await generate(again, prompt, greedy);
    const ids = Array.from(heldOut.chant.read(0, 2 * T));
    const logits = async () => await again.forward(new Run(device), again.ids(ids)).read();
    const unmerged = await logits();
    mergeAdapter(again, loaded);
    const merged = await logits();
    const largest = Math.max(...Array.from(unmerged, Math.abs));
    const off = Math.max(...Array.from(merged, (v, i) => Math.abs(v - unmerged[i])));
    assert.ok(off <= 1e-5 * largest, `${off} beside logits of up to ${largest}`);
    assert.deepEqual(await generate(again, prompt, greedy), written);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
