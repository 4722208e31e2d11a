/**
 * Weights in four bits: a row by them, the whole matrix unpacked, rows of a table.
 *
 * @module
 */
import { packMatrix } from "../../formats/quantized_matrix.ts";
import type { Device } from "../../gpu/device.ts";
import {
  quantizedEmbedding,
  quantizedMatmul,
  type QuantizedMatrix,
  unpackMatrix,
  uploadPacked,
} from "../../kernels/quantized.ts";
import { type Case, random, randomIds, seededNumbers, sizesFor } from "./operands.ts";

/** All cases. */
export function cases(device: Device): Case[] {
  const { time, channels: C } = sizesFor(device);
  const [inputs, outputs] = [C, 4 * C];
  const matrixOn = (device: Device): QuantizedMatrix => {
    const numbers = seededNumbers(inputs * outputs, 2);
    return uploadPacked(
      device,
      packMatrix(numbers, { inputs, outputs, format: "int4", group: 64 }),
    );
  };
  return [{
    name: "quantized",
    shape: `1×${inputs}·${inputs}×${outputs}, int4`,
    prepare: (device) => {
      const [x, matrix] = [random(device, [1, inputs]), matrixOn(device)];
      return () => void quantizedMatmul(x, matrix);
    },
  }, {
    name: "quantized unpack",
    shape: `${inputs}×${outputs}, int4`,
    prepare: (device) => {
      const matrix = matrixOn(device);
      return () => void unpackMatrix(matrix);
    },
  }, {
    name: "quantized lookup",
    shape: `${time} of ${outputs} rows, int4`,
    prepare: (device) => {
      const [ids, token] = [randomIds(device, [1, time], outputs), matrixOn(device)];
      return () => void quantizedEmbedding(ids, { token });
    },
  }];
}
