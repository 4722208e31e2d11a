/**
 * Attention maps, and rollout against the sum over all paths.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  attentionMaps,
  attentionRollout,
  Bert,
  createBertConfig,
  createGptConfig,
  Gpt,
  headMap,
  openDevice,
  runWithCache,
  VitrailError,
} from "../../mod.ts";
import { assertClose, numbers } from "../compare.ts";
import { readPlace } from "../../src/probes/attention/findings.ts";
import { softmax } from "../../src/probes/metrics.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [B, T, NH] = [3, 11, 2];
const size = { vocabularySize: 197, contextLength: 29, channels: 24, layers: 3, heads: NH };
const ids = Uint32Array.from({ length: B * T }, (_, i) => (i * 31 + (i * i) % 13) % 197);
const models = {
  GPT: new Gpt(device, createGptConfig(size)),
  "BERT without a head": new Bert(device, createBertConfig(size), { heads: { kind: "none" } }),
};

for (const [family, model] of Object.entries(models)) {
  Deno.test(`attention maps, ${family}: the softmax of q·kᵀ/√HS, computed apart`, async () => {
    const input = { ids: model.ids(ids, [B, T]) };
    const maps = await attentionMaps(model, input);
    assert.equal(maps.length, 3);
    using cache = qk(model, input);
    const seen = await cache.read();
    const HS = 12;
    for (const place of [{ layer: 1, head: 1, sequence: 2 }, { layer: 2, head: 0 }]) {
      const [q, k] = ["q", "k"].map((part) =>
        seen.get(`blocks.${place.layer}.attn.hook_${part}`)!.data
      );
      const { sequence = 0, head } = place;
      const row = (x: Float32Array, t: number) => {
        const begin = ((sequence * T + t) * NH + head) * HS;
        return x.subarray(begin, begin + HS);
      };
      const expected = Array.from(
        { length: T },
        (
          _,
          t,
        ) => [
          ...softmax(
            Array.from(
              { length: T },
              (_, s) =>
                model instanceof Gpt && s > t
                  ? -Infinity
                  : row(q, t).reduce((sum, v, i) => sum + v * row(k, s)[i], 0) / Math.sqrt(HS),
            ),
          ),
        ],
      ).flat();
      assertClose(headMap(maps, place), expected, { bound: 1e-5, label: JSON.stringify(place) });
    }
    assert.throws(
      () => headMap(maps, { layer: 0, head: 2 }),
      /Cannot show head 2 of layer 0 in sequence 0: there are 3 layers of 2 heads, and 3 sequences/,
    );
  });

  Deno.test(`attention rollout, ${family}: the sum over all paths through the layers`, async () => {
    const maps = await attentionMaps(model, { ids: model.ids(ids, [B, T]) });
    const rollout = attentionRollout(maps);
    // The weight of one step: half the mean of the heads, and half for staying.
    const step = (l: number, b: number, to: number, from: number): number =>
      [0, 1].reduce(
        (sum, head) =>
          sum + headMap(maps, { layer: l, head, sequence: b })[to * T + from] / (2 * NH),
        0,
      ) +
      (to === from ? 0.5 : 0);
    for (const [b, to, from] of [[0, 10, 0], [2, 7, 3], [1, 4, 4]]) {
      let paths = 0;
      for (let a = 0; a < T; a++) {
        for (let c = 0; c < T; c++) {
          paths += step(2, b, to, a) * step(1, b, a, c) * step(0, b, c, from);
        }
      }
      const found = rollout[2].data[(b * T + to) * T + from];
      assert.ok(Math.abs(found - paths) < 1e-6, `${found} and ${paths}`);
    }
    for (const { data } of rollout) {
      for (let row = 0; row < data.length; row += T) {
        const sum = data.subarray(row, row + T).reduce((a, v) => a + v, 0);
        assert.ok(Math.abs(sum - 1) < 1e-12, `${sum}`);
      }
    }
  });
}

function qk(model: Gpt | Bert, input: { ids: ReturnType<Gpt["ids"]> }) {
  if (model instanceof Gpt) {
    return runWithCache(model, input, { names: /attn\.hook_[qk]$/ }).cache;
  }
  // A head of zeros does no harm to what lies below it.
  const headed = new Bert(device, model.config, { heads: { kind: "masked-language" } });
  return runWithCache(headed, input, { names: /attn\.hook_[qk]$/ }).cache;
}

Deno.test("attention rollout of uniform attention, in closed form: I/2^L + (1 - 1/2^L)·J/T", () => {
  const [L, T] = [4, 7];
  const uniform = { data: new Float32Array(3 * T * T).fill(1 / T), shape: [1, 3, T, T] };
  attentionRollout(Array(L).fill(uniform)).forEach(({ data }, l) => {
    const stay = 2 ** -(l + 1);
    const expected = Array.from(
      data,
      (_, i) => (i % T === Math.floor(i / T) ? stay : 0) + (1 - stay) / T,
    );
    assertClose(data, expected, { bound: 1e-7, label: `${l + 1} layers` });
  });
  assert.throws(() => attentionRollout([]), VitrailError);
  // Rows that do not sum to one are made to.
  const [{ data }] = attentionRollout([{
    data: numbers(T * T, 1).map(Math.abs),
    shape: [1, 1, T, T],
  }]);
  assert.ok(Math.abs(data.subarray(0, T).reduce((a, v) => a + v, 0) - 1) < 1e-15);
});

Deno.test("attention rollout is read where something is guessed: the end, the first gap, or [CLS]", () => {
  const place = (tokens: string[], causal: boolean) =>
    readPlace({
      text: { text: "", ids: new Uint32Array(), tokens },
      causal,
      maps: [],
      heads: [],
      rollout: [],
    });
  assert.equal(place(["a", "[MASK]", "b"], true), 2);
  assert.equal(place(["[CLS]", "a", "[MASK]", "[MASK]", "[SEP]"], false), 2);
  assert.equal(place(["[CLS]", "a", "[SEP]"], false), 0);
});
