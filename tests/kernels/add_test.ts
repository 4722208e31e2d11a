/**
 * Addition and accumulation: single roundings, so the results are exact.
 *
 * @module
 */
import assert from "node:assert/strict";
import { accumulate, add } from "../../src/kernels/add.ts";
import { numbers } from "../compare.ts";
import { add as reference } from "../reference/add.ts";
import { assertSameBytes } from "./checks.ts";
import { FOLDED, openDevices, poison, upload } from "./devices.ts";

const SIZES = [1, 3, 4, 7, 31, 32, 33, 64, 65, 29 * 197];

for (const [name, device] of await openDevices()) {
  // A graphics processor's workgroups are larger: what folds there would take long to compute here.
  const sizes = name === "processor" ? [...SIZES, FOLDED] : SIZES;

  Deno.test(`add, ${name}: a + b and out += a, to the last bit`, async () => {
    for (const size of sizes) {
      using _scope = device.scope();
      const [a, b] = [numbers(size, 1), numbers(size, 2)];
      const [x, y] = [upload(device, a), upload(device, b)];
      poison(device, [size]);
      const out = add(x, y);
      accumulate(y, x);
      const expected = new Float32Array(reference(a, b));
      for (const found of await device.read(out, y)) {
        const at = expected.findIndex((v, i) => v !== found[i]);
        assert.equal(at, -1, `size ${size}: [${at}] is ${found[at]}, expected ${expected[at]}`);
      }
    }
  });

  Deno.test(`add, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const [a, b] = [upload(device, numbers(5713, 1)), upload(device, numbers(5713, 2))];
    await assertSameBytes(device, () => [add(a, b)]);
  });

  Deno.test(`add, ${name}: shapes that differ`, () => {
    using _scope = device.scope();
    assert.throws(() => add(device.tensor([3, 29]), device.tensor([29, 4])), {
      name: "VitrailError",
      message: "Cannot add (3, 29) and (29, 4): shapes must match",
    });
  });
}
