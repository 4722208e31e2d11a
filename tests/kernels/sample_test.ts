/**
 * Drawing tokens: the rules, the draw from its uniform number, and frequencies over many draws.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import { BANNED, NOT_FINITE, sample, type SampleSettings } from "../../src/kernels/sample.ts";
import { assertClose, numbers } from "../compare.ts";
import { draw, probabilities, sampleUniform, scaledLogits } from "../reference/sample.ts";
import { assertSameBytes } from "./checks.ts";
import { openDevices, upload } from "./devices.ts";

const all: SampleSettings = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  seed: 42,
};

const RULES: Record<string, Partial<SampleSettings>> = {
  "nothing": {},
  "temperature": { temperature: 0.7 },
  "top-k": { topK: 5 },
  "top-k of one": { topK: 1 },
  "top-k beyond the vocabulary": { topK: 100_000 },
  "top-p": { topP: 0.8 },
  "top-p of nothing": { topP: 0 },
  "min-p": { minP: 0.2 },
  "penalty": { repetitionPenalty: 1.7 },
  "everything": { temperature: 1.3, topK: 19, topP: 0.9, minP: 0.05, repetitionPenalty: 1.2 },
  "greedy with penalty": { temperature: 0, repetitionPenalty: 1.5, topK: 3 },
};

/** Sequences, vocabulary: fewer ids than lanes, odd ones, more than 1024. */
const SHAPES = [[3, 1], [3, 5], [29, 197], [7, 65], [2, 1031]];
const CAPACITY = 11;

/** What a draw is given on the host. */
interface Draw {
  logits: Float32Array<ArrayBuffer>;
  seen: Uint32Array<ArrayBuffer>;
  batch: number;
  position: number;
}

function drawOf(batch: number, vocabulary: number): Draw {
  const logits = numbers(batch * vocabulary, vocabulary).map((v) => 4 * v);
  const seen = new Uint32Array(logits.length).map((_, i) => i % 7 === 2 ? 1 : 0);
  return { logits, seen, batch, position: 3 };
}

/** Draws on the device and returns (scaled logits, seen, ids, tokens) as it left them. */
async function drawn(
  device: Device,
  { logits, seen, batch, position }: Draw,
  settings: SampleSettings,
) {
  using _scope = device.scope();
  const shape = [batch, logits.length / batch];
  const tensors = {
    logits: upload(device, logits, shape),
    seen: upload(device, seen, shape),
    ids: upload(device, new Uint32Array(batch).fill(4_000_000_000)),
    tokens: upload(device, new Uint32Array(batch * CAPACITY).fill(7777), [batch, CAPACITY]),
  };
  sample(tensors, { ...settings, position });
  return await device.read(tensors.logits, tensors.seen, tensors.ids, tensors.tokens);
}

/**
 * Fails unless `id` is what `u` draws: u lies in the id's share of [0, 1). Sums in f32 move the borders
 * of the shares by some 1e-6, so within 1e-5 of a border either neighbour will do.
 */
function assertDrawn(
  id: number,
  probability: Float64Array,
  options: { u: number; label: string },
): void {
  const { u, label } = options;
  assert.ok(probability[id] > 0, `${label}: id ${id} was filtered out`);
  const begin = probability.subarray(0, id).reduce((a, b) => a + b, 0);
  const inside = u >= begin - 1e-5 && u < begin + probability[id] + 1e-5;
  assert.ok(inside, `${label}: drew ${id} at ${u}, the reference ${draw(probability, u)}`);
}

for (const [name, device] of await openDevices()) {
  for (const [rule, change] of Object.entries(RULES)) {
    Deno.test(`sample, ${name}: ${rule}`, async () => {
      const settings = { ...all, ...change };
      for (const [batch, vocabulary] of SHAPES) {
        const host = drawOf(batch, vocabulary);
        const [logits, seen, ids, tokens] = await drawn(device, host, settings);
        for (let b = 0; b < batch; b++) {
          const row = [b * vocabulary, (b + 1) * vocabulary];
          const before = host.seen.subarray(...row);
          const scaled = scaledLogits(host.logits.subarray(...row), before, settings);
          const label = `${batch}×${vocabulary}, sequence ${b}`;
          assertClose(logits.subarray(...row), scaled, { bound: 2e-7, label });
          const u = sampleUniform(b, host.position, settings.seed);
          assertDrawn(ids[b], probabilities(scaled, settings), { u, label });
          const after = before.map((s, i) => i === ids[b] ? 1 : s);
          assert.deepEqual(seen.subarray(...row), after, `${label}: seen`);
          const places = Array.from({ length: CAPACITY }, (_, t) => t === 3 ? ids[b] : 7777);
          const found = [...tokens.subarray(b * CAPACITY, (b + 1) * CAPACITY)];
          assert.deepEqual(found, places, `${label}: tokens`);
        }
      }
    });
  }

  Deno.test(`sample, ${name}: equals stay or go together, and greedy takes the lowest`, async () => {
    // Ids 3, 9 and 40 share the second place: top-k of two keeps four ids.
    const logits = new Float32Array(41).fill(-2);
    [logits[20], logits[3], logits[9], logits[40]] = [2, 1, 1, 1];
    const many = { logits: new Float32Array(41 * 512), seen: new Uint32Array(41 * 512) };
    for (let b = 0; b < 512; b++) many.logits.set(logits, b * 41);
    const host = { ...many, batch: 512, position: 0 };
    const [, , ids] = await drawn(device, host, { ...all, topK: 2 });
    assert.deepEqual(new Set(ids), new Set([3, 9, 20, 40]));
    many.logits.forEach((v, i) => many.logits[i] = v === 2 ? 1 : v);
    const [, , greedy] = await drawn(device, host, { ...all, temperature: 0 });
    assert.deepEqual(new Set(greedy), new Set([3]));
  });

  Deno.test(`sample, ${name}: hidden ids are never drawn`, async () => {
    const host = drawOf(512, 29);
    host.logits.forEach((_, i) => {
      if (i % 29 !== 13 && i % 29 !== 28) host.logits[i] = -Infinity;
    });
    for (const change of [{}, { topP: 0.99 }, { topK: 5 }, { minP: 1e-3 }]) {
      const [, , ids] = await drawn(device, host, { ...all, ...change });
      assert.deepEqual(new Set(ids), new Set([13, 28]), JSON.stringify(change));
    }
  });

  Deno.test(`sample, ${name}: a row that is not finite draws nothing, the others do`, async () => {
    using _scope = device.scope();
    const logits = numbers(5 * 29, 3);
    [logits[29], logits[2 * 29 + 28], logits[3 * 29 + 7]] = [NaN, Infinity, -Infinity];
    for (const allFinite of [false, true]) {
      const tensors = {
        logits: upload(device, logits, [5, 29]),
        seen: upload(device, new Uint32Array(5 * 29).map((_, i) => i % 29 === 4 ? BANNED : 0), [
          5,
          29,
        ]),
        ids: device.tensor([5], "u32"),
        tokens: device.tensor([5, CAPACITY], "u32"),
      };
      sample(tensors, { ...all, topK: 28, position: 5, column: 2, allFinite });
      const [tokens, ids] = await device.read(tensors.tokens, tensors.ids);
      const drawn = Array.from({ length: 5 }, (_, b) => tokens[b * CAPACITY + 2]);
      assert.deepEqual(
        drawn.map((id) => id === NOT_FINITE),
        [false, true, true, allFinite, false],
        `${allFinite}`,
      );
      assert.ok([...ids].every((id) => id < 29), "what goes on is an id all the same");
      assert.ok(!drawn.includes(4), "what is banned is not drawn");
    }
  });

  Deno.test(`sample, ${name}: frequencies follow the distribution`, async () => {
    const settings = { ...all, temperature: 0.9, topK: 23, topP: 0.95, minP: 0.01 };
    const [vocabulary, batch, rounds] = [197, 512, 8];
    const { logits } = drawOf(1, vocabulary);
    const expected = probabilities(
      scaledLogits(logits, new Uint32Array(vocabulary), settings),
      settings,
    );
    const many = new Float32Array(batch * vocabulary);
    for (let b = 0; b < batch; b++) many.set(logits, b * vocabulary);
    const counts = new Float64Array(vocabulary);
    for (let round = 0; round < rounds; round++) {
      const host = { logits: many, seen: new Uint32Array(many.length), batch, position: round };
      const [, , ids] = await drawn(device, host, { ...settings, seed: 1000 + round });
      ids.forEach((id) => counts[id]++);
    }
    const kept = [...expected.keys()].filter((id) => expected[id] > 0);
    assert.ok(kept.length > 5 && kept.length < 23, `${kept.length} ids are kept`);
    const total = batch * rounds;
    assert.equal(kept.reduce((sum, id) => sum + counts[id], 0), total, "only kept ids are drawn");
    const chiSquare = kept.reduce(
      (sum, id) => sum + (counts[id] - total * expected[id]) ** 2 / (total * expected[id]),
      0,
    );
    // χ² of n - 1 degrees of freedom has mean n - 1 and variance 2(n - 1).
    const freedom = kept.length - 1;
    assert.ok(chiSquare < freedom + 4 * Math.sqrt(2 * freedom), `χ² ${chiSquare} of ${freedom}`);
  });

  Deno.test(`sample, ${name}: same bytes twice`, async () => {
    const { logits, seen } = drawOf(29, 197);
    using _scope = device.scope();
    await assertSameBytes(device, () => {
      const tensors = {
        logits: upload(device, logits, [29, 197]),
        seen: upload(device, seen, [29, 197]),
        ids: device.tensor([29], "u32"),
        tokens: device.zeros([29, CAPACITY], "u32"),
      };
      sample(tensors, { ...all, topP: 0.9, position: 4 });
      return Object.values(tensors);
    });
  });
}
