/** Every reader of files, on damaged ones: a short run of `scripts/fuzz.ts`, which has the long one. @module */

import assert from "node:assert/strict";
import { readers } from "../../scripts/fuzz/readers.ts";
import { type Attempt, attempt } from "../../scripts/fuzz/run.ts";

const SEED = 29;
const ROUNDS = 6;

Deno.test("what is damaged is refused in one line or read as what it is, by every reader", async () => {
  const all = await readers();
  for (const { name, files, read } of all) {
    const directory = Deno.makeTempDirSync();
    for (const [file, { bytes }] of Object.entries(files)) {
      Deno.writeFileSync(`${directory}/${file}`, bytes);
    }
    assert.equal(await read(directory), undefined, `${name} reads what is whole`);
    Deno.removeSync(directory, { recursive: true });
  }
  const attempts: Attempt[] = [];
  for (let number = 0; number < ROUNDS * all.length; number++) {
    attempts.push(await attempt(all, { seed: SEED, number }));
  }
  const wrong = attempts.filter(({ verdict }) => verdict === "uncaught" || verdict === "complaint");
  assert.deepEqual(wrong, []);
  const refused = attempts.filter(({ verdict }) => verdict === "refused");
  assert.ok(refused.length > attempts.length / 3, `only ${refused.length} were refused`);
});
