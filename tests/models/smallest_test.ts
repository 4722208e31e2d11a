/**
 * The smallest example: a vocabulary of 10, 8 channels, 1 layer.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createGptConfig, Gpt, openDevice, Run, VitrailError } from "../../mod.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const config = createGptConfig({
  vocabularySize: 10,
  contextLength: 16,
  channels: 8,
  layers: 1,
  heads: 2,
});

Deno.test("ids 1 to 10 are refused: a vocabulary of 10 has no id 10", () => {
  const model = new Gpt(device, config);
  assert.throws(
    () => model.ids([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    new VitrailError(
      "Cannot embed token id 10 at position 9: a vocabulary of 10 has ids 0 to 9",
    ),
  );
});

Deno.test("ids 0 to 9 work, and a later id changes no earlier logit", async () => {
  const model = new Gpt(device, config);
  const logits = async (ids: number[]) =>
    await model.forward(new Run(device), model.ids(ids)).read();
  const whole = await logits([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const changed = await logits([0, 1, 2, 3, 4, 5, 6, 7, 8, 0]);
  assert.ok(whole.every(Number.isFinite));
  assert.deepEqual(changed.slice(0, 90), whole.slice(0, 90));
  assert.notDeepEqual(changed.slice(90), whole.slice(90));
});
