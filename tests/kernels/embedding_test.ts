/**
 * Token and position embeddings, forward and backward.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  embedding,
  embeddingPositionBackward,
  embeddingTokenBackward,
} from "../../src/kernels/embedding.ts";
import { assertClose, numbers } from "../compare.ts";
import { embedding as reference, embeddingBackward as backward } from "../reference/embedding.ts";
import { assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

/** Batch, time, channels, vocabulary, context, offset. */
const SHAPES = [
  [1, 1, 1, 1, 1, 0],
  [3, 29, 36, 197, 64, 0], // a common one
  [2, 65, 9, 5, 130, 65], // the last positions of the table
  [1, 130, 1031, 197, 131, 1],
  [2, 32_771, 3, 4099, 32_771, 0], // more ids than workgroups in one dimension
];

/** Ids that reach the first and the last of the vocabulary and occur again. */
function idsOf(count: number, vocabulary: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(count).map((_, n) =>
    (n * n + (n % 3 === 0 ? vocabulary - 1 : n)) % vocabulary
  );
}

for (const [name, device] of await openDevices()) {
  Deno.test(`embedding, ${name}: forward with and without positions, to the last bit`, async () => {
    for (const [batch, time, channels, vocabulary, context, offset] of SHAPES) {
      using _scope = device.scope();
      const ids = idsOf(batch * time, vocabulary);
      const [token, position] = [numbers(vocabulary * channels, 1), numbers(context * channels, 2)];
      const where = upload(device, ids, [batch, time]);
      const tables = {
        token: upload(device, token, [vocabulary, channels]),
        position: upload(device, position, [context, channels]),
      };
      poison(device, [batch, time, channels], [batch, time, channels]);
      const out = embedding(where, { ...tables, offset });
      const bare = embedding(where, { token: tables.token });
      const shape = { channels, time, offset };
      const [found, foundBare] = await device.read(out, bare);
      const label = `${batch}×${time}×${channels}`;
      const expected = new Float32Array(reference(ids, { token, position }, shape));
      assert.equal(expected.findIndex((v, i) => v !== found[i]), -1, label);
      const expectedBare = reference(ids, { token }, shape);
      assert.equal(expectedBare.findIndex((v, i) => v !== foundBare[i]), -1, `${label} bare`);
    }
  });

  Deno.test(`embedding, ${name}: backward adds into both tables`, async () => {
    for (const [batch, time, channels, vocabulary, context, offset] of SHAPES) {
      using _scope = device.scope();
      const ids = idsOf(batch * time, vocabulary);
      const d = numbers(batch * time * channels, 1);
      const [token, position] = [numbers(vocabulary * channels, 2), numbers(context * channels, 3)];
      const where = upload(device, ids, [batch, time]);
      const dOut = upload(device, d, [batch, time, channels]);
      const dToken = upload(device, token, [vocabulary, channels]);
      const dPosition = upload(device, position, [context, channels]);
      poison(device, [batch * time]);
      embeddingTokenBackward(where, dOut, { dToken });
      embeddingPositionBackward(where, dOut, { dPosition, offset });
      const [foundToken, foundPosition] = await device.read(dToken, dPosition);
      const expected = backward(ids, d, {
        channels,
        time,
        offset,
        dToken: token,
        dPosition: position,
      });
      const label = `${batch}×${time}×${channels}`;
      assertClose(foundToken, expected.dToken, { bound: 1e-6, label: `${label} dToken` });
      assertClose(foundPosition, expected.dPosition, { bound: 1e-6, label: `${label} dPosition` });
    }
  });

  Deno.test(`embedding, ${name}: an id that is not in the table has a row of NaN`, async () => {
    using _scope = device.scope();
    const ids = upload(device, Uint32Array.of(4, 5, 2 ** 32 - 1, 0), [2, 2]);
    const out = embedding(ids, { token: upload(device, numbers(5 * 3, 1), [5, 3]) });
    assert.deepEqual(
      Array.from(await out.read(), Number.isNaN),
      [0, 1, 1, 0].flatMap((wrong) => {
        return new Array(3).fill(wrong === 1);
      }),
    );
  });

  Deno.test(`embedding, ${name}: the padding learns nothing, the others as without it`, async () => {
    using _scope = device.scope();
    const [count, channels, vocabulary, padId] = [87, 12, 7, 3];
    const ids = idsOf(count, vocabulary);
    const where = upload(device, ids, [3, 29]);
    const dOut = upload(device, numbers(count * channels, 1), [3, 29, channels]);
    const [plain, padded] = [0, 1].map(() => device.zeros([vocabulary, channels]));
    embeddingTokenBackward(where, dOut, { dToken: plain });
    embeddingTokenBackward(where, dOut, { dToken: padded, padId });
    const [all, found] = await device.read(plain, padded);
    const row = all.slice(padId * channels, (padId + 1) * channels);
    assert.ok(row.every((v) => v !== 0));
    all.fill(0, padId * channels, (padId + 1) * channels);
    assert.deepEqual(found, all);
  });

  Deno.test(`embedding, ${name}: 200,000 tokens, of one id, of all and of one that comes last`, async () => {
    const [count, channels, vocabulary] = [200_000, 2, 50_257];
    const d = numbers(count * channels, 1);
    const zero = new Uint32Array(count);
    const last = zero.with(count - 1, 50_256);
    const all = zero.map((_, n) => n * 7919 % vocabulary);
    for (const [label, ids] of Object.entries({ zero, last, all })) {
      using _scope = device.scope();
      const where = upload(device, ids, [count / 8, 8]);
      const [dOut, dToken] = [
        upload(device, d, [count / 8, 8, channels]),
        device.zeros([vocabulary, channels]),
      ];
      embeddingTokenBackward(where, dOut, { dToken });
      const [found] = await device.read(dToken);
      const expected = new Float64Array(vocabulary * channels);
      ids.forEach((id, n) => {
        for (const c of [0, 1]) expected[id * channels + c] += d[n * channels + c];
      });
      // Ten times what was measured, of 200,000 numbers that nearly cancel.
      assertClose(found, expected, { bound: 1.1e-5, label });
      assert.ok(label !== "last" || found.at(-1) === d.at(-1), "a token that comes last");
    }
  });

  Deno.test(`embedding, ${name}: positions of 70,000 sequences, and 70,000 positions`, async () => {
    for (const [batch, time] of [[70_000, 2], [2, 70_000]]) {
      using _scope = device.scope();
      const d = numbers(batch * time, 1);
      const dPosition = device.zeros([time, 1]);
      const ids = device.zeros([batch, time], "u32");
      embeddingPositionBackward(ids, upload(device, d, [batch, time, 1]), { dPosition });
      const [found] = await device.read(dPosition);
      const expected = new Float64Array(time);
      d.forEach((v, i) => expected[i % time] += v);
      assertClose(found, expected, { bound: 1e-5, label: `${batch}×${time}` });
    }
  });

  Deno.test(`embedding, ${name}: same bytes twice where every id occurs often`, async () => {
    using _scope = device.scope();
    const ids = upload(device, idsOf(3 * 130, 5), [3, 130]);
    const dOut = upload(device, numbers(3 * 130 * 36, 1), [3, 130, 36]);
    await assertSameBytes(device, () => {
      const dToken = device.zeros([5, 36]);
      embeddingTokenBackward(ids, dOut, { dToken });
      return [dToken];
    });
  });
}
