/**
 * Beams, penalties, n-grams and ends beside those of `generate` in transformers: the same ids, scores and
 * probabilities. A file of other cases may be named behind `--`: see the fixture's script.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  Device,
  type GenerateOptions,
  generateSequences,
  type Gpt,
  loadGpt,
  openDevice,
} from "../../mod.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
/** The same adapter with the workgroups of a graphics processor. */
const graphics = new Device(device.raw, "a graphics processor");
const fixtures = new URL("../fixtures/", import.meta.url);
const directory = new URL("gpt2/model", fixtures).pathname;

/** What transformers was asked, in its words, and what it gave. */
interface Case {
  prompt: number[];
  eos: number[];
  settings: Record<string, number | boolean | "never">;
  sequences: { ids: number[]; score: number | null; log_probabilities: number[]; ended: boolean }[];
}
const cases: Case[] = JSON.parse(
  Deno.readTextFileSync(Deno.args[0] ?? new URL("generation/cases.json", fixtures)),
);

const OURS: Record<string, keyof GenerateOptions> = {
  max_new_tokens: "maxNewTokens",
  min_new_tokens: "minNewTokens",
  no_repeat_ngram_size: "noRepeatNgram",
  repetition_penalty: "repetitionPenalty",
  num_beams: "beams",
  num_return_sequences: "samples",
  length_penalty: "lengthPenalty",
  early_stopping: "earlyStopping",
};

function optionsOf({ settings, eos }: Case): GenerateOptions {
  const named = Object.entries(settings).map(([name, value]) => [OURS[name], value]);
  const greedy = "num_beams" in settings ? {} : { temperature: 0 };
  return { ...Object.fromEntries(named), ...greedy, stopIds: eos };
}

/** Whether two numbers are equal to a rounding of f32 logits that are added up. */
const near = (found: number, wanted: number): boolean =>
  // The largest that a thousand cases showed was 2.4e-6.
  Math.abs(found - wanted) <= 2.4e-5 * Math.max(1, Math.abs(wanted));

async function check(model: Gpt, cases: Case[]): Promise<void> {
  for (const [number, one] of cases.entries()) {
    const [found] = await generateSequences(model, [one.prompt], optionsOf(one));
    const label = `case ${number}: ${JSON.stringify(one)}`;
    assert.deepEqual(found.map(({ ids }) => ids), one.sequences.map(({ ids }) => ids), label);
    found.forEach((own, s) => {
      const { score, log_probabilities: wanted, ended } = one.sequences[s];
      assert.equal(own.finishReason, ended ? "stop" : "length", label);
      assert.equal(own.logProbabilities.length, wanted.length, label);
      own.logProbabilities.forEach((p, i) =>
        assert.ok(near(p, wanted[i]), `${p}, not ${wanted[i]}: ${label}`)
      );
      if (score !== null) {
        assert.ok(near(own.score!, score), `${own.score}, not ${score}: ${label}`);
      }
    });
  }
}

Deno.test("what is written is what transformers writes, with its scores and probabilities", async () => {
  assert.ok(cases.length >= 30);
  await check(loadGpt(device, directory), cases);
});

Deno.test("a graphics processor's workgroups write the same", async () => {
  const searched = cases.filter(({ settings }) => settings.num_beams === 4).slice(0, 5);
  assert.equal(searched.length, 5);
  await check(loadGpt(graphics, directory), searched);
});
