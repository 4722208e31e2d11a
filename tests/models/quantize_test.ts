/**
 * GPTs with weights in fewer bits: against the f32 model of the same numbers, through files, and
 * through an adapter's training.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  addLora,
  createGptConfig,
  freshWeights,
  generate,
  Gpt,
  loadAdapter,
  loadGpt,
  mergeAdapter,
  openDevice,
  openSafetensors,
  quantizeGpt,
  removeAdapter,
  Run,
  saveAdapter,
  saveGpt,
} from "../../mod.ts";
import type { GptConfig, WeightSource } from "../../mod.ts";
import { packMatrix } from "../../src/formats/quantized_matrix.ts";
import { assertClose } from "../compare.ts";
import { folder } from "../data/files.ts";
import { unpack } from "../reference/quantized.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const FORMATS = ["f16", "int8", "int4"] as const;
const SIZE = { vocabularySize: 197, contextLength: 40, channels: 36, layers: 2, heads: 3 };
const IDS = Uint32Array.from({ length: 3 * 29 }, (_, i) => (i * i + 7) % 197);

/** Weights large enough that no logit is like another. */
const source = (config: GptConfig): WeightSource => freshWeights(config.layers);
const configOf = (options: Partial<GptConfig> = {}): GptConfig =>
  createGptConfig(SIZE, { initializerRange: 0.3, ...options });

/** Whether a parameter is a matrix that is packed, and lies (out, in). */
const packs = (name: string): boolean => /(c_attn|c_proj|c_fc|wte|lm_head)\.weight$/.test(name);
const lies = (name: string): boolean => /(wte|lm_head)\.weight$/.test(name);

/** The f32 model of the numbers that a quantized one has. */
function sameNumbers(config: GptConfig, { format, group }: {
  format: typeof FORMATS[number];
  group: number;
}): Gpt {
  const fresh = source(config);
  return new Gpt(device, config, (name, shape, initial) => {
    const values = fresh(name, shape, initial);
    if (!packs(name)) return values;
    const transposed = lies(name);
    const [inputs, outputs] = transposed ? shape.toReversed() : shape;
    const exact = unpack(packMatrix(values, { inputs, outputs, format, group, transposed }));
    if (!transposed) return new Float32Array(exact);
    return values.map((_, i) => exact[i % inputs * outputs + Math.floor(i / inputs)]);
  });
}

const logits = async (model: Gpt): Promise<Float32Array> =>
  await model.forward(new Run(device), model.ids(IDS, [3, 29])).read() as Float32Array;

Deno.test("logits and tokens are those of the f32 model with the same numbers", async () => {
  for (const format of FORMATS) {
    for (const options of [{}, { tieWeights: false, positions: "none" as const }]) {
      using _scope = device.scope();
      const config = configOf(options);
      const model = new Gpt(device, config, source(config));
      const small = await quantizeGpt(model, { weights: format, group: 32 });
      const exact = sameNumbers(config, { format, group: 32 });
      const label = `${format} ${JSON.stringify(options)}`;
      assertClose(await logits(small), await logits(exact), { bound: 3e-6, label });
      const settings = { maxNewTokens: 11, temperature: 0 };
      const prompt = [...IDS.slice(0, 29)];
      const [expected] = await generate(exact, prompt, settings);
      assert.deepEqual(await generate(small, prompt, settings), [expected]);
      // Nine sequences are more than the packed product takes at once.
      const nine = await generate(small, prompt, { ...settings, samples: 9 });
      assert.deepEqual(nine, Array.from({ length: 9 }, () => expected));
    }
  }
});

Deno.test("sizes: bits of every matrix and its scales; what is no matrix stays in f32", async () => {
  using _scope = device.scope();
  const config = configOf();
  const model = new Gpt(device, config, source(config));
  const matrices = 197 * 36 + 2 * (36 * 108 + 36 * 36 + 2 * 36 * 144);
  assert.equal(model.weightBytes, 4 * model.parameterCount);
  const rest = 4 * (model.parameterCount - matrices);
  for (const format of FORMATS) {
    const small = await quantizeGpt(model, { weights: format, group: 32 });
    assert.equal(small.parameterCount, model.parameterCount);
    assert.equal(small.quantized.reduce((sum, { size }) => sum + size, 0), matrices);
    // Inner dimensions 36 fill up to 40, the vocabulary to 200; 144 is whole.
    const padded = 200 * 40 + 2 * (40 * 108 + 40 * 36 + 40 * 144 + 144 * 36);
    const scales = 2 * (200 * 2 + 2 * (2 * 108 + 2 * 36 + 2 * 144 + 5 * 36));
    const bits = { f16: 16, int8: 8, int4: 4 }[format];
    const expected = rest + padded * bits / 8 + (format === "f16" ? 0 : scales);
    assert.equal(small.weightBytes, expected, format);
  }
});

Deno.test("files: read and written again byte for byte, with the same logits", async () => {
  for (const format of ["int8", "int4"] as const) {
    using place = folder({});
    using _scope = device.scope();
    const config = configOf({ tieWeights: false });
    const model = await quantizeGpt(new Gpt(device, config, source(config)), {
      weights: format,
      group: 64,
    });
    Deno.mkdirSync(place.at("a"));
    Deno.mkdirSync(place.at("b"));
    await saveGpt(model, place.at("a"));
    const again = loadGpt(device, place.at("a"));
    await saveGpt(again, place.at("b"));
    for (const name of ["config.json", "model.safetensors"]) {
      const [a, b] = ["a", "b"].map((at) => Deno.readFileSync(place.at(`${at}/${name}`)));
      assert.ok(a.length > 0 && a.every((byte, i) => byte === b[i]) && a.length === b.length, name);
    }
    assert.deepEqual(await logits(again), await logits(model));
    const json = JSON.parse(Deno.readTextFileSync(place.at("a/config.json")));
    assert.deepEqual(json.quantization_config, {
      group_size: 64,
      format: "vitrail",
      weights: format,
    });
    assert.throws(() => loadGpt(device, place.at("a"), { weights: "int8" }), {
      message: "Cannot quantize transformer.wte.weight: the model is quantized already; " +
        "begin with the model in f32",
    });
  }
});

Deno.test("an f16 file is a plain one: halves under the usual names", async () => {
  using place = folder({});
  using _scope = device.scope();
  const config = configOf();
  const model = new Gpt(device, config, source(config));
  await saveGpt(await quantizeGpt(model, { weights: "f16" }), place.path);
  using file = openSafetensors(place.at("model.safetensors"));
  for (const p of model.parameters) {
    const values = await p.read() as Float32Array;
    assert.equal(file.info(p.name).dtype, packs(p.name) ? "F16" : "F32");
    assert.deepEqual(file.info(p.name).shape, p.shape);
    const kept = packs(p.name) ? new Float32Array(new Float16Array(values)) : values;
    assert.deepEqual(file.read(p.name), kept, p.name);
  }
  const [plain, halves] = [undefined, "f16" as const].map((weights) =>
    loadGpt(device, place.path, { weights })
  );
  assertClose(await logits(halves), await logits(plain), { bound: 3e-6, label: "f16" });
  assert.ok(halves.weightBytes < 0.6 * plain.weightBytes);
});

Deno.test("an adapter is trained through int4 as through the f32 model of the same numbers", async () => {
  using place = folder({});
  const config = configOf({ embeddingDropout: 0, attentionDropout: 0, residualDropout: 0 });
  const model = await quantizeGpt(new Gpt(device, config, source(config)), { weights: "int4" });
  const exact = sameNumbers(config, { format: "int4", group: 32 });
  const gradients = async (of: Gpt) => {
    const adapter = addLora(of, { rank: 2, targets: ["c_attn", "c_proj"] });
    using _scope = device.scope();
    const run = new Run(device, { record: true });
    const targets = device.upload(Int32Array.from(IDS, (id) => (id + 1) % 197), [3, 29]);
    const { result } = of.loss(run, of.ids(IDS, [3, 29]), { targets });
    run.tape!.backward(result);
    return { adapter, found: await device.read(...adapter.parameters.map((p) => p.gradient)) };
  };
  const { adapter, found } = await gradients(model);
  const { found: expected, adapter: other } = await gradients(exact);
  found.forEach((gradient, i) => {
    const label = other.parameters[i].name;
    assertClose(gradient, expected[i], { bound: 1e-5, label });
    // B begins as zeros, so that A has no gradient yet.
    assert.equal(expected[i].some((v) => v !== 0), label.includes("lora_B"), label);
  });
  await saveAdapter(adapter, place.path);
  assert.throws(() => mergeAdapter(model, adapter), {
    message: "Cannot merge an adapter into transformer.h.0.attn.c_attn.weight: " +
      "it is kept in int4; merge it into the model in f32",
  });
  await assert.rejects(() => quantizeGpt(exact, { weights: "int8" }), {
    message: "Cannot quantize this model: it has an adapter; merge or remove it first",
  });
  removeAdapter(model, adapter);
  removeAdapter(model, loadAdapter(model, place.path));
  assert.throws(() => model.forward(new Run(device, { record: true }), model.ids(IDS, [3, 29])), {
    message: "Cannot train transformer.wte.weight: it is kept in int4, through which no gradient " +
      "step would show; train the model in f32, or add a LoRA adapter to this one",
  });
});

Deno.test("what does not fit is said", async () => {
  using place = folder({});
  using _scope = device.scope();
  const config = configOf();
  const model = await quantizeGpt(new Gpt(device, config, source(config)), { weights: "int8" });
  await assert.rejects(() => quantizeGpt(model, { weights: "int4" }), {
    message: "Cannot quantize this model: it is quantized already",
  });
  await saveGpt(model, place.path);
  const says = (message: string) => assert.throws(() => loadGpt(device, place.path), { message });
  const path = place.at("config.json");
  const json = JSON.parse(Deno.readTextFileSync(path));
  Deno.writeTextFileSync(path, JSON.stringify({ ...json, vocab_size: 193 }));
  says(
    "Cannot load transformer.wte.weight.packed: the file has U32 (10, 200), " +
      "config.json asks for U32 (10, 196)",
  );
  Deno.writeTextFileSync(path, JSON.stringify({ ...json, quantization_config: { bits: 4 } }));
  says(
    `Cannot use ${path}: it has quantization_config (its weights are quantized), which is not supported; ` +
      "export the model without it",
  );
});
