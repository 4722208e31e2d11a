/** Writing safetensors: Python's bytes, and nothing left behind when it fails. @module */

import assert from "node:assert/strict";
import {
  openSafetensors,
  type TensorToWrite,
  writeSafetensors,
} from "../../src/formats/safetensors.ts";
import { VitrailError } from "../../src/errors.ts";
import { assertFault, fixture, listNames, temporaryDirectory } from "./files.ts";

/** The tensors of make_fixtures.py's four_byte, out of order. */
function fourByteTensors(): TensorToWrite[] {
  return [
    { name: "cursor", shape: [2, 1], dtype: "I32", data: new Int32Array([-197, 29]) },
    { name: "é\u{1d11e}", shape: [1], dtype: "F32", data: new Float32Array([2]) },
    { name: "é\uffff", shape: [1], dtype: "F32", data: new Float32Array([1]) },
    {
      name: "wte.weight",
      shape: [197, 3],
      dtype: "F32",
      data: () => Float32Array.from({ length: 591 }, (_, i) => i / 8 - 31),
    },
    {
      name: "h.2.ln_1.bias",
      shape: [29],
      dtype: "F32",
      data: () => Promise.resolve(new Float32Array(29).fill(0.25)),
    },
    {
      name: "h.10.ln_1.bias",
      shape: [29],
      dtype: "F32",
      // A view into a larger buffer, as bytes.
      data: new Uint8Array(new Float32Array(31).fill(-0.5, 1, 30).buffer, 4, 116),
    },
    { name: "7", shape: [], dtype: "F32", data: new Float32Array([7]) },
    {
      name: "state",
      shape: [3],
      dtype: "U32",
      data: new Uint32Array([1, 2 ** 31 + 5, 2 ** 32 - 1]),
    },
  ];
}

async function fails(write: Promise<void>, words: string | RegExp): Promise<void> {
  await assert.rejects(write, (error) => {
    assertFault(error, words);
    return true;
  });
}

Deno.test("two bytes a number come behind four, as Python has them", async () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/model.safetensors`;
  const bits = (...values: number[]) => new Uint16Array(values);
  await writeSafetensors(path, [
    { name: "head", shape: [3, 1], dtype: "F16", data: bits(0x3e00, 0xfbff, 1) },
    { name: "ln_f.bias", shape: [1], dtype: "F32", data: new Float32Array([0.25]) },
    {
      name: "wte.weight.packed",
      shape: [1, 2],
      dtype: "U32",
      data: new Uint32Array([0x81407f00, 2 ** 31 + 5]),
    },
    {
      name: "wte.weight.scales",
      shape: [1, 3],
      dtype: "BF16",
      data: () => bits(0x3f00, 0xc040, 0x380),
    },
  ], { metadata: { format: "pt" } });
  assert.deepEqual(Deno.readFileSync(path), Deno.readFileSync(fixture("quantized.safetensors")));
});

Deno.test("writes the bytes that Python writes, in whatever order the tensors come", async () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/model.safetensors`;
  const expected = Deno.readFileSync(fixture("four_byte.safetensors"));
  await writeSafetensors(path, fourByteTensors(), { metadata: { format: "pt" } });
  assert.deepEqual(Deno.readFileSync(path), expected);
  const backwards = new Map(fourByteTensors().reverse().map((tensor) => [tensor.name, tensor]));
  await writeSafetensors(path, backwards.values(), { metadata: { format: "pt" } });
  assert.deepEqual(Deno.readFileSync(path), expected);
  assert.deepEqual(listNames(directory.path), ["model.safetensors"]);
});

Deno.test("what is written reads back, metadata sorted by key", async () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/state.safetensors`;
  const metadata = { step: "197", "2": "two\n", __proto: "ünï" };
  await writeSafetensors(path, fourByteTensors(), { metadata });
  using file = openSafetensors(path);
  assert.deepEqual(file.metadata, metadata);
  const text = new TextDecoder().decode(Deno.readFileSync(path));
  const start = '{"__metadata__":{"2":"two\\n","__proto":"ünï","step":"197"},"7":';
  assert.equal(text.slice(8, 8 + start.length), start);
  assert.equal(file.read("wte.weight")[590], 590 / 8 - 31);
  assert.deepEqual(
    [...new Uint32Array(file.readRaw("state").buffer)],
    [1, 2 ** 31 + 5, 2 ** 32 - 1],
  );
});

Deno.test("a file of no tensors is valid, and data starts at a multiple of eight", async () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/empty.safetensors`;
  await writeSafetensors(path, []);
  assert.deepEqual(
    Deno.readFileSync(path),
    new Uint8Array([8, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d, 32, 32, 32, 32, 32, 32]),
  );
  for (let length = 1; length <= 9; length++) {
    await writeSafetensors(path, [
      { name: "n".repeat(length), shape: [1], dtype: "F32", data: new Float32Array(1) },
    ]);
    const { size } = Deno.statSync(path);
    assert.equal((size - 4) % 8, 0);
  }
});

Deno.test("a tensor's data is asked for only when its turn comes", async () => {
  using directory = temporaryDirectory();
  const sizes: number[] = [];
  const probe = (name: string): TensorToWrite => ({
    name,
    shape: [29],
    dtype: "F32",
    data: () => {
      const [temporary] = listNames(directory.path);
      sizes.push(Deno.statSync(`${directory.path}/${temporary}`).size);
      return new Float32Array(29);
    },
  });
  await writeSafetensors(`${directory.path}/m`, [probe("b"), probe("c"), probe("a")]);
  assert.deepEqual([sizes[1] - sizes[0], sizes[2] - sizes[1]], [116, 116]);
});

const refused: [string, Partial<TensorToWrite>, string][] = [
  [
    "too little data",
    { data: new Float32Array(5) },
    "has 20 bytes of data, but its shape needs 24",
  ],
  ["too much data, late", { data: () => new Float32Array(7) }, "has 28 bytes of data"],
  ["integers for floats", { data: new Int32Array(6) }, "data is Int32Array, wanted Float32Array"],
  ["doubles, late", { data: () => new Float64Array(3) as never }, "data is Float64Array"],
  ["no data", { data: undefined }, "data is Undefined"],
  ["floats for halves", { dtype: "F16" }, "data is Float32Array, wanted Uint16Array"],
  ["a dtype it cannot write", { dtype: "F64" as never }, 'dtype "F64", wanted F32, U32, I32, BF16'],
  ["a negative size", { shape: [-2, -3] }, "has shape [-2,-3]"],
  ["a broken size", { shape: [1.5, 4] }, "has shape [1.5,4]"],
  ["an uncountable size", { shape: [2 ** 40, 2 ** 40] }, "wanted whole numbers"],
  ["the reserved name", { name: "__metadata__" }, "the format does not allow"],
  ["half a character", { name: "x\ud834" }, "the format does not allow"],
  ["a name twice", { name: "state" }, 'two tensors are named "state"'],
];

for (const [what, change, words] of refused) {
  Deno.test(`refuses ${what}, and leaves the old file`, async () => {
    using directory = temporaryDirectory();
    const path = `${directory.path}/model.safetensors`;
    Deno.writeTextFileSync(path, "old");
    const good: TensorToWrite = {
      name: "x",
      shape: [2, 3],
      dtype: "F32",
      data: new Float32Array(6),
    };
    await fails(writeSafetensors(path, [...fourByteTensors(), { ...good, ...change }]), words);
    assert.equal(Deno.readTextFileSync(path), "old");
    assert.deepEqual(listNames(directory.path), ["model.safetensors"]);
    await writeSafetensors(path, [...fourByteTensors(), good]);
  });
}

Deno.test("data at hand is checked before any file is made", async () => {
  using directory = temporaryDirectory();
  const tensor: TensorToWrite = { name: "x", shape: [3], dtype: "F32", data: new Float32Array(2) };
  // The missing directory would be the fault, had a file been tried first.
  await fails(writeSafetensors(`${directory.path}/none/m`, [tensor]), "has 8 bytes of data");
});

Deno.test("metadata that is not Unicode text is refused", async () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/model.safetensors`;
  await fails(writeSafetensors(path, [], { metadata: { step: 3 as never } }), '"step" is 3');
  await fails(writeSafetensors(path, [], { metadata: { a: "\udc00" } }), "wanted Unicode text");
  assert.deepEqual(listNames(directory.path), []);
});

Deno.test("an error of a data function comes out as it is, and no file stays", async () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/model.safetensors`;
  Deno.writeTextFileSync(path, "old");
  const lost = new Error("device lost");
  for (
    const data of [() => Promise.reject(lost), () => {
      throw lost;
    }]
  ) {
    const tensor: TensorToWrite = { name: "z", shape: [1], dtype: "I32", data };
    await assert.rejects(writeSafetensors(path, [...fourByteTensors(), tensor]), lost);
    assert.equal(Deno.readTextFileSync(path), "old");
    assert.deepEqual(listNames(directory.path), ["model.safetensors"]);
  }
});

Deno.test("a full disk leaves the old file and no other", async () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/model.safetensors`;
  Deno.writeTextFileSync(path, "old");
  const original = Deno.FsFile.prototype.writeSync;
  let free = 1000;
  Deno.FsFile.prototype.writeSync = function (bytes: Uint8Array): number {
    // As the system does it: a part is written, then the call fails.
    if (free === 0) throw Object.assign(new Error("os error 28"), { code: "ENOSPC" });
    const count = Math.min(free, bytes.byteLength);
    free -= count;
    return original.call(this, bytes.subarray(0, count));
  };
  try {
    await fails(
      writeSafetensors(path, fourByteTensors()),
      `Cannot write ${path}: no space left on the device; free some space and try again`,
    );
  } finally {
    Deno.FsFile.prototype.writeSync = original;
  }
  assert.equal(free, 0);
  assert.equal(Deno.readTextFileSync(path), "old");
  assert.deepEqual(listNames(directory.path), ["model.safetensors"]);
});

Deno.test("the written file is one that the reader opens at any size of header", async () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/many.safetensors`;
  const tensors = Array.from({ length: 197 }, (_, i): TensorToWrite => ({
    name: `h.${i}.attn.c_attn.weight`,
    shape: [i % 5, 3],
    dtype: "F32",
    data: () => new Float32Array((i % 5) * 3).fill(i),
  }));
  await writeSafetensors(path, tensors);
  using file = openSafetensors(path);
  assert.equal(file.names.length, 197);
  for (let i = 0; i < 197; i++) {
    const values = file.read(`h.${i}.attn.c_attn.weight`);
    assert.deepEqual([...values], new Array((i % 5) * 3).fill(i));
  }
  assert.throws(() => file.read("h.197.attn.c_attn.weight"), VitrailError);
});
