/**
 * Direct logit attribution: the parts add up to the logit, and each is what its component adds.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  attributeLogit,
  Bert,
  type BertConfig,
  createBertConfig,
  createGptConfig,
  Gpt,
  type LogitAttribution,
  openDevice,
  runWithCache,
  runWithHooks,
} from "../../mod.ts";
import { busy, idsOf, SIZE } from "./busy_models.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [B, T] = [3, 29];
const ids = idsOf(B * T);

const bert = (
  heads: NonNullable<ConstructorParameters<typeof Bert>[2]>["heads"],
  other: Partial<BertConfig> = {},
) => new Bert(device, createBertConfig(SIZE, other), { heads, source: busy });
const labels = ["a", "b", "c", "d", "e"];
const models = {
  "GPT, tied": new Gpt(device, createGptConfig(SIZE), busy),
  "GPT with a head of its own and sinusoids": new Gpt(
    device,
    { ...createGptConfig(SIZE), tieWeights: false, positions: "sinusoidal" },
    busy,
  ),
  "GPT of attention only": new Gpt(device, { ...createGptConfig(SIZE), mlpChannels: 0 }, busy),
  "BERT that guesses tokens": bert({ kind: "pretraining" }),
  "BERT that guesses tokens by SiLU and a table of its own": bert({ kind: "masked-language" }, {
    activation: "silu",
    tieWeights: false,
  }),
  "BERT of next sentences": bert({ kind: "next-sentence" }),
  "BERT that tags": bert({ kind: "token-classification", labels }),
  "BERT that answers": bert({ kind: "question-answering" }),
  "BERT that classifies": bert({ kind: "sequence-classification", labels, labelKind: "single" }),
};

const total = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
const part = ({ components }: LogitAttribution, name: string): number =>
  components.find(({ component }) => component === name)!.value;

for (const [family, model] of Object.entries(models)) {
  const classes = /answers|sentences/.test(family) ? 2 : family.match(/tags|classifies/) ? 5 : 197;
  const input = { ids: model.ids(ids, [B, T]) };
  for (
    const options of [
      { answer: classes - 1 },
      { answer: 0, against: classes - 1, at: 7, sequence: 2 },
    ]
  ) {
    const label = "against" in options ? "a difference" : "one logit";
    Deno.test(`${family}: components add up to ${label}, heads and neurons to theirs`, async () => {
      const found = await attributeLogit(model, input, options);
      const sum = total(found.components.map(({ value }) => value));
      assert.ok(Math.abs(found.logit) > 1e-2, `a logit of ${found.logit} would prove nothing`);
      assert.ok(Math.abs(sum - found.logit) < 1e-4, `${sum} and ${found.logit}`);
      assert.equal(found.mlp.length, family.includes("attention only") ? 0 : 3);
      for (let l = 0; l < 3; l++) {
        const { heads, bias } = found.attention[l];
        const attended = part(found, `blocks.${l}.hook_attn_out`);
        assert.ok(Math.abs(total(heads) + bias - attended) < 1e-4, `layer ${l}: attention`);
        if (!found.mlp[l]) continue;
        const { neurons, bias: own } = found.mlp[l];
        const thought = part(found, `blocks.${l}.hook_mlp_out`);
        assert.ok(Math.abs(total(neurons) + own - thought) < 1e-4, `layer ${l}: MLP`);
      }
    });
  }
}

Deno.test("a component's part is what the logit loses without it, the norm's scale held", async () => {
  const model = models["GPT, tied"];
  const input = { ids: model.ids(ids, [B, T]) };
  using _scope = device.scope();
  const { logits: clean, cache } = runWithCache(model, input, { names: "ln_final.hook_scale" });
  using _cache = cache;
  // The last MLP writes after everything else: without it, nothing changes but the sum.
  const without = (hold: boolean) =>
    runWithHooks(model, input, {
      hooks: [
        ["blocks.2.hook_mlp_out", (x) => x.device.zeros(x.shape)],
        ["ln_final.hook_scale", (x, name) => hold ? cache.get(name) : x],
      ],
    });
  const [before, held, free] = await device.read(clean, without(true), without(false));
  const last = (T - 1) * 197;
  const gap = (answer: number): number => Math.abs(held[last + answer] - free[last + answer]);
  const answer = Array.from({ length: 197 }, (_, i) => i).reduce((a, b) => gap(b) > gap(a) ? b : a);
  const found = await attributeLogit(model, input, { answer });
  const at = last + answer;
  const value = part(found, "blocks.2.hook_mlp_out");
  assert.ok(
    Math.abs(before[at] - held[at] - value) < 1e-4,
    `${before[at] - held[at]} and ${value}`,
  );
  assert.ok(Math.abs(before[at] - free[at] - value) > 1e-3, "a scale that is free matters");
});

Deno.test("what cannot be attributed is an error that says what can", async () => {
  const model = models["GPT, tied"];
  const input = { ids: model.ids(ids, [B, T]) };
  const cases: [Parameters<typeof attributeLogit>[2], RegExp][] = [
    [{ answer: 197 }, /Cannot attribute the logit of answer 197: there are answers 0 to 196/],
    [{ answer: 1, at: 29 }, /Cannot attribute a logit at place 29: there are places 0 to 28/],
    [{ answer: 1, at: -30 }, /at place -30/],
    [{ answer: 1, sequence: 3 }, /of sequence 3: there are sequences 0 to 2/],
  ];
  for (const [options, message] of cases) {
    await assert.rejects(attributeLogit(model, input, options), message);
  }
  await assert.rejects(attributeLogit(bert({ kind: "none" }), input, { answer: 0 }), /no head/);
});
