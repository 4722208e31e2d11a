/**
 * Every kernel of the project in the shapes of a training step and of generation.
 *
 * @module
 */
import type { Device } from "../../gpu/device.ts";
import * as adamw from "./adamw.ts";
import * as attention from "./attention.ts";
import * as columnSum from "./column_sum.ts";
import * as decode from "./decode.ts";
import * as elementwise from "./elementwise.ts";
import * as embedding from "./embedding.ts";
import * as activation from "./activation.ts";
import * as gelu from "./gelu.ts";
import * as layerNorm from "./layer_norm.ts";
import * as matmul from "./matmul.ts";
import * as normParts from "./norm_parts.ts";
import type { Case } from "./operands.ts";
import * as pattern from "./pattern.ts";
import * as pointwiseLoss from "./pointwise_loss.ts";
import * as quantized from "./quantized.ts";
import * as sample from "./sample.ts";
import * as softmax from "./softmax.ts";
import * as sparse from "./sparse.ts";

const FILES = [
  matmul,
  attention,
  pattern,
  layerNorm,
  normParts,
  gelu,
  activation,
  softmax,
  pointwiseLoss,
  embedding,
  elementwise,
  columnSum,
  adamw,
  decode,
  quantized,
  sample,
  sparse,
];

/** All cases, in sizes that suit the device. */
export function kernelCases(device: Device): Case[] {
  return FILES.flatMap(({ cases }) => cases(device));
}
