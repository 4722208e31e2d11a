/** The bytes of TensorBoard's event files: CRC32C, TFRecord framing, protobuf fields. @module */

const CASTAGNOLI = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ CASTAGNOLI : rest >>> 1;
  return rest;
});

/** CRC32C (Castagnoli, reflected) of bytes, as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** The checksum as TFRecord stores it: a CRC of bytes that hold CRCs would be a weak one. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/**
 * One TFRecord: length (u64), masked CRC of the length (u32), the bytes, their masked CRC (u32),
 * all little-endian.
 */
export function tfRecord(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(payload.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(payload.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(payload, 12);
  view.setUint32(12 + payload.length, maskedCrc32c(payload), true);
  return record;
}

/** Bytes one after the other. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A whole number from 0 to 2⁵³ - 1 in groups of seven bits, the lowest first. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  // Shifts would cut the number to 32 bits.
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return [...bytes, value];
}

const key = (field: number, wire: number): number[] => varint(field * 8 + wire);

/** A protobuf field of an integer or an enumeration. */
export function integerField(field: number, value: number): Uint8Array {
  return Uint8Array.from([...key(field, 0), ...varint(value)]);
}

/** A protobuf field of a `double`. */
export function doubleField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return concatenate([Uint8Array.from(key(field, 1)), bytes]);
}

/** A protobuf field of a `float`. */
export function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return concatenate([Uint8Array.from(key(field, 5)), bytes]);
}

/** A protobuf field of a string, or of a message given by its fields. */
export function bytesField(field: number, value: string | readonly Uint8Array[]): Uint8Array {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : concatenate(value);
  return concatenate([Uint8Array.from([...key(field, 2), ...varint(bytes.length)]), bytes]);
}
