/** What a run was asked, and what of it is kept. @module */
import assert from "node:assert/strict";
import {
  completeRun,
  describeParts,
  readHistory,
  removeHistory,
  RunRecord,
  writeSettings,
} from "../../src/training/run_record.ts";
import { folder } from "../data/files.ts";

/** A process that does steps and is then killed, unless it says why it ended. */
function run(directory: string, asked: object, from: number, to: number, ended?: string): void {
  const record = new RunRecord(directory, { ...asked });
  record.begin(from);
  if (to > from) record.done(from + 1);
  if (to > from) record.done(to);
  record.save();
  if (ended !== undefined) record.end(ended);
}

const settings = (directory: string) =>
  JSON.parse(Deno.readTextFileSync(`${directory}/training.json`));

Deno.test("parts are kept as far as their steps are, and the settings are those of the last step", () => {
  using place = folder();
  const directory = place.path;
  assert.deepEqual(readHistory(directory), []);
  writeSettings(directory, { steps: 40 });
  run(directory, { steps: 40, seed: 1 }, 0, 25);
  // Its checkpoint was of step 20.
  run(directory, { steps: 40, seed: 1 }, 20, 40, "finished");
  completeRun(directory);
  const parts = () => readHistory(directory).map(({ from, to }) => [from, to]);
  assert.deepEqual(parts(), [[0, 20], [20, 40]]);
  assert.equal(readHistory(directory)[1].complete, true);
  // One that does nothing leaves everything as it is.
  const before = Deno.readTextFileSync(`${directory}/history.json`);
  run(directory, { steps: 10 }, 40, 40);
  assert.equal(Deno.readTextFileSync(`${directory}/history.json`), before);
  assert.deepEqual(settings(directory), { steps: 40, seed: 1 });
  run(directory, { steps: 60, seed: 1, clip: 2 }, 40, 51, "interrupted");
  completeRun(directory);
  assert.equal(readHistory(directory)[2].complete, undefined, "an interrupted run is not complete");
  assert.deepEqual(settings(directory), { steps: 60, seed: 1, clip: 2 });
  assert.deepEqual(
    describeParts(readHistory(directory)).map(([steps, , asked]) => [steps, asked]),
    [["1 to 20", "steps 40"], ["21 to 40", "the same"], ["41 to 51", "steps 60, clip 2"]],
  );
  removeHistory(directory);
  assert.deepEqual(readHistory(directory), []);
});

Deno.test("a run that was killed behind its last step is ended by the process that does the rest", () => {
  using place = folder();
  run(place.path, { steps: 4 }, 0, 4);
  run(place.path, { steps: 4 }, 4, 4, "finished");
  completeRun(place.path);
  const [part] = readHistory(place.path);
  assert.deepEqual([part.from, part.to, part.ended, part.complete], [0, 4, "finished", true]);
});

Deno.test("a damaged history is refused where it is shown, and begun anew by a run", () => {
  for (
    const text of ["", "[", "{}", '[{"from":-1}]', '[{"from":0,"to":1.5,"begun":"","asked":{}}]']
  ) {
    using place = folder({ "history.json": text });
    assert.throws(() => readHistory(place.path), /Cannot read .*history\.json/);
    run(place.path, { steps: 4 }, 0, 4);
    assert.equal(readHistory(place.path).length, 1);
  }
});
