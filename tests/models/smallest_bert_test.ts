/**
 * The smallest example: a BERT with a vocabulary of 10, 8 channels, 1 layer, a mask of ones.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  AdamW,
  attentionMask,
  Bert,
  createBertConfig,
  openDevice,
  preTrain,
  Run,
  VitrailError,
} from "../../mod.ts";
import { assertClose } from "../compare.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const config = createBertConfig({
  vocabularySize: 10,
  contextLength: 16,
  channels: 8,
  layers: 1,
  heads: 2,
});

Deno.test("ids 1 to 10 are refused: a vocabulary of 10 has no id 10", () => {
  const model = new Bert(device, config);
  assert.throws(
    () => model.ids([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    new VitrailError(
      "Cannot embed token id 10 at position 9: a vocabulary of 10 has ids 0 to 9",
    ),
  );
});

Deno.test("ids 0 to 9 under a mask of ones: every token is seen from every place", async () => {
  const model = new Bert(device, config);
  const ones = new Array(10).fill(1);
  const hidden = async (ids: number[], seen?: number[]) =>
    await model.hidden(new Run(device), {
      ids: model.ids(ids),
      mask: seen && attentionMask(device, seen),
    }).read() as Float32Array;
  const whole = await hidden([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], ones);
  assert.equal(whole.length, 10 * config.channels);
  assert.ok(whole.every(Number.isFinite));
  assertClose(await hidden([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), whole, {
    bound: 1e-6,
    label: "ones and no mask",
  });
  // The last id changes the first place, unlike in a GPT; a zero hides it, whatever it is.
  const changed = await hidden([0, 1, 2, 3, 4, 5, 6, 7, 8, 0], ones);
  assert.notDeepEqual(changed.slice(0, 8), whole.slice(0, 8));
  const hide = ones.with(9, 0);
  const hidden9 = await hidden([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], hide);
  const hidden0 = await hidden([0, 1, 2, 3, 4, 5, 6, 7, 8, 0], hide);
  assert.deepEqual(hidden9.slice(0, 72), hidden0.slice(0, 72));
});

Deno.test("it learns one sentence by heart: both losses fall towards nothing", async () => {
  const model = new Bert(device, config);
  const optimizer = new AdamW(model.parameters, { weightDecay: 0 });
  const step = async (): Promise<number[]> => {
    using _scope = device.scope();
    const run = new Run(device, { record: true });
    optimizer.clearGradients();
    const { losses } = preTrain(run, model, {
      ids: model.ids([2, 4, 6, 3, 7, 8, 3]),
      mask: attentionMask(device, [1, 1, 1, 1, 1, 1, 1]),
      tokens: Int32Array.of(-100, 5, -100, -100, -100, -100, -100),
      follows: Int32Array.of(0),
    });
    run.tape!.backward(losses.map(({ result }) => result));
    optimizer.step(0.02);
    return (await device.read(...losses.map(({ result }) => result))).map(([mean]) => mean);
  };
  const first = await step();
  // Nothing is known at first: ln 10 and ln 2, about.
  assertClose(first, [Math.log(10), Math.log(2)], { bound: 0.1, label: "losses at first" });
  for (let i = 0; i < 40; i++) await step();
  const last = await step();
  assert.ok(last[0] < 0.1 && last[1] < 0.1, `${first} became ${last}`);
});

Deno.test("a mask that fits nothing is told", () => {
  const refused = (seen: number[], shape: [number, number], reason: string): void =>
    assert.throws(
      () => attentionMask(device, seen, shape),
      new VitrailError(`Cannot use this attention mask: ${reason}`),
    );
  refused([1, 1, 1], [1, 4], "it has 3 values, wanted 1 × 4");
  refused([1, 2], [1, 2], "value 1 is 2, wanted 1 for a token or 0 for padding");
  refused([1, 0, 0, 0], [2, 2], "sequence 1 has no token to attend to");
});
