/**
 * Dropout: exactly the reference's mask, on one pass and on the other.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dropout } from "../../src/kernels/dropout.ts";
import { assertClose, numbers } from "../compare.ts";
import { dropout as reference, dropoutBackward, type DropoutKey } from "../reference/dropout.ts";
import { assertSameBytes } from "./checks.ts";
import { FOLDED, openDevices, poison, upload } from "./devices.ts";

const SIZES = [1, 4, 33, 64, 29 * 197];
const KEYS: DropoutKey[] = [
  { probability: 0.1, seed: 0, step: 0, place: 0 },
  { probability: 0.5, seed: 4294967295, step: 1_000_003, place: 49 },
  { probability: 0, seed: 1, step: 2, place: 3 },
];

for (const [name, device] of await openDevices()) {
  // A graphics processor's workgroups are larger: what folds there would take long to compute here.
  const sizes = name === "processor" ? [...SIZES, FOLDED] : SIZES;

  Deno.test(`dropout, ${name}: the mask to the element, forward, backward and accumulating`, async () => {
    for (const size of sizes) {
      for (const key of size === FOLDED ? KEYS.slice(0, 1) : KEYS) {
        using _scope = device.scope();
        // Nothing that is kept may be zero, or its mask could not be told.
        const x = numbers(size, 1).map((v) => v + 2);
        const [d, before] = [numbers(size, 2), numbers(size, 3)];
        const [xs, ds, into] = [x, d, before].map((data) => upload(device, data));
        poison(device, [size], [size]);
        const out = dropout(xs, key);
        dropout(ds, key, { out: into, accumulate: true });
        const [found, sum] = await device.read(out, into);
        const expected = reference(x, key);
        const label = `size ${size}, ${JSON.stringify(key)}`;
        const wrong = expected.findIndex((v, i) => (v === 0) !== (found[i] === 0));
        assert.equal(wrong, -1, `${label}: the masks differ at ${wrong}`);
        // A division by 1 - p, itself rounded.
        assertClose(found, expected, { bound: 2e-7, label });
        const expectedSum = dropoutBackward(d, key).map((v, i) => v + before[i]);
        assertClose(sum, expectedSum, { bound: 2e-7, label: `${label} accumulated` });
      }
    }
  });

  Deno.test(`dropout, ${name}: same bytes twice, others at another step`, async () => {
    using _scope = device.scope();
    const x = upload(device, numbers(5713, 1));
    await assertSameBytes(device, () => [dropout(x, KEYS[0])]);
    const [one, other] = await device.read(
      dropout(x, KEYS[0]),
      dropout(x, { ...KEYS[0], step: 1 }),
    );
    // A tenth is dropped each time: about 2·0.1·0.9 of the places differ.
    const differ = [...one].filter((v, i) => (v === 0) !== (other[i] === 0));
    const share = differ.length / 5713;
    assert.ok(Math.abs(share - 0.18) < 5 * Math.sqrt(0.18 * 0.82 / 5713), `${share} differ`);
  });
}
