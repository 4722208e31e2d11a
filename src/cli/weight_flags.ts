/**
 * The flags that say what a model's weights are kept in, and its keys and values.
 *
 * @module
 */
import { Option } from "commander";
import { VitrailError } from "../errors.ts";
import { GROUPS, type PackedFormat } from "../formats/quantized_matrix.ts";
import { oneOf } from "./choices.ts";

/** What was asked for. */
export interface WeightFlags {
  /** `f32`, or a format of fewer bits; as the model's file has them if absent. */
  weights?: string;
  /** Neighbours that share a scale. */
  group?: string;
}

/** `--weights`. */
export function weightsOption(): Option {
  return new Option("--weights <format>", "f32, f16, int8 or int4; as the file has them by default")
    .argParser(oneOf("f32", "f16", "int8", "int4"));
}

/** `--group`. */
export function groupOption(): Option {
  const text = "weights that share a scale: 32, 64 or 128; 64 by default, 32 for int4";
  return new Option("--group <n>", text).argParser(oneOf(...GROUPS.map(String)));
}

/** `--cache`. */
export function cacheOption(): Option {
  const text = "keys and values: f32, or f16 for half the memory; f16 by default if weights are";
  return new Option("--cache <format>", `${text} f16, int8 or int4`)
    .argParser(oneOf("f32", "f16"));
}

/** What to load a model with. */
export function packingFlags(
  { weights, group }: WeightFlags,
): { weights?: PackedFormat; group?: number } {
  if (group !== undefined && weights !== "int8" && weights !== "int4") {
    throw new VitrailError(
      `Cannot use --group ${group} with ${weights ?? "the file's"} weights: groups share the ` +
        "scale of integers; give --weights int8 or int4",
    );
  }
  if (weights === undefined || weights === "f32") return {};
  return { weights: weights as PackedFormat, group: group === undefined ? undefined : +group };
}
