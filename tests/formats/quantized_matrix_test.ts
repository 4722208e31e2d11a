/**
 * Matrices packed into words: how far off a weight may be, and where it lies.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  GROUPS,
  halvesOf,
  type PackedFormat,
  packedShapes,
  packMatrix,
} from "../../src/formats/quantized_matrix.ts";
import { normals } from "../../src/models/initialize.ts";
import { fromHalf, unpack } from "../reference/quantized.ts";

/** Inner dimension and columns: odd ones, shorter and longer than a group, and whole ones. */
const SHAPES = [[1, 1], [12, 36], [37, 5], [67, 197], [64, 8], [131, 6]] as const;

/** Numbers of sizes that differ from row to row, with a row of zeros and one far-off number. */
function weights(inputs: number, outputs: number): Float32Array<ArrayBuffer> {
  const values = normals(inputs * outputs, { deviation: 1, seed: 3, name: "weights" });
  values.forEach((_, i) => {
    values[i] *= 10 ** (Math.floor(i / outputs) % 9 - 6) * (Math.floor(i / outputs) === 11 ? 0 : 1);
  });
  values[values.length >> 1] *= 100;
  return values;
}

/** The weights of each group of a column, and the numbers that they became. */
function* groupsOf(format: PackedFormat) {
  for (const [inputs, outputs] of SHAPES) {
    const values = weights(inputs, outputs);
    for (const group of GROUPS) {
      const packed = packMatrix(values, { inputs, outputs, format, group });
      const found = unpack(packed);
      for (let first = 0; first < inputs; first += group) {
        for (let j = 0; j < outputs; j++) {
          const places = Array.from(
            { length: Math.min(group, inputs - first) },
            (_, i) => (first + i) * outputs + j,
          );
          const columns = Math.ceil(outputs / 4) * 4;
          yield {
            scale: fromHalf(packed.scales[first / group * columns + j] ?? 0, 8),
            pairs: places.map((at) => [values[at], found[at]] as const),
          };
        }
      }
    }
  }
}

const largest = (pairs: (readonly [number, number])[]): number =>
  Math.max(...pairs.map(([weight]) => Math.abs(weight)));
const squares = (pairs: (readonly [number, number])[]): number =>
  pairs.reduce((sum, [weight, found]) => sum + (weight - found) ** 2, 0);

Deno.test("int8: no weight is off by more than half a step, of 127 to the group's largest", () => {
  for (const { scale, pairs } of groupsOf("int8")) {
    const top = largest(pairs);
    // A bfloat16 has eight bits: the least that is not below is off by one in 128 at most.
    assert.ok(scale >= top / 127 && scale <= top / 127 * (1 + 1 / 127.9), `${scale} for ${top}`);
    for (const [weight, found] of pairs) {
      assert.ok(Math.abs(weight - found) <= scale / 2 * (1 + 1e-6), `${weight} became ${found}`);
    }
  }
});

Deno.test("int4: what is not cut off is within half a step, and the whole nearer than without cutting", () => {
  let [chosen, plain, groups, cut] = [0, 0, 0, 0];
  for (const { scale, pairs } of groupsOf("int4")) {
    const top = largest(pairs);
    const step = Math.abs(scale);
    for (const [weight, found] of pairs) {
      const level = weight / scale;
      if (level >= -8.5 && level <= 7.5) {
        assert.ok(Math.abs(weight - found) <= step / 2 * (1 + 1e-6), `${weight} became ${found}`);
      } else {
        assert.equal(found, scale * (level > 0 ? 7 : -8), `${weight} is beyond the last level`);
        cut++;
      }
    }
    // The same group with the scale that reaches its largest weight.
    const whole = pairs.map(([weight]) => {
      const reaching = top / 7;
      return [weight, reaching === 0 ? 0 : reaching * Math.round(weight / reaching)] as const;
    });
    const relative = top === 0 ? 1 : top ** 2;
    chosen += squares(pairs) / relative;
    plain += squares(whole) / relative;
    groups++;
  }
  assert.ok(cut > 0 && groups > 1000);
  assert.ok(chosen < 0.8 * plain, `${chosen} of ${plain}`);
});

Deno.test("f16: the nearest half, whichever way round it is stored", () => {
  for (const [inputs, outputs] of SHAPES) {
    const values = weights(inputs, outputs);
    const nearest = new Float16Array(values);
    for (const transposed of [false, true]) {
      const packed = packMatrix(values, { inputs, outputs, format: "f16", group: 64, transposed });
      const halves = halvesOf(packed, { transposed });
      assert.deepEqual(new Uint8Array(halves.buffer), new Uint8Array(nearest.buffer));
      const stored = unpack(packed);
      const at = (i: number, j: number) => transposed ? j * inputs + i : i * outputs + j;
      for (let i = 0; i < inputs; i++) {
        for (let j = 0; j < outputs; j++) {
          assert.equal(stored[i * outputs + j], nearest[at(i, j)]);
        }
      }
    }
  }
});

Deno.test("a transposed matrix packs into the same words; what fills up is zero", () => {
  const [inputs, outputs] = [37, 5];
  const values = weights(inputs, outputs);
  const turned = values.map((_, i) => values[i % inputs * outputs + Math.floor(i / inputs)]);
  for (const format of ["f16", "int8", "int4"] as const) {
    const shape = { inputs, outputs, format, group: 32 };
    const packed = packMatrix(values, shape);
    assert.deepEqual(packMatrix(turned, { ...shape, transposed: true }), packed);
    const { words } = packedShapes(shape);
    assert.deepEqual(words, [{ f16: 20, int8: 10, int4: 5 }[format], 8]);
    for (let row = 0; row < words[0]; row++) {
      assert.deepEqual([...packed.words.slice(row * 8 + 5, row * 8 + 8)], [0, 0, 0]);
    }
  }
});

Deno.test("what cannot be packed is said", () => {
  const shape = { inputs: 2, outputs: 2, format: "int8", group: 32 } as const;
  const says = (run: () => void, message: string) =>
    assert.throws(run, { name: "VitrailError", message });
  says(
    () => packMatrix(new Float32Array([1, 2, NaN, 4]), { ...shape, name: "h.0.weight" }),
    "Cannot pack h.0.weight as int8: number 2 of it is NaN, wanted finite numbers",
  );
  says(
    () => packMatrix(new Float32Array([1, 2, 3, -70_000]), { ...shape, format: "f16" }),
    "Cannot pack a matrix as f16: number 3 of it is -70000, wanted magnitudes up to 65504",
  );
  says(
    () => packMatrix(new Float32Array(4), { ...shape, group: 48 }),
    "Cannot quantize in groups of 48: wanted 32, 64, 128",
  );
  says(
    () => packMatrix(new Float32Array(3), shape),
    "Cannot pack a matrix: it has 3 numbers, wanted 2·2",
  );
});
