/**
 * Compares tokenizers of `make_random.py` with ours, part by part.
 *
 *     deno run --allow-read scripts/reference/tokenizers/compare_random.ts OUT.jsonl [SHOWN]
 *
 * Each tokenizer is equal in everything, or refused by the name of a part; anything else is a fault.
 *
 * @module
 */
import { VitrailError } from "../../../src/errors.ts";
import { JsonTokenizer } from "../../../src/tokenizers/tokenizer.ts";
import { differencesOf, type RandomCase } from "../../../tests/tokenizers/random_cases.ts";

const [path, shown = "3"] = Deno.args;
const lines = Deno.readTextFileSync(path).trimEnd().split("\n");
const tally: Record<string, number> = { equal: 0, refused: 0, different: 0 };
const refusals = new Map<string, number>();
let rows = 0;
for (const [number, line] of lines.entries()) {
  const made: RandomCase = JSON.parse(line);
  let tokenizer: JsonTokenizer;
  try {
    tokenizer = new JsonTokenizer(made.json);
  } catch (fault) {
    if (!(fault instanceof VitrailError)) throw fault;
    tally.refused++;
    const reason = fault.message.replace(/^Cannot use this tokenizer.json: /, "").slice(0, 70);
    refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
    continue;
  }
  tokenizer.onUnknown = () => {};
  rows += made.rows.length + made.pairs.length + made.decodes.length;
  const differences = differencesOf(tokenizer, made);
  tally[differences.length === 0 ? "equal" : "different"]++;
  if (differences.length === 0) continue;
  const { normalizer, pre_tokenizer, decoder, model, post_processor } = made.json;
  console.log(`#${number}: ${differences.length} differences`, {
    model: { ...model, vocab: 0, merges: 0 },
    parts: JSON.stringify({ normalizer, pre_tokenizer, decoder, post_processor }),
  });
  for (const difference of differences.slice(0, Number(shown))) console.log("   ", difference);
}
for (const [reason, count] of refusals) console.log(`refused ${count}: ${reason}`);
console.log(`${lines.length} tokenizers, ${rows} rows: ${JSON.stringify(tally)}`);
if (tally.different > 0) Deno.exit(1);
