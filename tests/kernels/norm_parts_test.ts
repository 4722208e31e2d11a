/**
 * Layer norm in its parts, forward and backward, with scales that are not its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  affine,
  divideRows,
  divideRowsBackward,
  normScale,
  normScaleBackward,
} from "../../src/kernels/norm_parts.ts";
import { assertClose, numbers } from "../compare.ts";
import * as reference from "../reference/norm_parts.ts";
import { assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

/** Rows on both sides of a workgroup's; few and many columns. */
const SHAPES = [[1, 2], [7, 12], [9, 31], [87, 36], [3, 197], [197, 5], [1, 4099]];
const epsilon = 1e-5;

for (const [name, device] of await openDevices()) {
  Deno.test(`layer norm in parts, ${name}: every result and gradient`, async () => {
    for (const [rows, columns] of SHAPES) {
      using _scope = device.scope();
      const size = rows * columns;
      // Rows that lie elsewhere and are wider, each in its own way.
      const x = numbers(size, 1).map((v, i) => {
        const r = Math.floor(i / columns);
        return (1 + r % 5) * v + 0.25 * (r % 3);
      });
      const d = numbers(size, 2);
      const [given, dScale] = [numbers(rows, 3).map((v) => 1.5 + v), numbers(rows, 4)];
      const [weight, bias] = [numbers(columns, 5), numbers(columns, 6)];
      const [xs, ds] = [x, d].map((data) => upload(device, data, [rows, columns]));
      const [scale, dScales] = [given, dScale].map((data) => upload(device, data, [rows, 1]));
      const [w, b] = [weight, bias].map((data) => upload(device, data));
      poison(device, [rows, columns], [rows, 1], [rows, columns]);
      const own = normScale(xs, { epsilon });
      assert.deepEqual(own.shape, [rows, 1]);
      const divided = divideRowsBackward(xs, { scale, dOut: ds });
      const checks = {
        scale: own,
        "dX of the scale": normScaleBackward(xs, { scale, dScale: dScales }),
        quotient: divideRows(xs, { scale }),
        "dX of the quotient": divided.dX,
        dScale: divided.dScale,
        "with weight and bias": affine(xs, { weight: w, bias: b }),
        "with a weight alone": affine(ds, { weight: w }),
      };
      const wanted = reference.divideRowsBackward(x, { columns, scale: given, dOut: d });
      const expected: Record<keyof typeof checks, Float64Array> = {
        scale: reference.normScale(x, { columns, epsilon }),
        "dX of the scale": reference.normScaleBackward(x, { columns, scale: given, dScale }),
        quotient: reference.divideRows(x, { columns, scale: given }),
        "dX of the quotient": wanted.dX,
        dScale: wanted.dScale,
        "with weight and bias": reference.affine(x, { weight, bias }),
        "with a weight alone": reference.affine(d, { weight }),
      };
      for (const [label, tensor] of Object.entries(checks)) {
        assertClose(await tensor.read(), expected[label as keyof typeof checks], {
          bound: 1e-6,
          label: `${label} of ${rows}×${columns}`,
        });
      }
    }
  });

  Deno.test(`layer norm in parts, ${name}: rows far from zero keep their deviations`, async () => {
    using _scope = device.scope();
    const [rows, columns] = [29, 197];
    const x = numbers(rows * columns, 1).map((v) => v + 100);
    const scale = normScale(upload(device, x, [rows, columns]), { epsilon });
    const expected = reference.normScale(x, { columns, epsilon });
    assertClose(await scale.read(), expected, { bound: 1e-5, label: "scale at 100" });
  });

  Deno.test(`layer norm in parts, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const [x, d] = [1, 2].map((seed) => upload(device, numbers(29 * 197, seed), [29, 197]));
    await assertSameBytes(device, () => {
      const scale = normScale(x, { epsilon });
      const { dX, dScale } = divideRowsBackward(x, { scale, dOut: d });
      return [scale, divideRows(x, { scale }), dX, dScale, normScaleBackward(x, { scale, dScale })];
    });
  });

  Deno.test(`layer norm in parts, ${name}: a scale for other rows is refused`, () => {
    using _scope = device.scope();
    const [x, scale] = [device.tensor([3, 29, 36]), device.tensor([3, 28, 1])];
    assert.throws(() => divideRows(x, { scale }), {
      name: "VitrailError",
      message: "Cannot normalize (3, 29, 36) by scales (3, 28, 1): wanted one for each of 87 rows",
    });
  });
}
