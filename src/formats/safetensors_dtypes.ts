/** The element types of safetensors: their sizes, and the conversions to 32-bit floats. @module */

/** An element type, spelled as in the file. */
export type SafetensorsDtype =
  | "BOOL"
  | "F4"
  | "F6_E2M3"
  | "F6_E3M2"
  | "U8"
  | "I8"
  | "F8_E5M2"
  | "F8_E4M3"
  | "F8_E8M0"
  | "F8_E4M3FNUZ"
  | "F8_E5M2FNUZ"
  | "I16"
  | "U16"
  | "F16"
  | "BF16"
  | "I32"
  | "U32"
  | "F32"
  | "C64"
  | "F64"
  | "I64"
  | "U64";

/** Bits an element of each type takes. Some take less than a byte. */
const bitsPerElement: Record<SafetensorsDtype, number> = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
};

/** Whether `value` names an element type. */
export function isSafetensorsDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === "string" && Object.hasOwn(bitsPerElement, value);
}

/**
 * Bytes that a tensor takes.
 *
 * @returns the byte length, or `undefined` when it is not a whole number of bytes or too large to
 * count
 *
 * @example
 * ```ts
 * import { tensorByteLength } from "./safetensors_dtypes.ts";
 *
 * console.log(tensorByteLength("BF16", [197, 29])); // 11426
 * ```
 */
export function tensorByteLength(
  dtype: SafetensorsDtype,
  shape: readonly number[],
): number | undefined {
  let elements = 1;
  for (const size of shape) {
    elements *= size;
    if (!Number.isSafeInteger(elements)) return undefined;
  }
  const bytes = elements * (bitsPerElement[dtype] / 8);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The types that can be read as 32-bit floats. */
export type FloatDtype = "F32" | "F16" | "BF16" | "F64";

/** Whether tensors of this type can be read as 32-bit floats. */
export function isFloatDtype(dtype: SafetensorsDtype): dtype is FloatDtype {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16" || dtype === "F64";
}

/**
 * Converts little-endian elements to 32-bit floats. F16 and BF16 convert exactly; F64 rounds to the
 * nearest, ties to even, and to an infinity beyond the range.
 *
 * @param bytes whole elements, at an offset that is a multiple of their size
 * @param options.dtype how to read them
 * @param options.into receives the floats, from its first element on
 */
export function convertToFloat32(
  bytes: Uint8Array<ArrayBuffer>,
  options: { dtype: Exclude<FloatDtype, "F32">; into: Float32Array },
): void {
  const { buffer, byteOffset, byteLength } = bytes;
  const { dtype, into } = options;
  switch (dtype) {
    case "F16":
      into.set(new Float16Array(buffer, byteOffset, byteLength / 2));
      break;
    case "F64":
      into.set(new Float64Array(buffer, byteOffset, byteLength / 8));
      break;
    case "BF16": {
      // A BF16 is the upper half of a 32-bit float. Written as bits, so that a NaN keeps its payload.
      const halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
      const bits = new Uint32Array(into.buffer, into.byteOffset, halves.length);
      for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
      break;
    }
  }
}
