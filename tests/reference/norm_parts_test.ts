/**
 * The reference of layer norm in parts against finite differences, and against the whole.
 *
 * @module
 */
import { assertClose } from "../compare.ts";
import { assertGradient } from "./finite_difference.ts";
import { layerNorm } from "./layer_norm.ts";
import * as parts from "./norm_parts.ts";
import { doubles } from "./numbers.ts";

const [rows, columns, epsilon] = [3, 7, 1e-5];
const [x, dOut] = [doubles(rows * columns, 1), doubles(rows * columns, 2)];
const [weight, bias] = [doubles(columns, 3), doubles(columns, 4)];

Deno.test("layer norm in parts: together they are the whole", () => {
  const scale = parts.normScale(x, { columns, epsilon });
  const out = parts.affine(parts.divideRows(x, { columns, scale }), { weight, bias });
  const whole = layerNorm(x, { weight, bias, epsilon }).out;
  assertClose(out, whole, { bound: 1e-14, label: "out" });
});

Deno.test("layer norm in parts: the gradients of each", () => {
  const scale = doubles(rows, 5).map((v) => 2 + v);
  const dScale = doubles(rows, 6);
  const own = parts.normScale(x, { columns, epsilon });
  assertGradient(parts.normScaleBackward(x, { columns, scale: own, dScale }), {
    f: (x) => parts.normScale(x, { columns, epsilon }),
    x,
    dOut: dScale,
    label: "dX of the scale",
  });
  const divided = parts.divideRowsBackward(x, { columns, scale, dOut });
  const f = (x: Float64Array) => parts.divideRows(x, { columns, scale });
  assertGradient(divided.dX, { f, x, dOut, label: "dX of the quotient" });
  assertGradient(divided.dScale, {
    f: (scale) => parts.divideRows(x, { columns, scale }),
    x: scale,
    dOut,
    label: "dScale",
  });
  assertGradient(parts.affine(dOut, { weight }), {
    f: (x) => parts.affine(x, { weight, bias }),
    x,
    dOut,
    label: "dX of weight and bias",
  });
});
