/**
 * Tokenizers put together at random from the parts of Python's `tokenizers`, on hard texts: equal to
 * Python's, or refused by the name of a part. `scripts/reference/tokenizers` makes and compares hundreds.
 *
 * @module
 */
import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { JsonTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { differencesOf, type RandomCase } from "./random_cases.ts";

const CASES: RandomCase[] = Deno.readTextFileSync(
  new URL("../fixtures/tokenizers/random.jsonl", import.meta.url),
).trimEnd().split("\n").map((line) => JSON.parse(line));

Deno.test("random tokenizers give Python's ids, offsets and texts, streamed too, or name a part", () => {
  let equal = 0;
  for (const [number, made] of CASES.entries()) {
    let tokenizer: JsonTokenizer;
    try {
      tokenizer = new JsonTokenizer(made.json);
    } catch (fault) {
      assert.ok(fault instanceof VitrailError && /UnicodeScripts|added token/.test(fault.message));
      continue;
    }
    tokenizer.onUnknown = () => {};
    assert.deepEqual(differencesOf(tokenizer, made), [], `tokenizer ${number}`);
    equal++;
  }
  assert.ok(equal > 0.7 * CASES.length, `${equal} of ${CASES.length}`);
});
