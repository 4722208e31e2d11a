/**
 * Writes a directory of every kind of tokenizer that we write, and what we make of hard texts with it;
 * `check_auto.py` asks `AutoTokenizer` the same.
 *
 *     deno run --allow-read --allow-write scripts/reference/tokenizers/write_directories.ts OUT [FROM...]
 *
 * FROM are directories of other tokenizers, each of which is read and written again.
 *
 * @module
 */
import { saveTokenizer } from "../../../src/tokenizers/save_tokenizer.ts";
import { loadTokenizer, type Tokenizer } from "../../../src/tokenizers/tokenizer.ts";
import { trainBytePairTokenizer } from "../../../src/tokenizers/train_bpe.ts";
import { trainCharacterTokenizer } from "../../../src/tokenizers/train_characters.ts";
import { trainWordPieceTokenizer } from "../../../src/tokenizers/train_word_piece.ts";
import { JsonTokenizer } from "../../../src/tokenizers/tokenizer.ts";

const [out, ...from] = Deno.args;
const HARD: string[] = JSON.parse(
  Deno.readTextFileSync(
    new URL("../../../tests/fixtures/tokenizers/hard_texts.json", import.meta.url),
  ),
);
const CORPUS = [...HARD, ...HARD, "the quick brown fox jumps over the lazy dog. Ça, Été; ÉTÉ."];

function write(name: string, model: "gpt2" | "bert", tokenizer: Tokenizer): void {
  if (tokenizer instanceof JsonTokenizer) tokenizer.onUnknown = () => {};
  const directory = `${out}/${name}`;
  Deno.mkdirSync(directory, { recursive: true });
  saveTokenizer(directory, tokenizer, { contextLength: 128 });
  const config = { model_type: model, vocab_size: tokenizer.vocabularySize };
  Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify(config));
  const rows = HARD.map((text) => {
    const ids = Array.from(tokenizer.encode(text));
    const whole = tokenizer.decode(ids, { skipSpecialTokens: false });
    return { text: text.toWellFormed(), ids, decoded: tokenizer.decode(ids), whole };
  });
  const { endOfText } = tokenizer;
  Deno.writeTextFileSync(`${directory}/expected.json`, JSON.stringify({ model, endOfText, rows }));
}

write("characters", "gpt2", await trainCharacterTokenizer(CORPUS));
write("bytes", "gpt2", await trainBytePairTokenizer(CORPUS, { vocabularySize: 600 }));
const ends = { vocabularySize: 500, specialTokens: ["<|endoftext|>", "<|user|>", "<|bot|>"] };
write("bytes_with_roles", "gpt2", await trainBytePairTokenizer(CORPUS, ends));
const uncased = await trainWordPieceTokenizer(CORPUS, { vocabularySize: 500 });
write("wordpiece", "bert", uncased);
const json = uncased.toJson() as { normalizer: object };
const normalizer = { ...json.normalizer, lowercase: false, strip_accents: false };
write("wordpiece_cased", "bert", new JsonTokenizer({ ...json, normalizer }));
for (const directory of from) {
  const name = directory.replace(/\/+$/, "").split("/").at(-1)!;
  try {
    const isBert = /bert|wp_|vocab_txt|lower/.test(name);
    write(`again_${name}`, isBert ? "bert" : "gpt2", await loadTokenizer(directory));
  } catch (fault) {
    console.log(`refused ${name}: ${(fault as Error).message.slice(0, 120)}`);
  }
}
