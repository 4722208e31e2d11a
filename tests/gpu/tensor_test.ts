/** Shapes and rows that no tensor can have are refused where they are asked for. @module */

import assert from "node:assert/strict";
import { openDevice } from "../../mod.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

Deno.test("a size that is negative, a fraction or no number is refused in our words", () => {
  using _scope = device.scope();
  const x = device.upload(new Float32Array(6), [2, 3]);
  for (const wrong of [NaN, 0, -1, 1.5, Infinity, "2" as unknown as number, 2 ** 60]) {
    const refused =
      /^VitrailError: Cannot make a (tensor|view) of shape \(.*\): wanted whole numbers from 1$/;
    assert.throws(() => device.tensor([3, wrong]), refused);
    assert.throws(() => device.zeros([wrong]), refused);
    assert.throws(() => device.upload(new Float32Array(3), [wrong]), refused);
    assert.throws(() => x.reshape([wrong, 6]), refused);
  }
  // Their product would do.
  assert.throws(() => x.reshape([-2, -3]), /Cannot make a (tensor|view) of shape \(-2, -3\)/);
  assert.throws(() => device.tensor([2 ** 40, 2 ** 40]), /^VitrailError: Cannot allocate/);
  for (const [begin, end] of [[-1, 1], [0, 3], [1, 0], [NaN, 1], [0, 1.5]]) {
    assert.throws(() => x.rows(begin, end), /Cannot take rows .* wanted whole numbers from 0 to 2/);
  }
  assert.deepEqual(x.rows(0, 2).shape, [2, 3]);
});
