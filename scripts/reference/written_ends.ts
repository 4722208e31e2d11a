/**
 * Writes GPT directories of every kind that ends a text, with what `generate` continues a prompt with in
 * each; `written_ends.py` then asks `generate` of transformers for the same.
 *
 * Run: deno run -A scripts/reference/written_ends.ts FOLDER
 *      python scripts/reference/written_ends.py FOLDER
 *
 * @module
 */
import {
  addLora,
  createGptConfig,
  freshWeights,
  generate,
  Gpt,
  loadGpt,
  loadTokenizer,
  mergeAdapter,
  openDevice,
  quantizeGpt,
  saveGpt,
  trainCharacterTokenizer,
} from "../../mod.ts";
import { endTokens, nameEnd } from "../../src/generation/end_tokens.ts";

const [folder] = Deno.args;
const device = await openDevice();
const letters = Array.from({ length: 96 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join("");
const tokenizer = await trainCharacterTokenizer(
  (async function* () {
    yield letters;
  })(),
  { specialTokens: ["<|endoftext|>"] },
);
const size = {
  vocabularySize: tokenizer.vocabularySize,
  contextLength: 40,
  channels: 24,
  layers: 2,
  heads: 2,
};
const prompt = [5, 6, 7];
const greedy = { temperature: 0, maxNewTokens: 30 };

/** A model whose own words, without an end, are those of this seed. */
const make = (seed: number, endOfTextId?: number | number[]): Gpt =>
  new Gpt(
    device,
    createGptConfig(size, { initializerRange: 0.5, endOfTextId }),
    freshWeights(seed),
  );

/** Writes a directory and notes where a generation from it ends. */
async function write(name: string, model: Gpt): Promise<void> {
  const directory = `${folder}/${name}`;
  Deno.mkdirSync(directory, { recursive: true });
  Deno.writeTextFileSync(`${directory}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
  nameEnd(model, tokenizer);
  await saveGpt(model, directory);
  const again = loadGpt(device, directory);
  const stopIds = endTokens(again.config, await loadTokenizer(directory));
  const [ids] = await generate(again, prompt, { ...greedy, stopIds });
  const [byItself] = await generate(again, prompt, greedy);
  if (ids.join() !== byItself.join()) throw new Error(`${name}: the library ends elsewhere`);
  Deno.writeTextFileSync(`${directory}/expected.json`, JSON.stringify({ prompt, ids, stopIds }));
  console.log(`${name}: ${ids.length} tokens, ends ${stopIds.join(", ")}`);
}

for (let seed = 1; seed <= 5; seed++) {
  const [free] = await generate(make(seed), prompt, greedy);
  const [late, early] = [free[14], free[9]];
  await write(`one ${seed}`, make(seed, late));
  await write(`several ${seed}`, make(seed, [late, early, 3]));
  await write(`of the tokenizer ${seed}`, make(seed));
  await write(`halves ${seed}`, await quantizeGpt(make(seed, late), { weights: "f16" }));
  const adapted = make(seed, [early, late]);
  const adapter = addLora(adapted, { rank: 2, alpha: 4, seed, targets: ["c_attn"] });
  mergeAdapter(adapted, adapter);
  await write(`merged ${seed}`, adapted);
}
device.destroy();
