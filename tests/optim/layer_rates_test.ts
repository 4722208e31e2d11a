/**
 * Rates that fall from the head to the embeddings, by the names of both families.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import { loadBert, loadGpt } from "../../src/models/files.ts";
import { layerwiseRates } from "../../src/optim/layer_rates.ts";

const FIXTURES = new URL("../fixtures", import.meta.url).pathname;
const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

Deno.test("the head learns at the full rate, each block below at a part of the one above", () => {
  const gpt = loadGpt(device, `${FIXTURES}/gpt2/model`).parameters;
  const bert = loadBert(device, `${FIXTURES}/bert/single`).parameters;
  // Both have two blocks: 0.9 in the upper, 0.81 in the lower, 0.729 in the embeddings.
  const expected: [RegExp, number][] = [
    [/\.wte\.|\.wpe\.|\.embeddings\./, 0.9 ** 3],
    [/\.(h|layer)\.0\./, 0.9 ** 2],
    [/\.(h|layer)\.1\./, 0.9],
    [/ln_f|pooler|^classifier/, 1],
  ];
  for (const parameters of [gpt, bert]) {
    const rateOf = layerwiseRates(parameters, 0.9);
    for (const p of parameters) {
      const found = expected.filter(([names]) => names.test(p.name));
      assert.equal(found.length, 1, p.name);
      assert.equal(rateOf(p), found[0][1], p.name);
    }
  }
});

Deno.test("a decay of one leaves all rates alike; other numbers are told", () => {
  const { parameters } = loadGpt(device, `${FIXTURES}/gpt2/model`);
  assert.ok(parameters.every((p) => layerwiseRates(parameters, 1)(p) === 1));
  for (const decay of [0, -0.5, 1.1, NaN]) {
    assert.throws(() => layerwiseRates(parameters, decay), {
      name: "VitrailError",
      message: `Cannot decay learning rates by ${decay} a layer: wanted above 0 to 1`,
    });
  }
});
