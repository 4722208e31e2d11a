/**
 * What goes over numbers one by one and is bound by memory: sums, dropout, tanh, copies, columns of a
 * wider tensor, rows by their numbers.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { accumulate, add } from "../../kernels/add.ts";
import { cast } from "../../kernels/cast.ts";
import { addColumns, readColumns } from "../../kernels/columns.ts";
import { copyInto } from "../../kernels/copy.ts";
import { dropout } from "../../kernels/dropout.ts";
import { gatherRows, gatherRowsBackward } from "../../kernels/gather_rows.ts";
import { placeRows } from "../../kernels/place_rows.ts";
import { tanh, tanhBackward } from "../../kernels/tanh.ts";
import { type Case, random, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { batch, time, channels: C } = sizesFor(device);
  const sides = [batch * time, C];
  /** A call over two tensors of all rows. */
  const over = (name: string, call: (x: Tensor, y: Tensor) => void): Case => ({
    name,
    shape: sides.join("×"),
    prepare: (device) => {
      const [x, y] = [1, 2].map((seed) => random(device, sides, seed));
      return () => call(x, y);
    },
  });
  const key = { probability: 0.1, seed: 1, step: 0, place: 0 };
  // One row in seven, as of the tokens that a BERT guesses.
  const asked = (device: Device): Tensor =>
    device.upload(Uint32Array.from({ length: Math.floor(sides[0] / 7) }, (_, i) => 7 * i));
  const gathered = `${Math.floor(sides[0] / 7)} of ${sides.join("×")}`;
  return [
    over("add", (x, y) => void add(x, y)),
    over("add accumulate", (x, y) => accumulate(x, y)),
    over("dropout", (x, out) => void dropout(x, key, { out })),
    over("tanh forward", (x) => void tanh(x)),
    {
      name: "tanh backward",
      shape: sides.join("×"),
      prepare: (device) => {
        const [out, dOut] = [1, 2].map((seed) => random(device, sides, seed));
        const dX = device.tensor(sides);
        return () => tanhBackward(out, dOut, { dX, accumulate: false });
      },
    },
    over("copy", (x, y) => copyInto(x, y)),
    // To f16 where there is f16; else to the type that it has.
    over("cast", (x) => void cast(x, x.device.hasF16 ? "f16" : "f32")),
    {
      name: "columns take",
      shape: `${C} of ${sides[0]}×${3 * C}`,
      prepare: (device) => {
        const x = random(device, [sides[0], 3 * C]);
        return () => void readColumns(x, C, { offset: C });
      },
    },
    {
      name: "columns accumulate",
      shape: `${C} of ${sides[0]}×${3 * C}`,
      prepare: (device) => {
        const x = random(device, sides);
        const out = device.zeros([sides[0], 3 * C]);
        return () => addColumns(x, out, { offset: C });
      },
    },
    {
      name: "gather_rows forward",
      shape: gathered,
      prepare: (device) => {
        const [x, rows] = [random(device, sides), asked(device)];
        return () => void gatherRows(x, rows);
      },
    },
    {
      name: "gather_rows backward",
      shape: gathered,
      prepare: (device) => {
        const rows = asked(device);
        const dOut = random(device, [rows.size, C]);
        const dX = device.zeros(sides);
        return () => gatherRowsBackward(dOut, rows, dX);
      },
    },
    {
      name: "place_rows",
      shape: gathered,
      prepare: (device) => {
        const [x, rows] = [random(device, sides), asked(device)];
        const out = device.zeros(sides);
        return () => placeRows(x, out, { rows, into: rows, columns: C });
      },
    },
  ];
}
