/**
 * The reference of sums over rows: it is the gradient of what is added to, or multiplies, every row.
 *
 * @module
 */
import { columnSum } from "./column_sum.ts";
import { assertGradient } from "./finite_difference.ts";
import { doubles } from "./numbers.ts";

Deno.test("column sum: the gradients of a shift and of a scale of every row", () => {
  const [rows, columns] = [5, 3];
  const [x, dOut] = [doubles(15, 1), doubles(15, 2)];
  const [mean, rstd] = [doubles(rows, 3), doubles(rows, 4).map((v) => 2 + v)];
  const hat = x.map((v, i) => (v - mean[Math.floor(i / columns)]) * rstd[Math.floor(i / columns)]);
  assertGradient(columnSum(dOut, { columns }), {
    f: (shift) => hat.map((v, i) => v + shift[i % columns]),
    x: doubles(columns, 5),
    dOut,
    label: "sum",
  });
  assertGradient(columnSum(dOut, { columns, normalized: { x, mean, rstd } }), {
    f: (weight) => hat.map((v, i) => v * weight[i % columns]),
    x: doubles(columns, 5),
    dOut,
    label: "normalized",
  });
});
