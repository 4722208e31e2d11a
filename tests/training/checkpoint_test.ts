/** The state in a checkpoint: checked before a run that it belongs to is touched. @module */

import assert from "node:assert/strict";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { CHECKPOINT_FILE, checkpointStep } from "../../src/training/checkpoint.ts";
import { crc32c } from "../../src/training/tensorboard_encoding.ts";
import { assertThrowsFault, temporaryDirectory } from "../formats/files.ts";

const good = { step: 40, bestLoss: 2.5, evaluationsSinceBest: 1 };

Deno.test("a training state that is damaged is refused by its field", async () => {
  using directory = temporaryDirectory();
  const read = async (state: string, seal?: string) => {
    await writeSafetensors(`${directory.path}/${CHECKPOINT_FILE}`, [], {
      metadata: { state, ...seal === undefined ? {} : { "state.crc32c": seal } },
    });
    return () => checkpointStep(directory.path);
  };
  const seal = crc32c(new TextEncoder().encode(JSON.stringify({ ...good, bestLoss: null })))
    .toString(16);
  // A checkpoint of an older Vitrail has no checksum.
  assert.equal((await read(JSON.stringify(good)))(), 40);
  assert.equal((await read(JSON.stringify({ ...good, bestLoss: null }), seal))(), 40);
  const refused: [object, string][] = [
    [{ step: -3 }, "step is -3, wanted a whole number from 0"],
    [{ step: 1.5 }, "step is 1.5"],
    [{ step: "40" }, 'step is "40"'],
    [{ step: null }, "step is null"],
    [{ bestLoss: "2" }, 'bestLoss is "2", wanted a number or null'],
    [{ bestLoss: undefined }, "bestLoss is absent"],
    [{ bestScore: null }, "bestScore is null, wanted a number or none"],
    [{ evaluationsSinceBest: -1 }, "evaluationsSinceBest is -1"],
    [{ variants: [] }, "variants is []"],
    [{ variants: { adapter: "a", chosen: { b: 1 } } }, "variants.chosen.b is 1, wanted a text"],
  ];
  for (const [changes, words] of refused) {
    assertThrowsFault(await read(JSON.stringify({ ...good, ...changes })), words);
  }
  for (const state of ["", "{", "[]", "40", "null"]) {
    assertThrowsFault(await read(state), "Cannot resume from");
  }
  // A step that is a step, but not the one that was saved.
  const other = JSON.stringify({ ...good, bestLoss: null, step: 41 });
  assertThrowsFault(await read(other, seal), "its checksum is another");
});
