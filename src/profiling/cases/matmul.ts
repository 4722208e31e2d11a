/**
 * Matrix multiplication in the shapes of a training step: squares, a linear layer's three products,
 * and the single row of generation.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import { matmul, type MatmulOptions } from "../../kernels/matmul.ts";
import { type Case, random, sizesFor } from "./operands.ts";

function product(name: string, [m, n, k]: number[], options: MatmulOptions = {}): Case {
  const { transposeA, transposeB } = options;
  return {
    name: `matmul ${name}`,
    shape: `${m}×${k} · ${k}×${n}`,
    prepare: (device) => {
      const a = random(device, transposeA ? [k, m] : [m, k], 1);
      const b = random(device, transposeB ? [n, k] : [k, n], 2);
      return () => void matmul(a, b, options);
    },
  };
}

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels: C, vocabulary: V } = sizesFor(device);
  const rows = batch * time;
  const squares = device.isCpu ? [512, 1024] : [1024, 4096];
  return [
    ...squares.map((n) => product("square", [n, n, n])),
    product("linear forward", [rows, 4 * C, C]),
    product("linear with GELU", [rows, 4 * C, C], { gelu: { kind: "tanh" } }),
    product("linear dX", [rows, C, 4 * C], { transposeB: true }),
    product("linear dWeight", [C, 4 * C, rows], { transposeA: true }),
    // Rows that are no multiple of four: GPT-2's vocabulary is one.
    product("linear odd", [rows, C + 1, C], {}),
    product("one row", [1, V, C], { transposeB: true }),
    product("linear shared", [rows, C, C], { variant: "shared" }),
  ];
}
