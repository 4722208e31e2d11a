/**
 * GELU, exact and approximate, forward and backward.
 *
 * @module
 */
import { gelu, geluBackward } from "../../src/kernels/gelu.ts";
import { assertClose, numbers } from "../compare.ts";
import { gelu as reference, geluBackward as referenceBackward } from "../reference/gelu.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { FOLDED, openDevices, poison, repeated, upload } from "./devices.ts";

const SIZES = [1, 4, 33, 64, 29 * 197];
/** Far out, at the switches of the fit and of the clamp, and around zero. */
const EXTREMES = [0, 1e-20, 1e-4, 0.5, 2.9, 5, 8, 9.9, 13, 30, 80, 1000, 1e6]
  .flatMap((x) => [x, -x]);

/** Φ is good to some units in its last place; below zero, exp of a large number loses a few more. */
const BOUND = { absolute: 1e-7, relative: 4e-6 };

for (const [name, device] of await openDevices()) {
  // A graphics processor's workgroups are larger: what folds there would take long to compute here.
  const sizes = name === "processor" ? [...SIZES, FOLDED] : SIZES;

  for (const kind of ["erf", "tanh"] as const) {
    Deno.test(`gelu ${kind}, ${name}: forward, backward, accumulating`, async () => {
      for (const size of sizes) {
        using _scope = device.scope();
        const round = Math.min(size, 5713);
        const x = numbers(round, 1).map((v) => 5 * v);
        const [d, before] = [numbers(round, 2), numbers(round, 3)];
        const [xs, ds, into] = [x, d, before].map((data) => upload(device, repeated(data, size)));
        poison(device, [size], [size]);
        const out = gelu(xs, kind);
        const dX = device.tensor([size]);
        geluBackward(xs, ds, { kind, dX, accumulate: false });
        geluBackward(xs, ds, { kind, dX: into, accumulate: true });
        const [found, foundD, foundSum] = await device.read(out, dX, into);
        const expected = repeated(reference(x, kind), size);
        const slope = referenceBackward(x, d, kind);
        const expectedD = repeated(slope, size);
        const label = `size ${size}`;
        assertEach(found, expected, { ...BOUND, label });
        assertEach(foundD, expectedD, { ...BOUND, label: `${label} dX` });
        if (size === 1) continue;
        assertClose(found, expected, { bound: 1e-6, label });
        assertClose(foundD, expectedD, { bound: 1e-6, label: `${label} dX` });
        const sum = repeated(slope.map((v, i) => v + before[i]), size);
        assertClose(foundSum, sum, { bound: 1e-6, label: `${label} accumulated` });
      }
    });

    Deno.test(`gelu ${kind}, ${name}: far from zero and near it`, async () => {
      using _scope = device.scope();
      const x = new Float32Array(EXTREMES);
      const ones = new Float32Array(x.length).fill(1);
      const [xs, dX] = [upload(device, x), device.tensor([x.length])];
      const out = gelu(xs, kind);
      geluBackward(xs, upload(device, ones), { kind, dX, accumulate: false });
      const [found, foundD] = await device.read(out, dX);
      assertEach(found, reference(x, kind), { ...BOUND, label: "out" });
      assertEach(foundD, referenceBackward(x, ones, kind), { ...BOUND, label: "dX" });
    });
  }

  Deno.test(`gelu, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const [x, d] = [upload(device, numbers(5713, 1)), upload(device, numbers(5713, 2))];
    await assertSameBytes(device, () => {
      const dX = device.tensor([5713]);
      geluBackward(x, d, { kind: "erf", dX, accumulate: false });
      return [gelu(x, "erf"), dX];
    });
  });
}
