/**
 * Reference of packed matrices: each number taken out of its word by arithmetic alone.
 *
 * @module
 */

/** A packed matrix, as `src/formats/quantized_matrix.ts` describes its words. */
export interface Packed {
  inputs: number;
  outputs: number;
  format: "f16" | "int8" | "int4";
  group: number;
  words: Uint32Array;
  scales: Uint16Array;
}

/** The number that 16 bits stand for: with 5 of exponent f16, with 8 bfloat16. */
export function fromHalf(bits: number, exponentBits: 5 | 8): number {
  const fractionBits = 15 - exponentBits;
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = Math.floor(bits / 2 ** fractionBits) % 2 ** exponentBits;
  const fraction = bits % 2 ** fractionBits / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** The matrix (inputs, outputs), in float64. */
export function unpack(packed: Packed): Float64Array {
  const { inputs, outputs, format, group, words, scales } = packed;
  const columns = Math.ceil(outputs / 4) * 4;
  const bits = { f16: 16, int8: 8, int4: 4 }[format];
  const out = new Float64Array(inputs * outputs);
  for (let i = 0; i < inputs; i++) {
    for (let j = 0; j < outputs; j++) {
      const word = words[Math.floor(i * bits / 32) * columns + j];
      const field = Math.floor(word / 2 ** (i * bits % 32)) % 2 ** bits;
      out[i * outputs + j] = format === "f16"
        ? fromHalf(field, 5)
        : (field < 2 ** (bits - 1) ? field : field - 2 ** bits) *
          fromHalf(scales[Math.floor(i / group) * columns + j], 8);
    }
  }
  return out;
}
