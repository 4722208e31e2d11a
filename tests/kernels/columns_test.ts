/**
 * Blocks of columns, taken out and added to: one rounding or two, and nothing else is touched.
 *
 * @module
 */
import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { addColumns, readColumns } from "../../src/kernels/columns.ts";
import { numbers } from "../compare.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

/**
 * Rows, columns of the block, columns of the whole, first column. In the last of them the whole fills its
 * buffer, so that what is written past its end lands in its last element.
 */
const CASES = [[1, 1, 1, 0], [3, 5, 5, 0], [29, 12, 36, 24], [7, 3, 11, 2], [197, 33, 100, 67], [
  4,
  7,
  16,
  9,
]];
/** Folds its launch. */
const LONG = [65535 * 8 / 3 + 1, 3, 4, 1];

for (const [name, device] of await openDevices()) {
  const cases = name === "processor" ? [...CASES, LONG] : CASES;

  Deno.test(`columns, ${name}: a block is read, times a factor`, async () => {
    for (const [rows, columns, stride, offset] of cases) {
      using _scope = device.scope();
      const x = numbers(rows * stride, 1);
      const block = { offset, factor: -1.5 };
      const whole = upload(device, x, [rows, stride]);
      poison(device, [rows, columns]);
      const found = await readColumns(whole, columns, block).read();
      const at = (i: number) => Math.floor(i / columns) * stride + offset + i % columns;
      const expected = Float32Array.from({ length: rows * columns }, (_, i) => -1.5 * x[at(i)]);
      assert.deepEqual(found, expected, `${rows} rows, ${columns} of ${stride} from ${offset}`);
    }
  });

  Deno.test(`columns, ${name}: a block is added to, its neighbours are left alone`, async () => {
    for (const [rows, columns, stride, offset] of cases) {
      using _scope = device.scope();
      const [x, before] = [numbers(rows * columns, 1), numbers(rows * stride, 2)];
      const out = upload(device, before, [rows, stride]);
      addColumns(upload(device, x, [rows, columns]), out, { offset, factor: 0.75 });
      const expected = Float64Array.from(before);
      x.forEach((v, i) => {
        expected[Math.floor(i / columns) * stride + offset + i % columns] += 0.75 * v;
      });
      const found = await out.read() as Float32Array;
      const label = `${rows} rows, ${columns} of ${stride} from ${offset}`;
      // A sum below 1.75, of terms that may be rounded once: half a unit in the last place each.
      assertEach(found, expected, { absolute: 2 ** -23, label });
      const untouched = (_: number, i: number) =>
        i % stride < offset || i % stride >= offset + columns;
      assert.deepEqual(found.filter(untouched), before.filter(untouched), label);
    }
  });

  Deno.test(`columns, ${name}: without a factor or offset they are the first, as they are`, async () => {
    using _scope = device.scope();
    const x = numbers(15, 1);
    const found = await readColumns(upload(device, x, [3, 5]), 2).read();
    assert.deepEqual([...found], [x[0], x[1], x[5], x[6], x[10], x[11]]);
  });

  Deno.test(`columns, ${name}: the same bytes twice`, async () => {
    const whole = upload(device, numbers(29 * 36, 1), [29, 36]);
    await assertSameBytes(device, () => [readColumns(whole, 12, { offset: 12, factor: 0.3 })]);
  });

  Deno.test(`columns, ${name}: a block outside the matrix is refused`, () => {
    using _scope = device.scope();
    const whole = upload(device, numbers(15, 1), [3, 5]);
    assert.throws(
      () => readColumns(whole, 3, { offset: 3 }),
      new VitrailError(
        "Cannot move columns 3 to 6 between (3, 3) and (3, 5): rows must match and the columns " +
          "lie within 5",
      ),
    );
    const block = upload(device, numbers(4, 1), [2, 2]);
    assert.throws(() => addColumns(block, whole), /between \(2, 2\) and \(3, 5\): rows must match/);
  });
}
