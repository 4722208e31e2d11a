/** Path patching: what it must equal, and the same in three runs by hand. @module */
import assert from "node:assert/strict";
import {
  type ActivationCache,
  activationPatching,
  directOnly,
  type HookList,
  logitDifference,
  openDevice,
  pathPatching,
  readersBehind,
  runWithCache,
  runWithHooks,
  type Site,
} from "../../mod.ts";
import { assertEach } from "../kernels/checks.ts";
import { B, ids, smallModels, T } from "./subjects.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const metric = logitDifference({ right: [5, 17, 96], wrong: [190, 3, 44] });
const z = (layer: number) => `blocks.${layer}.attn.hook_z`;

for (const [family, model] of Object.entries(smallModels(device, { layers: 3 }))) {
  const pair = { clean: ids(model, 1), corrupted: ids(model, 4) };
  const turned = { clean: pair.corrupted, corrupted: pair.clean };
  const heads = [0, 1].map((head): Site[] => [{ at: z(0), heads: [head] }]);

  Deno.test(`${family}: over all paths it is activation patching, to the last bit`, async () => {
    // All that a head of the first layer says passes the residual stream before the second.
    const receivers = [{ at: "blocks.1.hook_resid_pre" }];
    const { patched } = await pathPatching(model, pair, { metric, senders: heads, receivers });
    const activation = await activationPatching(model, turned, { metric, cells: heads });
    assert.deepEqual(patched, activation.patched);
    const free = await pathPatching(model, pair, {
      metric,
      senders: heads,
      receivers: "logits",
      frozen: [],
    });
    assert.deepEqual(free.patched, activation.patched);
  });

  Deno.test(`${family}: from the last layer only the way to the logits is left`, async () => {
    const senders = [0, 1].map((head): Site[] => [{ at: z(2), heads: [head], positions: [-1] }]);
    const { patched } = await pathPatching(model, pair, { metric, senders, receivers: "logits" });
    const activation = await activationPatching(model, turned, { metric, cells: senders });
    assert.deepEqual(patched, activation.patched);
    const behind = await pathPatching(model, pair, {
      metric,
      senders,
      receivers: [{ at: "blocks.0.attn.hook_q" }],
    });
    assert.deepEqual(behind.effects, [0, 0]);
  });

  Deno.test(`${family}: head to head, and straight to the logits, as in three runs by hand`, async () => {
    const receiver = { at: "blocks.2.attn.hook_k", heads: [1] };
    for (const frozen of [[{ at: "blocks.*.attn.hook_z" }], directOnly]) {
      const options = { metric, senders: heads, frozen };
      const found = await pathPatching(model, pair, { ...options, receivers: [receiver] });
      const direct = await pathPatching(model, pair, { ...options, receivers: "logits" });
      assert.notDeepEqual(found.patched, direct.patched);
      const [clean, corrupted] = [pair.clean, pair.corrupted].map((input) =>
        runWithCache(model, input).cache
      );
      using _clean = clean;
      using _corrupted = corrupted;
      for (const head of [0, 1]) {
        // Heads of 12 lie side by side.
        const mixed = await mixHeads(clean.get(z(0)), corrupted.get(z(0)), head);
        const hooks: HookList = [
          ...frozen.map(({ at }) => [at, (_, name) => clean.get(name)] as HookList[number]),
          [z(0), () => mixed],
        ];
        const path = runWithCache(model, pair.clean, { hooks });
        using keys = path.cache;
        const key = await mixHeads(clean.get(receiver.at), keys.get(receiver.at), 1);
        const result = runWithHooks(model, pair.clean, { hooks: [[receiver.at, () => key]] });
        for (const [logits, values] of [[path.logits, direct], [result, found]] as const) {
          const data = await logits.read() as Float32Array;
          const wanted = metric.values({ data, shape: logits.shape });
          assertEach(values.each[head], wanted, { absolute: 2e-5, label: `head ${head}` });
        }
      }
    }
  });

  Deno.test(`${family}: the readers behind a layer are the q, k and v of later ones`, () => {
    assert.deepEqual(
      readersBehind(model, 1).map(({ at }) => at),
      ["q", "k", "v"].map((part) => `blocks.2.attn.hook_${part}`),
    );
  });
}

/** (B, T, NH, HS) activations of which one head comes from another run. */
async function mixHeads(
  x: ReturnType<ActivationCache["get"]>,
  y: ReturnType<ActivationCache["get"]>,
  head: number,
) {
  const [own, other] = await device.read(x, y) as Float32Array<ArrayBuffer>[];
  assert.equal(own.length, B * T * 24);
  const mixed = own.map((v, i) => Math.floor(i / 12) % 2 === head ? other[i] : v);
  return device.upload(mixed as Float32Array<ArrayBuffer>, x.shape);
}
