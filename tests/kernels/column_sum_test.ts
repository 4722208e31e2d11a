/**
 * Sums over rows: the gradients of biases and of layer norm's weights.
 *
 * @module
 */
import { columnSum } from "../../src/kernels/column_sum.ts";
import { assertClose, numbers } from "../compare.ts";
import { columnSum as reference } from "../reference/column_sum.ts";
import { assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

// Rows on both sides of a chunk of 64, columns on both sides of a workgroup, and more than 1024.
const SHAPES = [[1, 1], [29, 197], [64, 8], [65, 9], [87, 36], [130, 65], [3, 1031], [1000, 3]];

for (const [name, device] of await openDevices()) {
  Deno.test(`column sum, ${name}: plain and normalized, assigning and accumulating`, async () => {
    for (const [rows, columns] of SHAPES) {
      using _scope = device.scope();
      const [d, x] = [numbers(rows * columns, 1), numbers(rows * columns, 2)];
      const [mean, rstd] = [numbers(rows, 3), numbers(rows, 4).map((v) => v + 2)];
      const before = numbers(columns, 5);
      const ds = upload(device, d, [rows, columns]);
      const normalized = {
        x: upload(device, x, [rows, columns]),
        mean: upload(device, mean),
        rstd: upload(device, rstd),
      };
      const outs = [0, 1].flatMap(() => [device.tensor([columns]), upload(device, before)]);
      poison(device, [Math.ceil(rows / 64), columns]);
      columnSum(ds, outs[0], { accumulate: false });
      columnSum(ds, outs[1], { accumulate: true });
      columnSum(ds, outs[2], { accumulate: false, normalized });
      columnSum(ds, outs[3], { accumulate: true, normalized });
      const hosts = { x, mean, rstd };
      const expected = [
        reference(d, { columns }),
        reference(d, { columns, before }),
        reference(d, { columns, normalized: hosts }),
        reference(d, { columns, normalized: hosts, before }),
      ];
      (await device.read(...outs)).forEach((found, i) => {
        const label = `${rows}×${columns}, ${["sum", "sum +="][i] ?? "normalized"}`;
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
