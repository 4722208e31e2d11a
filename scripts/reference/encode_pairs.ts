/**
 * Encodes the texts and pairs that `encode_pairs.py` wrote, and says where ids or segments are others than
 * those of `transformers`.
 *
 *     deno run --allow-read encode_pairs.ts FOLDER
 *
 * @module
 */
import { encodeTexts, sequenceFormat, type TextInput } from "../../src/data/padded_sequences.ts";
import { loadTokenizer, type Tokenizer } from "../../src/tokenizers/tokenizer.ts";

/** What `transformers` makes of a text or a pair. */
interface Case {
  tokenizer: string;
  family: "bert" | "gpt2";
  limit: number;
  input: TextInput;
  ids: number[];
  segments: number[] | null;
}

const [folder] = Deno.args;
const cases: Case[] = JSON.parse(Deno.readTextFileSync(`${folder}/cases.json`));
const tokenizers = new Map<string, Tokenizer>();
let wrong = 0;
for (const { tokenizer: name, family, limit, input, ids, segments } of cases) {
  const tokenizer = tokenizers.get(name) ?? await loadTokenizer(`${folder}/${name}`);
  tokenizers.set(name, tokenizer);
  const format = sequenceFormat(tokenizer, { family, padId: 0, limit });
  const found = encodeTexts([input], tokenizer, format);
  // A model cannot read nothing: a text without a token is the token that fills up others.
  const wanted = ids.length === 0 ? [0] : ids;
  const own = found.segments[0] ?? new Uint32Array(wanted.length);
  const same = `${found.sequences[0]}` === `${wanted}` &&
    (segments === null || `${own}` === `${segments}`);
  if (same) continue;
  wrong++;
  console.log(`${name}, ${limit} tokens: ${JSON.stringify(input)}`);
  console.log(`  ${found.sequences[0]} in ${own}\n  ${wanted} in ${segments}`);
}
console.log(`${cases.length - wrong} of ${cases.length} are those of transformers`);
if (wrong > 0) Deno.exit(1);
