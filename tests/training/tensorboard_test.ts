import assert from "node:assert/strict";
import { EventWriter } from "../../src/training/tensorboard.ts";
import { crc32c } from "../../src/training/tensorboard_encoding.ts";

/** CRC32C bit by bit from the most significant one: another way than the table of the writer. */
function slowCrc32c(bytes: Uint8Array): number {
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

type Field = [number, bigint | number | Uint8Array];

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

const string = (bytes: unknown): string => new TextDecoder().decode(bytes as Uint8Array);
const inner = (list: Field[], field: number): Field[] =>
  fields(list.find(([number]) => number === field)![1] as Uint8Array);

function events(path: string): Field[][] {
  return payloads(Deno.readFileSync(path)).map(fields);
}

function inDirectory(check: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    check(`${directory}/new/events`);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("CRC32C of the vectors of RFC 3720, and as computed bit by bit", () => {
  const bytes = (length: number, at: (i: number) => number) =>
    Uint8Array.from({ length }, (_, i) => at(i));
  assert.equal(crc32c(bytes(32, () => 0)), 0x8a9136aa);
  assert.equal(crc32c(bytes(32, () => 0xff)), 0x62a8ab43);
  assert.equal(crc32c(bytes(32, (i) => i)), 0x46dd794e);
  assert.equal(crc32c(bytes(32, (i) => 31 - i)), 0x113fdb5c);
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  const odd = bytes(197, (i) => i * 29);
  assert.equal(crc32c(odd), slowCrc32c(odd));
});

Deno.test("an independent decoder finds version, scalars and texts", () => {
  inDirectory((directory) => {
    const before = Date.now() / 1000;
    const writer = new EventWriter(directory);
    assert.match(writer.path, /\/events\.out\.tfevents\.\d{10}\.vitrail\.000$/);
    writer.scalar("loss/train", 3.14159, 197);
    writer.scalar("é", NaN, 2 ** 40 + 3);
    writer.text("samples", "# Call\r\n<b>me</b>", 29);
    writer.close();
    writer.close();
    const [version, loss, nan, text] = events(writer.path);
    const [first, second] = version;
    assert.equal(first[0], 1);
    assert.ok(first[1] as number >= before && first[1] as number <= Date.now() / 1000);
    assert.deepEqual([second[0], string(second[1])], [3, "brain.Event:2"]);

    assert.deepEqual(loss[1], [2, 197n]);
    const value = inner(inner(loss, 5), 1);
    assert.equal(string(value[0][1]), "loss/train");
    assert.deepEqual(value[1], [2, Math.fround(3.14159)]);
    assert.deepEqual(nan[1], [2, 2n ** 40n + 3n]);
    assert.deepEqual(inner(inner(nan, 5), 1)[1], [2, NaN]);

    assert.deepEqual(text[1], [2, 29n]);
    const summary = inner(inner(text, 5), 1);
    const tensor = inner(summary, 8);
    assert.deepEqual(tensor[0], [1, 7n]);
    assert.equal(string(tensor.find(([n]) => n === 8)![1]), "    # Call\n    <b>me</b>");
    assert.equal(string(inner(inner(summary, 9), 1)[0][1]), "text");
  });
});

Deno.test("values wait in memory until they are many, or flushed", () => {
  inDirectory((directory) => {
    using writer = new EventWriter(directory);
    writer.scalar("a", 1, 1);
    assert.equal(events(writer.path).length, 1);
    writer.flush();
    assert.equal(events(writer.path).length, 2);
    for (let step = 2; step <= 2000; step++) writer.scalar("a", step, step);
    const written = events(writer.path).length;
    assert.ok(written > 1000 && written < 2001, `${written} events`);
    writer.flush();
    assert.deepEqual(events(writer.path).at(-1)![1], [2, 2000n]);
  });
});

Deno.test("a resumed writer makes a later file that tells where it begins again", () => {
  inDirectory((directory) => {
    using first = new EventWriter(directory);
    using second = new EventWriter(directory, { purgeStep: 30 });
    assert.ok(first.path < second.path);
    assert.equal(events(first.path).length, 1);
    const [, start] = events(second.path);
    assert.deepEqual(start[1], [2, 30n]);
    assert.deepEqual(inner(start, 7), [[1, 1n]]);
  });
});

Deno.test("a step that is none, a closed writer and a place that is a file are faults", () => {
  inDirectory((directory) => {
    const writer = new EventWriter(directory);
    for (const step of [-1, 0.5, NaN]) {
      assert.throws(() => writer.scalar("a", 1, step), /VitrailError: .*wanted a whole number/);
    }
    writer.close();
    assert.equal(events(writer.path).length, 1);
    assert.throws(() => writer.scalar("a", 1, 1), /VitrailError: .*was closed/);
    assert.throws(() => writer.flush(), /was closed/);
    assert.throws(() => new EventWriter(writer.path), /VitrailError: Cannot make an event file in/);
  });
});
