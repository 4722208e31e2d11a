/** A decoder of TensorBoard's event files that shares nothing with the writer. @module */

import assert from "node:assert/strict";

/** CRC32C bit by bit from the most significant one: another way than the table of the writer. */
export function slowCrc32c(bytes: Uint8Array): number {
  const reflect = (value: bigint, bits: number): bigint =>
    BigInt("0b" + value.toString(2).padStart(bits, "0").split("").reverse().join(""));
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= reflect(BigInt(byte), 8) << 24n;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 0x80000000n ? ((crc << 1n) & 0xffffffffn) ^ 0x1edc6f41n : crc << 1n;
    }
  }
  return Number(reflect(crc ^ 0xffffffffn, 32));
}

function masked(bytes: Uint8Array): number {
  const crc = BigInt(slowCrc32c(bytes));
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

/** The payloads of a TFRecord file, all checksums compared. */
function payloads(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset);
  const found: Uint8Array[] = [];
  let at = 0;
  while (at < file.length) {
    const length = Number(view.getBigUint64(at, true));
    assert.equal(view.getUint32(at + 8, true), masked(file.subarray(at, at + 8)));
    const payload = file.subarray(at + 12, at + 12 + length);
    assert.equal(view.getUint32(at + 12 + length, true), masked(payload));
    found.push(payload);
    at += length + 16;
  }
  assert.equal(at, file.length);
  return found;
}

/** Number and raw value of a protobuf field. */
export type Field = [number, bigint | number | Uint8Array];

/** The fields of a protobuf message: number and raw value. */
function fields(message: Uint8Array): Field[] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const found: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let [value, shift] = [0n, 0n];
    for (;; shift += 7n) {
      const byte = BigInt(message[at++]);
      value |= (byte & 127n) << shift;
      if (byte < 128n) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    const [field, wire] = [tag >> 3, tag & 7];
    if (wire === 0) found.push([field, varint()]);
    else if (wire === 1) found.push([field, view.getFloat64((at += 8) - 8, true)]);
    else if (wire === 5) found.push([field, view.getFloat32((at += 4) - 4, true)]);
    else {
      assert.equal(wire, 2);
      const length = Number(varint());
      found.push([field, message.subarray(at, at += length)]);
    }
  }
  return found;
}

/** A field's bytes as text. */
export const string = (bytes: unknown): string => new TextDecoder().decode(bytes as Uint8Array);
/** The fields of the message in a field. */
export const inner = (list: Field[], field: number): Field[] =>
  fields(list.find(([number]) => number === field)![1] as Uint8Array);

/** The events of a file as their fields. */
export function events(path: string): Field[][] {
  return payloads(Deno.readFileSync(path)).map(fields);
}

/** One value that a file tells. */
export interface Scalar {
  tag: string;
  step: number;
  value: number;
}

/** The scalars of all event files of a directory, the files in the order of their names. */
export function scalarsOf(directory: string): Scalar[] {
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name)
    .filter((name) => name.startsWith("events.out.tfevents."));
  return names.sort().flatMap((name) => events(`${directory}/${name}`)).flatMap((event) => {
    const summary = event.find(([number]) => number === 5);
    if (!summary) return [];
    const step = Number(event.find(([number]) => number === 2)![1]);
    return fields(summary[1] as Uint8Array).flatMap(([, value]) => {
      const parts = fields(value as Uint8Array);
      const simple = parts.find(([number]) => number === 2);
      return simple ? [{ tag: string(parts[0][1]), step, value: simple[1] as number }] : [];
    });
  });
}
