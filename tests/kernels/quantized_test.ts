/**
 * Products with packed matrices, against the float64 product with the same packed numbers.
 *
 * @module
 */
import assert from "node:assert/strict";
import { packMatrix } from "../../src/formats/quantized_matrix.ts";
import { Tensor } from "../../src/gpu/tensor.ts";
import {
  quantizedEmbedding,
  quantizedMatmul,
  readPacked,
  unpackMatrix,
  uploadPacked,
} from "../../src/kernels/quantized.ts";
import { assertClose, numbers } from "../compare.ts";
import { embedding } from "../reference/embedding.ts";
import { matmul } from "../reference/matmul.ts";
import { unpack } from "../reference/quantized.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

const FORMATS = ["f16", "int8", "int4"] as const;
/** Rows, columns, inner dimension: heads of 12, a vocabulary of 197, last groups that are shorter. */
const SHAPES = [
  [1, 1, 1],
  [3, 36, 12],
  [1, 197, 36],
  [5, 6, 37],
  [2, 64, 72],
  [4, 130, 131],
  [29, 197, 36],
  [87, 12, 133],
] as const;

for (const [name, device] of await openDevices()) {
  for (const format of FORMATS) {
    Deno.test(`quantized ${format}, ${name}: products, from words and unpacked`, async () => {
      for (const [m, n, k] of SHAPES) {
        for (const group of [32, 64]) {
          using _scope = device.scope();
          const [x, w, bias] = [numbers(m * k, 1), numbers(n * k, 2), numbers(n, 3)];
          const packed = packMatrix(w, { inputs: k, outputs: n, format, group });
          const matrix = uploadPacked(device, packed);
          const [xs, row] = [upload(device, x, [m, k]), upload(device, bias)];
          for (const unpacked of m === 3 ? [false, true] : [undefined]) {
            const before = numbers(m * n, 4);
            poison(device, [m, n]);
            const plain = quantizedMatmul(xs, matrix, { unpacked });
            const out = upload(device, before, [m, n]);
            quantizedMatmul(xs, matrix, { unpacked, bias: row, out, accumulate: true });
            assert.deepEqual(plain.shape, [m, n]);
            const exact = unpack(packed);
            const label = `${m}×${n}×${k} in groups of ${group}, unpacked ${unpacked}`;
            const [found, added] = await device.read(plain, out);
            const bound = 1e-6;
            assertClose(found, matmul(x, exact, { m, n, k }), { bound, label });
            const sum = matmul(x, exact, { m, n, k, bias, before });
            assertClose(added, sum, { bound, label: `${label}, added` });
          }
        }
      }
    });

    Deno.test(`quantized ${format}, ${name}: the matrix itself, and rows of it with positions`, async () => {
      for (const [, vocabulary, channels] of SHAPES) {
        using _scope = device.scope();
        const w = numbers(vocabulary * channels, 2);
        const shape = { inputs: channels, outputs: vocabulary, format, group: 32 };
        const packed = packMatrix(w, { ...shape, transposed: true });
        const matrix = uploadPacked(device, packed);
        const ids = new Uint32Array(2 * 29).map((_, i) =>
          i === 0 ? vocabulary - 1 : i * i % vocabulary
        );
        const position = numbers(40 * channels, 5);
        poison(device, [channels, vocabulary], [2, 29, channels]);
        const where = upload(device, ids, [2, 29]);
        const whole = unpackMatrix(matrix);
        const bare = quantizedEmbedding(where, { token: matrix });
        const placed = quantizedEmbedding(where, {
          token: matrix,
          position: upload(device, position, [40, channels]),
          offset: 11,
        });
        const exact = unpack(packed);
        const token = exact.map((_, i) =>
          exact[i % channels * vocabulary + Math.floor(i / channels)]
        );
        const [a, b, c] = await device.read(whole, bare, placed);
        const label = `${vocabulary}×${channels}`;
        // A scale of eight bits times a level of eight is a float without rounding.
        assertEach(a, exact, { label });
        const options = { channels, time: 29 };
        assertEach(b, embedding(ids, { token }, { ...options, offset: 0 }), { label });
        const sum = embedding(ids, { token, position }, { ...options, offset: 11 });
        assertEach(c, new Float32Array(sum), { label });
      }
    });
  }

  Deno.test(`quantized, ${name}: same bytes twice, and back as they were packed`, async () => {
    for (const format of FORMATS) {
      using _scope = device.scope();
      const packed = packMatrix(numbers(37 * 197, 1), {
        inputs: 37,
        outputs: 197,
        format,
        group: 32,
      });
      const matrix = uploadPacked(device, packed);
      assert.deepEqual(await readPacked(device, matrix), packed);
      const x = upload(device, numbers(3 * 37, 2), [3, 37]);
      await assertSameBytes(device, () => [quantizedMatmul(x, matrix), unpackMatrix(matrix)]);
    }
  });

  Deno.test(`quantized, ${name}: a long inner dimension loses no more than f32 must`, async () => {
    for (const k of [4096, 4099]) {
      using _scope = device.scope();
      const [m, n] = [3, 36];
      const [x, w] = [numbers(m * k, 1), numbers(n * k, 2)];
      const packed = packMatrix(w, { inputs: k, outputs: n, format: "int4", group: 128 });
      const out = quantizedMatmul(upload(device, x, [m, k]), uploadPacked(device, packed));
      const expected = matmul(x, unpack(packed), { m, n, k });
      assertClose(await out.read(), expected, { bound: 1e-6, label: `${k}` });
    }
  });

  Deno.test(`quantized, ${name}: nothing is written past the last row`, async () => {
    for (const [k, n] of [[40, 6], [37, 8]]) {
      using _scope = device.scope();
      const shape = { inputs: k, outputs: n, format: "int8", group: 32 } as const;
      const matrix = uploadPacked(device, packMatrix(numbers(k * n, 1), shape));
      for (const m of [1, 3, 5]) {
        const x = upload(device, numbers(m * k, 2), [m, k]);
        const room = upload(device, new Float32Array((m + 4) * n).fill(7), [m + 4, n]);
        const own = new Tensor(device, room.buffer, [m, n], "f32");
        quantizedMatmul(x, matrix, { out: own });
        const found = await room.read();
        assert.ok(found.subarray(0, m * n).every((v) => v !== 7));
        assert.ok(found.subarray(m * n).every((v) => v === 7), `${m} rows of ${n}`);
      }
    }
  });

  Deno.test(`quantized, ${name}: what does not fit is said`, () => {
    using _scope = device.scope();
    const shape = { inputs: 4, outputs: 5, format: "int8", group: 32 } as const;
    const matrix = uploadPacked(device, packMatrix(new Float32Array(20), shape));
    assert.throws(() => quantizedMatmul(device.tensor([2, 3]), matrix), {
      message:
        "Cannot multiply (2, 3) by int8 weights (4, 5): inner dimensions must match, got 3 and 4",
    });
    for (const rows of [2, 20]) {
      const bias = device.tensor([4]);
      assert.throws(() => quantizedMatmul(device.tensor([rows, 4]), matrix, { bias }), {
        message: "Cannot add a bias of 4 to rows of 5: sizes must match",
      });
      const out = device.tensor([rows, 4]);
      assert.throws(() => quantizedMatmul(device.tensor([rows, 4]), matrix, { out }), {
        message: `Cannot write a (${rows}, 5) product into (${rows}, 4): sizes must match`,
      });
    }
  });
}
