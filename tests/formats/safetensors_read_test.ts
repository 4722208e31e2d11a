/** Reading safetensors: Python's files exactly, damaged files never. @module */

import assert from "node:assert/strict";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { tensorByteLength } from "../../src/formats/safetensors_dtypes.ts";
import { VitrailError } from "../../src/errors.ts";
import {
  assertFault,
  assertThrowsFault,
  fixture,
  safetensorsBytes,
  temporaryDirectory,
} from "./files.ts";

interface Expected {
  dtype: string;
  shape: number[];
  bits?: number[];
  values?: string[];
}

const dtypes: Record<string, string> = {
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  float64: "F64",
  int64: "I64",
  int32: "I32",
  bool: "BOOL",
};

Deno.test("every tensor of a file from Python has PyTorch's shape and bits", () => {
  const text = Deno.readTextFileSync(fixture("mixed.expected.json"));
  const expected: Record<string, Expected> = JSON.parse(text);
  using file = openSafetensors(fixture("mixed.safetensors"));
  assert.deepEqual([...file.names].sort(), Object.keys(expected).sort());
  assert.deepEqual(file.metadata, { format: "pt" });
  for (const [name, { dtype, shape, bits, values }] of Object.entries(expected)) {
    const info = file.info(name);
    assert.equal(info.dtype, dtypes[dtype]);
    assert.deepEqual([...info.shape], shape);
    if (bits !== undefined) {
      const floats = file.read(name);
      assert.deepEqual([...new Int32Array(floats.buffer)], bits, name);
    } else {
      const raw = file.readRaw(name);
      assert.equal(raw.byteLength, info.byteLength);
      const array = dtype === "int64"
        ? new BigInt64Array(raw.buffer)
        : dtype === "int32"
        ? new Int32Array(raw.buffer)
        : raw;
      assert.deepEqual([...array].map(String), values, name);
      assertThrowsFault(() => file.read(name), /wanted F32, F16, BF16 or F64; use readRaw/);
    }
  }
});

Deno.test("a tensor longer than one piece converts as a whole", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/long.safetensors`;
  // Three pieces of 4 MiB, the last one odd.
  const elements = 2 * 2 * 1024 * 1024 + 197;
  const json = { x: { dtype: "BF16", shape: [elements], data_offsets: [0, 2 * elements] } };
  const text = JSON.stringify(json);
  const bytes = safetensorsBytes(text.padEnd(Math.ceil(text.length / 8) * 8), {
    data: 2 * elements,
  });
  const halves = new Uint16Array(bytes.buffer, bytes.byteLength - 2 * elements);
  for (let i = 0; i < elements; i++) halves[i] = (i * 31) & 0x7f7f;
  Deno.writeFileSync(path, bytes);
  using file = openSafetensors(path);
  const bits = new Uint32Array(file.read("x").buffer);
  assert.equal(bits.length, elements);
  assert.equal(bits.findIndex((value, i) => value !== (((i * 31) & 0x7f7f) << 16) >>> 0), -1);
});

Deno.test("names that are not there, and a closed file, are faults", () => {
  const file = openSafetensors(fixture("four_byte.safetensors"));
  assert.equal(file.has("wte.weight"), true);
  assert.equal(file.has("toString"), false);
  assertThrowsFault(() => file.info("wpe.weight\n"), 'no tensor "wpe.weight\\n" among its 8');
  assertThrowsFault(() => file.read("__proto__"), 'no tensor "__proto__"');
  file.close();
  file.close();
  assertThrowsFault(() => file.read("wte.weight"), "it is closed");
});

Deno.test("a file that shrinks while it is open gives a fault, not zeros", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/shrinking.safetensors`;
  Deno.copyFileSync(fixture("four_byte.safetensors"), path);
  using file = openSafetensors(path);
  Deno.truncateSync(path, 1000);
  assertThrowsFault(() => file.read("wte.weight"), "it became shorter while it was open");
});

Deno.test("missing files and directories are told apart", () => {
  using directory = temporaryDirectory();
  const missing = `${directory.path}/model.safetensors`;
  assertThrowsFault(
    () => openSafetensors(missing),
    `Cannot read ${missing}: no such file or directory`,
  );
  assertThrowsFault(() => openSafetensors(directory.path), "it is not a file");
});

const x = (shape: unknown, data_offsets: unknown, dtype: unknown = "F32") => ({
  dtype,
  shape,
  data_offsets,
});

const hostile: [string, Uint8Array, string | RegExp][] = [
  ["nothing at all", new Uint8Array(0), "it has 0 bytes"],
  ["seven bytes", new Uint8Array(7), "it has 7 bytes"],
  ["a header of no bytes", new Uint8Array(8), "does not begin with {"],
  [
    "a header of 2^63 bytes",
    safetensorsBytes({}, { claimed: 2n ** 63n }),
    "claims 9223372036854775808 bytes, wanted at most 100000000",
  ],
  ["a header of 2^64 - 1 bytes", safetensorsBytes({}, { claimed: 2n ** 64n - 1n }), "18446744"],
  ["a header just too long", safetensorsBytes({}, { claimed: 100_000_001n }), "100000001"],
  ["a header longer than the file", safetensorsBytes({}, { claimed: 3n }), "the file has only 10"],
  [
    "a Git LFS pointer",
    new TextEncoder().encode("version 1\noid sha256:0\nsize 5\n"),
    "it is a Git LFS pointer",
  ],
  ["an array", safetensorsBytes([]), "does not begin with {"],
  ["a space first", safetensorsBytes(" {}"), "does not begin with {"],
  ["a byte-order mark", safetensorsBytes("\ufeff{}"), "does not begin with {"],
  ["broken JSON", safetensorsBytes('{"x":'), "not valid JSON"],
  ["JSON and then more", safetensorsBytes("{}{}"), "not valid JSON"],
  ["zeros after the JSON", safetensorsBytes("{}\0\0"), "not valid JSON"],
  ["a million brackets", safetensorsBytes('{"x":' + "[".repeat(1e6)), "nested more than 64 deep"],
  ["nested brackets", safetensorsBytes(`{"x":${"[".repeat(9)}${"]".repeat(9)}}`), "wanted an obj"],
  ["a tensor of null", safetensorsBytes({ x: null }), 'tensor "x" is null, wanted an object'],
  ["no dtype", safetensorsBytes({ x: { shape: [], data_offsets: [0, 4] } }), "dtype absent"],
  ["an unknown dtype", safetensorsBytes({ x: x([1], [0, 4], "F31") }), 'has dtype "F31"'],
  ["an inherited dtype", safetensorsBytes({ x: x([1], [0, 4], "toString") }), 'dtype "toString"'],
  ["a shape of text", safetensorsBytes({ x: x("1", [0, 4]) }), 'has shape "1"'],
  ["half a row", safetensorsBytes({ x: x([1.5], [0, 6]) }, { data: 6 }), "has shape [1.5]"],
  ["a negative size", safetensorsBytes({ x: x([-1, -1], [0, 4]) }, { data: 4 }), "[-1,-1]"],
  ["a size of null", safetensorsBytes({ x: x([null], [0, 4]) }, { data: 4 }), "[null]"],
  [
    "a shape whose product wraps to zero in 64 bits",
    safetensorsBytes({ x: x([2 ** 32, 2 ** 32], [0, 0]) }),
    "no countable number of F32 bytes",
  ],
  [
    "an overflow before a zero",
    safetensorsBytes({ x: x([2 ** 32, 2 ** 32, 0], [0, 0]) }),
    "no countable number",
  ],
  ["a shape of infinity", safetensorsBytes('{"x":{"dtype":"F32","shape":[1e999]}}'), "[null]"],
  ["half a byte", safetensorsBytes({ x: x([3], [0, 2], "F4") }, { data: 2 }), "no countable"],
  ["one offset", safetensorsBytes({ x: x([1], [4]) }, { data: 4 }), "data_offsets [4]"],
  ["three offsets", safetensorsBytes({ x: x([1], [0, 4, 8]) }, { data: 4 }), "[0,4,8]"],
  ["a negative offset", safetensorsBytes({ x: x([1], [-4, 0]) }, { data: 4 }), "[-4,0]"],
  ["an end before the start", safetensorsBytes({ x: x([1], [4, 0]) }, { data: 4 }), "before its"],
  [
    "an offset that no double holds",
    safetensorsBytes('{"x":{"dtype":"U8","shape":[0],"data_offsets":[9007199254740993,0]}}'),
    "data_offsets",
  ],
  ["too few bytes for the shape", safetensorsBytes({ x: x([2], [0, 4]) }, { data: 4 }), "needs 8"],
  ["data cut short", safetensorsBytes({ x: x([3], [0, 12]) }, { data: 11 }), "has only 11"],
  ["data after the last tensor", safetensorsBytes({ x: x([3], [0, 12]) }, { data: 13 }), "but 13"],
  ["data and no tensor", safetensorsBytes({}, { data: 1 }), "take 0 bytes, but 1 follow"],
  ["a hole first", safetensorsBytes({ x: x([1], [4, 8]) }, { data: 8 }), "leaves a hole"],
  [
    "a hole between",
    safetensorsBytes({ x: x([1], [0, 4]), y: x([1], [8, 12]) }, { data: 12 }),
    'tensor "y" starts at byte 8, wanted 4: it leaves a hole',
  ],
  [
    "an overlap",
    safetensorsBytes({ x: x([2], [0, 8]), y: x([2], [4, 12]) }, { data: 12 }),
    'tensor "y" starts at byte 4, wanted 8: it overlaps',
  ],
  [
    "two names for the same bytes",
    safetensorsBytes({ x: x([1], [0, 4]), y: x([1], [0, 4]) }, { data: 4 }),
    "it overlaps",
  ],
  [
    "a name twice, spelled in two ways",
    safetensorsBytes(
      '{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},' +
        '"\\u0078":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}',
      { data: 4 },
    ),
    'holds "x" twice',
  ],
  [
    "a dtype twice",
    safetensorsBytes(
      '{"x":{"dtype":"F32","dtype" :"I32","shape":[1],"data_offsets":[0,4]}}',
      { data: 4 },
    ),
    'holds "dtype" twice',
  ],
  ["metadata of numbers", safetensorsBytes({ __metadata__: { step: 3 } }), '"step" is 3'],
  ["metadata of text", safetensorsBytes({ __metadata__: "pt" }), '__metadata__ is "pt"'],
  [
    "a name that would write on the terminal",
    safetensorsBytes({ ["\u001b[2J\u009b\u2028" + "n".repeat(9999)]: 1 }),
    '"\\u001b[2J\\u009b\\u2028nnn',
  ],
];

for (const [what, bytes, words] of hostile) {
  Deno.test(`refuses ${what}`, { sanitizeResources: true }, () => {
    using directory = temporaryDirectory();
    const path = `${directory.path}/hostile.safetensors`;
    Deno.writeFileSync(path, bytes);
    assertThrowsFault(() => openSafetensors(path), words);
  });
}

Deno.test("refuses a header that is not UTF-8", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/latin.safetensors`;
  const bytes = safetensorsBytes('{"__metadata__":{"a":"e"}}');
  bytes[bytes.lastIndexOf("e".charCodeAt(0))] = 0xe9;
  Deno.writeFileSync(path, bytes);
  assertThrowsFault(() => openSafetensors(path), "not UTF-8");
});

Deno.test("reads what is rare and allowed", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/rare.safetensors`;
  const header = {
    z: x([0, 197], [4, 4]),
    __proto: x([], [0, 4], "I32"),
    "3": x([3], [4, 7], "F8_E4M3"),
    a: x([2, 3], [7, 10], "F4"),
  };
  const named = JSON.stringify(header).replace("__proto", "__proto__");
  Deno.writeFileSync(
    path,
    safetensorsBytes(`${named.slice(0, -1)},"__metadata__":null} \n`, {
      data: 10,
    }),
  );
  using file = openSafetensors(path);
  assert.deepEqual(file.names, ["__proto__", "z", "3", "a"]);
  assert.deepEqual(file.metadata, {});
  assert.equal(file.read("z").length, 0);
  assert.equal(file.info("a").byteLength, 3);
  assert.equal(file.readRaw("__proto__").byteLength, 4);
});

Deno.test("refuses a file cut at any byte", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/cut.safetensors`;
  const whole = Deno.readFileSync(fixture("mixed.safetensors"));
  for (let length = 0; length < whole.byteLength; length++) {
    Deno.writeFileSync(path, whole.subarray(0, length));
    assertThrowsFault(() => openSafetensors(path), `Cannot read ${path}: `);
  }
});

Deno.test("a damaged header is refused with a plain fault, or covers the file exactly", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/fuzzed.safetensors`;
  const whole = Deno.readFileSync(fixture("mixed.safetensors"));
  const headerEnd = 8 + Number(new DataView(whole.buffer).getBigUint64(0, true));
  let state = 197;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  let refused = 0;
  for (let round = 0; round < 2000; round++) {
    const bytes = whole.slice();
    for (let change = random(3); change >= 0; change--) {
      // Digits and punctuation hit the checks behind the JSON parser; other bytes stop at it.
      const place = 8 + random(headerEnd - 8);
      bytes[place] = round % 2 === 0 ? '0123456789[]{},:" '.charCodeAt(random(18)) : random(256);
    }
    if (round % 50 === 0) bytes[random(8)] = random(256);
    Deno.writeFileSync(path, bytes);
    try {
      using file = openSafetensors(path);
      let total = 0;
      for (const name of file.names) {
        const { dtype, shape, byteLength } = file.info(name);
        assert.equal(tensorByteLength(dtype, shape), byteLength);
        assert.equal(file.readRaw(name).byteLength, byteLength);
        total += byteLength;
      }
      assert.equal(total, whole.byteLength - headerEnd);
    } catch (error) {
      if (!(error instanceof VitrailError)) throw error;
      assertFault(error, "Cannot read");
      refused++;
    }
  }
  // Most changes must matter, and some cannot: a letter of a name, a space.
  assert.ok(refused > 1000 && refused < 2000, `${refused} of 2000 refused`);
});
