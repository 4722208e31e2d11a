/**
 * The reference of addition against finite differences.
 *
 * @module
 */
import { add, addBackward } from "./add.ts";
import { assertGradient } from "./finite_difference.ts";
import { doubles } from "./numbers.ts";

Deno.test("add: both gradients", () => {
  const [a, b, dOut] = [1, 2, 3].map((seed) => doubles(13, seed));
  const { dA, dB } = addBackward(dOut);
  assertGradient(dA, { f: (a) => add(a, b), x: a, dOut, label: "dA" });
  assertGradient(dB, { f: (b) => add(a, b), x: b, dOut, label: "dB" });
});
