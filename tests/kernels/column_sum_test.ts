/**
 * Sums over rows: the gradients of biases and of layer norm's weights.
 *
 * @module
 */
import { columnSum, normalizedColumnSums } from "../../src/kernels/column_sum.ts";
import { assertClose, numbers } from "../compare.ts";
import { columnSum as reference } from "../reference/column_sum.ts";
import { assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

// Rows on both sides of chunks of 64 and 256, columns on both sides of a workgroup, and more than 1024.
const SHAPES = [[1, 1], [29, 197], [64, 8], [65, 9], [87, 36], [130, 65], [3, 1031], [1000, 3], [
  257,
  12,
], [255, 20]];

for (const [name, device] of await openDevices()) {
  Deno.test(`column sum, ${name}: plain and normalized, assigning and accumulating`, async () => {
    for (const [rows, columns] of SHAPES) {
      using _scope = device.scope();
      const [d, x] = [numbers(rows * columns, 1), numbers(rows * columns, 2)];
      const [mean, rstd] = [numbers(rows, 3), numbers(rows, 4).map((v) => v + 2)];
      const before = numbers(columns, 5);
      const ds = upload(device, d, [rows, columns]);
      const saved = {
        x: upload(device, x, [rows, columns]),
        mean: upload(device, mean),
        rstd: upload(device, rstd),
      };
      const outs = [0, 1, 2].flatMap(() => [device.tensor([columns]), upload(device, before)]);
      poison(device, [Math.ceil(rows / 64), columns], [Math.ceil(rows / 64), 2 * columns]);
      const target = (i: number) => ({ tensor: outs[i], accumulate: i % 2 === 1 });
      columnSum(ds, outs[0], { accumulate: false });
      columnSum(ds, outs[1], { accumulate: true });
      normalizedColumnSums(ds, saved, { bias: target(2), weight: target(3) });
      normalizedColumnSums(ds, saved, { weight: target(4) });
      normalizedColumnSums(ds, saved, { bias: target(5) });
      const normalized = { x, mean, rstd };
      const expected = [
        reference(d, { columns }),
        reference(d, { columns, before }),
        reference(d, { columns }),
        reference(d, { columns, normalized, before }),
        reference(d, { columns, normalized }),
        reference(d, { columns, before }),
      ];
      (await device.read(...outs)).forEach((found, i) => {
        const label = `${rows}×${columns}, output ${i}`;
        assertClose(found, expected[i], { bound: 1e-6, label });
      });
    }
  });

  Deno.test(`column sum, ${name}: same bytes twice`, async () => {
    using _scope = device.scope();
    const d = upload(device, numbers(1000 * 36, 1), [1000, 36]);
    await assertSameBytes(device, () => {
      const out = device.tensor([36]);
      columnSum(d, out, { accumulate: false });
      return [out];
    });
  });
}
