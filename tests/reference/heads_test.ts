/** The references of what BERT's heads need, against finite differences. @module */

import { assertGradient } from "./finite_difference.ts";
import { gatherRows, gatherRowsBackward } from "./gather_rows.ts";
import { doubles } from "./numbers.ts";
import { pointwiseLoss, pointwiseLossBackward } from "./pointwise_loss.ts";
import { tanh, tanhBackward } from "./tanh.ts";

Deno.test("tanh: dX", () => {
  const [x, dOut] = [doubles(29, 1).map((v) => 3 * v), doubles(29, 2)];
  assertGradient(tanhBackward(x, dOut), { f: tanh, x, dOut, label: "tanh" });
});

Deno.test("gather rows: dX", () => {
  const [x, dOut] = [doubles(7 * 5, 1), doubles(3 * 5, 2)];
  const rows = [6, 0, 3];
  assertGradient(gatherRowsBackward(dOut, rows, { columns: 5, size: x.length }), {
    f: (x) => gatherRows(x, rows, 5),
    x,
    dOut,
    label: "rows",
  });
});

Deno.test("squared and logistic loss: dX, with targets that are not asked for", () => {
  const x = doubles(29, 1).map((v) => 4 * v);
  const y = doubles(29, 2).map((v, i) => i % 7 === 3 ? NaN : v);
  for (const kind of ["squared", "logistic"] as const) {
    assertGradient(pointwiseLossBackward(x, y, { kind, scale: 0.3 }), {
      f: (x) => Float64Array.of(0.3 * pointwiseLoss(x, y, kind).mean),
      x,
      dOut: Float64Array.of(1),
      label: kind,
    });
  }
});
