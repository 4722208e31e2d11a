/** Neurons against a look at every activation of the text, and tokens against the weights themselves. @module */

import assert from "node:assert/strict";
import {
  Bert,
  createBertConfig,
  createGptConfig,
  Gpt,
  openDevice,
  ProbeSubject,
  trainCharacterTokenizer,
} from "../../mod.ts";
import { Run } from "../../src/autograd/run.ts";
import { describeNeurons, type Neuron } from "../../src/probes/neurons/neurons.ts";
import { spreadNeurons } from "../../src/probes/neurons/page.ts";
import { TokenWindows } from "../../src/probes/token_windows.ts";
import { PIECES, tinyTokenizer } from "../data/pretraining/tiny_bert_tokenizer.ts";
import { busy } from "./busy_models.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const TEXT = "the cat sat on a mat, and the dog ran after a rat; nobody knows which of them won. "
  .repeat(3);
const characters = await trainCharacterTokenizer([TEXT]);
const size = { contextLength: 13, channels: 24, layers: 2, heads: 2 };
const subjects = {
  // The vocabulary is larger than the tokenizer's: what it has beyond is no token.
  GPT: new ProbeSubject(
    new Gpt(device, createGptConfig({ ...size, vocabularySize: 37 }), busy),
    characters,
  ),
  BERT: new ProbeSubject(
    new Bert(device, createBertConfig({ ...size, vocabularySize: PIECES.length }), {
      heads: { kind: "none" },
      source: busy,
    }),
    tinyTokenizer(),
  ),
};
const M = 4 * size.channels;
const T = size.contextLength;

/** Every activation of layer 1, window by window and one at a time. */
async function activations(
  subject: ProbeSubject,
  text: TokenWindows,
): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  for (let window = 0; window < text.count; window++) {
    using _scope = device.scope();
    let read: Promise<unknown> | undefined;
    const hooks = new Map([["blocks.1.mlp.hook_post", (x: { read(): Promise<unknown> }) => {
      read = x.read();
    }]]);
    const { model } = subject;
    const run = new Run(device, { hooks });
    const input = text.plain([window]);
    if (model instanceof Gpt) model.hidden(run, input.ids);
    else model.hidden(run, input);
    found.push(await read as Float32Array);
  }
  return found;
}

for (const [family, subject] of Object.entries(subjects)) {
  const ids = family === "GPT"
    ? characters.encode(TEXT)
    : Uint32Array.from({ length: 160 }, (_, i) => 5 + (i * i + 3 * i) % (PIECES.length - 5));
  const text = new TokenWindows(subject, ids, { seed: 4 });
  const layer = 1;

  Deno.test(`${family}: figures and the strongest places are those of all activations`, async () => {
    const all = await activations(subject, text);
    const { tokens, neurons } = await describeNeurons(subject, text, {
      layer,
      batch: 4,
      examples: 3,
      context: 2,
    });
    assert.equal(tokens, text.count * T);
    assert.ok(text.count >= 13, `${text.count} windows`);
    assert.deepEqual(neurons.map(({ neuron }) => neuron), [...Array(M).keys()]);
    for (const { neuron, mean, deviation, active, examples } of neurons) {
      const values = all.flatMap((x) => Array.from({ length: T }, (_, t) => x[t * M + neuron]));
      const wanted = values.reduce((a, b) => a + b, 0) / tokens;
      const spread = Math.sqrt(values.reduce((a, b) => a + (b - wanted) ** 2, 0) / tokens);
      assert.ok(Math.abs(mean - wanted) < 1e-6, `mean ${mean}, wanted ${wanted}`);
      assert.ok(Math.abs(deviation - spread) < 1e-6, `deviation ${deviation}, wanted ${spread}`);
      assert.equal(active, values.filter((v) => v > 0).length / tokens);
      const peaks = all.map((_, w) => Math.max(...values.slice(w * T, (w + 1) * T)));
      const best = [...peaks.keys()].sort((a, b) => peaks[b] - peaks[a]).slice(0, 3);
      examples.forEach(({ tokens, values: shown, at }, i) => {
        const window = best[i];
        const own = values.slice(window * T, (window + 1) * T);
        const place = own.indexOf(Math.max(...own));
        const begin = Math.max(0, place - 2);
        assert.equal(at, place - begin);
        const about = (v: number[]) => v.map((x) => x.toFixed(4));
        assert.deepEqual(about(shown), about(own.slice(begin, place + 3)));
        const around = text.ids(window).subarray(begin, place + 3);
        assert.deepEqual(tokens, Array.from(around, (id) => subject.token(id)));
      });
      assert.equal(examples.length, 3);
    }
  });

  Deno.test(`${family}: some neurons are what they are among all, few or many of them`, async () => {
    const { neurons } = await describeNeurons(subject, text, { layer, examples: 2 });
    const few = [7, 90, 0];
    const many = Array.from({ length: 40 }, (_, i) => (i * 7) % M);
    for (const chosen of [few, many]) {
      const found = await describeNeurons(subject, text, { layer, examples: 2, neurons: chosen });
      // Products of other shapes round otherwise: of weights, what they are for is compared.
      const plain = ({ promoted, suppressed, ...rest }: Neuron) => ({
        ...rest,
        tokens: [promoted, suppressed].map((side) => side?.map(({ token }) => token)),
      });
      assert.deepEqual(found.neurons.map(plain), chosen.map((n) => plain(neurons[n])));
    }
    const before = device.pool.memory.liveBytes;
    await describeNeurons(subject, text, { layer, neurons: few, windows: [3, 1] });
    assert.equal(device.pool.memory.liveBytes, before);
  });

  Deno.test(`${family}: a layer or neuron that is not there is named`, async () => {
    const fails = (options: { layer: number; neurons?: number[] }, message: RegExp) =>
      assert.rejects(describeNeurons(subject, text, options), message);
    await fails({ layer: 2 }, /neurons of layer 2: this model has layers 0 to 1/);
    await fails(
      { layer: 0, neurons: [4, M] },
      /neuron 96: each layer of this model has neurons 0 to 95/,
    );
  });
}

Deno.test("a GPT's neuron speaks for the tokens that its output weights point at", async () => {
  const { GPT: subject } = subjects;
  const model = subject.model as Gpt;
  const text = new TokenWindows(subject, characters.encode(TEXT));
  const { neurons } = await describeNeurons(subject, text, {
    layer: 0,
    neurons: [5, 60],
    tokens: 4,
  });
  const named = (name: string) => model.parameters.find((p) => p.name === `transformer.${name}`)!;
  const [out, gain, table] = await device.read(
    ...["h.0.mlp.c_proj.weight", "ln_f.weight", "wte.weight"].map(named),
  ) as Float32Array[];
  const C = size.channels;
  for (const { neuron, promoted, suppressed } of neurons) {
    const row = [...out.subarray(neuron * C, (neuron + 1) * C)];
    const mean = row.reduce((a, b) => a + b, 0) / C;
    const weights = Array.from({ length: characters.vocabularySize }, (_, id) => ({
      token: subject.token(id),
      weight: row.reduce((sum, w, c) => sum + (w - mean) * gain[c] * table[id * C + c], 0),
    })).sort((a, b) => b.weight - a.weight);
    const about = (all: typeof weights) => all.map((w) => `${w.token} ${w.weight.toFixed(4)}`);
    assert.deepEqual(about(promoted!), about(weights.slice(0, 4)));
    assert.deepEqual(about(suppressed!), about(weights.reverse().slice(0, 4)));
  }
  const { neurons: others } = await describeNeurons(
    subjects.BERT,
    new TokenWindows(
      subjects.BERT,
      Uint32Array.from({ length: 40 }, (_, i) => 5 + i % 18),
    ),
    { layer: 0, neurons: [5] },
  );
  assert.equal(others[0].promoted, undefined);
});

Deno.test("neurons to show are spread from the most often to the least often active", () => {
  const neurons = Array.from({ length: 9 }, (_, neuron) => {
    return { neuron, active: (neuron * 4 % 9) / 9, mean: 0, deviation: 0, examples: [] };
  });
  assert.deepEqual(spreadNeurons(neurons, 3).map(({ active }) => active * 9), [7, 4, 1]);
  assert.equal(spreadNeurons(neurons, 20).length, 9);
});
