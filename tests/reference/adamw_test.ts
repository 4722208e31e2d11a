/**
 * The reference of AdamW against what the paper says of it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { assertClose } from "../compare.ts";
import { adamw, type AdamWState } from "./adamw.ts";
import { doubles } from "./numbers.ts";

const rates = { lr: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1, factor: 0.5 };

function start(size: number): AdamWState {
  return { value: doubles(size, 1), m: new Float64Array(size), v: new Float64Array(size) };
}

Deno.test("adamw: the first step is the learning rate against the gradient's sign, after decay", () => {
  const state = start(11);
  const gradient = doubles(11, 2);
  const { value } = adamw(state, gradient, { ...rates, step: 1 });
  const expected = state.value.map((v, i) => v * (1 - 0.01 * 0.1) - 0.01 * Math.sign(gradient[i]));
  assertClose(value, expected, { bound: 1e-7, label: "value" });
});

Deno.test("adamw: the corrected moments of a constant gradient are the gradient and its square", () => {
  const gradient = doubles(11, 2);
  let state = start(11);
  for (let step = 1; step <= 7; step++) state = adamw(state, gradient, { ...rates, step });
  const m = state.m.map((m) => m / (1 - 0.9 ** 7));
  const v = state.v.map((v) => v / (1 - 0.95 ** 7));
  assertClose(m, gradient.map((g) => 0.5 * g), { bound: 1e-14, label: "m" });
  assertClose(v, gradient.map((g) => 0.25 * g * g), { bound: 1e-14, label: "v" });
});

Deno.test("adamw: a gradient of zero leaves only the decay", () => {
  const state = start(3);
  const { value } = adamw(state, [0, 0, 0], { ...rates, step: 1 });
  assert.deepEqual(value, state.value.map((v) => v * (1 - 0.01 * 0.1)));
});
