/** config.json of GPT-2: what transformers writes, and what it means. @module */

import assert from "node:assert/strict";
import { createGptConfig, type GptConfig } from "../../src/formats/gpt_config.ts";
import { writeGenerationConfig } from "../../src/formats/generation_config.ts";
import {
  formatGpt2Config,
  parseGpt2Config,
  readConfig,
  writeConfig,
} from "../../src/formats/huggingface_gpt2.ts";
import { assertThrowsFault, fixture, listNames, temporaryDirectory } from "./files.ts";

const changed: GptConfig = {
  vocabularySize: 197,
  contextLength: 29,
  channels: 21,
  layers: 3,
  heads: 7,
  mlpChannels: 50,
  layerNormEpsilon: 1e-6,
  activation: "gelu",
  scaleAttention: true,
  scaleAttentionByLayer: false,
  positions: "learned",
  tieWeights: false,
  embeddingDropout: 0,
  attentionDropout: 0.25,
  residualDropout: 0.125,
  initializerRange: 0.05,
  beginOfTextId: 2,
  endOfTextId: 196,
};

const plain = {
  model_type: "gpt2",
  vocab_size: 29,
  n_positions: 13,
  n_embd: 6,
  n_layer: 1,
  n_head: 3,
};

Deno.test("a configuration from transformers with every value changed", () => {
  assert.deepEqual(readConfig(fixture("gpt2_changed")), changed);
});

Deno.test("transformers' defaults, without its end-of-text id outside the vocabulary", () => {
  const size = { vocabularySize: 29, contextLength: 13, channels: 6, layers: 1, heads: 3 };
  assert.deepEqual(readConfig(fixture("gpt2_plain")), createGptConfig(size));
  assert.deepEqual(parseGpt2Config(plain), createGptConfig(size));
});

Deno.test("what is written has transformers' keys and values", () => {
  const theirs = JSON.parse(Deno.readTextFileSync(fixture("gpt2_changed/config.json")));
  const ours = formatGpt2Config(changed);
  for (const [key, value] of Object.entries(ours)) {
    if (key === "vitrail") assert.deepEqual(value, { positions: "learned" });
    else if (key === "architectures") assert.deepEqual(value, ["GPT2LMHeadModel"]);
    else assert.deepEqual(value, theirs[key], key);
  }
  assert.deepEqual(Object.keys(ours), Object.keys(ours).sort());
});

Deno.test("a configuration survives being written and read", () => {
  using directory = temporaryDirectory();
  const size = { vocabularySize: 197, contextLength: 29, channels: 12, layers: 2, heads: 3 };
  for (
    const config of [
      changed,
      createGptConfig(size),
      createGptConfig(size, { positions: "sinusoidal", beginOfTextId: 0 }),
      createGptConfig(size, { positions: "none", endOfTextId: 196, layerNormEpsilon: 1e-12 }),
    ]
  ) {
    writeConfig(directory.path, config);
    assert.deepEqual(readConfig(directory.path), config);
  }
  assert.deepEqual(listNames(directory.path), ["config.json"]);
});

Deno.test("the names of activations, and what does not change the numbers", () => {
  const activation = (name: unknown) =>
    parseGpt2Config({ ...plain, activation_function: name }).activation;
  assert.equal(activation("gelu_new"), "gelu_new");
  assert.equal(activation("gelu_pytorch_tanh"), "gelu_new");
  assert.equal(activation("gelu"), "gelu");
  assert.equal(activation("swish"), "silu");
  const expected = parseGpt2Config(plain);
  for (
    const extra of [
      { reorder_and_upcast_attn: true },
      { quantization_config: null, use_cache: false, per_layer_config: {} },
      { scale_attn_weights: true, add_cross_attention: false, pruned_heads: {} },
      { n_ctx: 13, summary_type: "cls_index", torch_dtype: "float16", n_inner: null },
      { vitrail: {}, eos_token_id: [50256], bos_token_id: null },
    ]
  ) {
    assert.deepEqual(parseGpt2Config({ ...plain, ...extra }), expected);
  }
  assert.equal(parseGpt2Config({ ...plain, eos_token_id: [28] }).endOfTextId, 28);
  // The ids that no token can have go, the others stay.
  for (const [given, kept] of [[[3, 28], [3, 28]], [[3, 50256], 3], [[50256, 50257], undefined]]) {
    assert.deepEqual(parseGpt2Config({ ...plain, eos_token_id: given }).endOfTextId, kept);
  }
});

Deno.test("generation_config.json is asked for the end of a text before config.json", () => {
  using directory = temporaryDirectory();
  const write = (name: string, json: unknown): void =>
    Deno.writeTextFileSync(`${directory.path}/${name}.json`, JSON.stringify(json));
  const end = () => readConfig(directory.path).endOfTextId;
  write("config", { ...plain, eos_token_id: 12 });
  assert.equal(end(), 12);
  for (
    const [generation, found] of [
      [{ eos_token_id: 3 }, 3],
      [{ eos_token_id: [3, 4] }, [3, 4]],
      [{ eos_token_id: [3, 50256] }, 3],
      [{ eos_token_id: null, bos_token_id: 5 }, 12],
      [{}, 12],
    ] as const
  ) {
    write("generation_config", generation);
    assert.deepEqual(end(), found, JSON.stringify(generation));
  }
  write("generation_config", { eos_token_id: "</s>" });
  assertThrowsFault(
    end,
    `Cannot use ${directory.path}/generation_config.json: eos_token_id is "</s>", wanted a token ` +
      "id or a list of them",
  );
  // What is written is read again, by transformers too, which looks at this file alone.
  const { endOfTextId: _, ...config } = parseGpt2Config(plain);
  for (const endOfTextId of [7, [7, 9], undefined]) {
    writeConfig(directory.path, { ...config, endOfTextId });
    writeGenerationConfig(directory.path, { ...config, endOfTextId });
    assert.deepEqual(end(), endOfTextId);
    const written = JSON.parse(
      Deno.readTextFileSync(`${directory.path}/generation_config.json`),
    );
    assert.deepEqual(written.eos_token_id, endOfTextId);
  }
});

const faults: [Record<string, unknown>, string][] = [
  [{ model_type: "llama" }, 'model_type is "llama", wanted "gpt2"'],
  [{ model_type: undefined }, 'model_type is absent, wanted "gpt2"'],
  [{ n_head: 0 }, "n_head is 0, wanted a whole number from 1"],
  [{ n_head: 4 }, "n_embd is 6, wanted a multiple of n_head, 4"],
  [{ n_embd: undefined }, "n_embd is absent, wanted a whole number from 1"],
  [{ vocab_size: null }, "vocab_size is null, wanted a whole number from 1"],
  [{ n_layer: "1" }, 'n_layer is "1", wanted a whole number from 1'],
  [{ n_positions: 1.5 }, "n_positions is 1.5, wanted a whole number from 1"],
  [{ n_inner: -8 }, "n_inner is -8, wanted a whole number from 0"],
  [{ layer_norm_epsilon: "1e-5" }, 'layer_norm_epsilon is "1e-5", wanted a number above 0'],
  [{ resid_pdrop: 2 }, "resid_pdrop is 2, wanted a number from 0 to below 1"],
  [{ tie_word_embeddings: "no" }, 'tie_word_embeddings is "no", wanted true or false'],
  [{ bos_token_id: -1 }, "bos_token_id is -1, wanted a token id from 0 to below vocab_size, 29"],
  [
    { eos_token_id: [1, -2] },
    "eos_token_id is [1,-2], wanted a token id from 0 to below vocab_size, 29, or a list of such ids",
  ],
  [{ eos_token_id: "end" }, 'eos_token_id is "end", wanted a token id'],
  [{ bos_token_id: [1] }, "bos_token_id is [1], wanted a whole number"],
  [{ vitrail: [] }, "vitrail is [], wanted an object"],
  [{ vitrail: { positions: 3 } }, 'vitrail.positions is 3, wanted "learned"'],
  [{ activation_function: "banana" }, 'activation_function is "banana", wanted one of "gelu",'],
  [
    { activation_function: "prelu" },
    'activation_function is "prelu" (it learns weights of its own), wanted one of "gelu",',
  ],
  [{ activation_function: "constructor" }, 'activation_function is "constructor"'],
  [{ scale_attn_weights: null }, "scale_attn_weights is null, wanted true or false"],
  [{ n_inner: 0 }, "n_inner is 0, wanted a whole number from 1"],
  [{ hidden_size: 8 }, "hidden_size is 8, wanted a multiple of n_head, 3"],
  [{ architectures: ["GPT2ForTokenClassification"] }, 'architectures names "GPT2ForToken'],
  [{ architectures: "GPT2LMHeadModel" }, 'architectures is "GPT2LMHeadModel", wanted a list'],
  [{ is_causal: false }, "is_causal is false (tokens see those behind them)"],
  [{ per_layer_config: { "0": { n_inner: 5 } } }, "it has per_layer_config (its layers differ)"],
  [{ summary_type: "attn" }, 'summary_type is "attn", wanted "cls_index" or'],
  [{ use_cache: "yes" }, 'use_cache is "yes", wanted true or false'],
  [{ id2label: ["a"] }, 'id2label is ["a"], wanted an object of labels by id'],
  [{ add_cross_attention: true }, "add_cross_attention is true"],
  [{ quantization_config: { bits: 4 } }, "it has quantization_config (its weights are quantized)"],
  [{ pruned_heads: { "0": [1] } }, "it has pruned_heads"],
];

for (const [change, words] of faults) {
  Deno.test(`refuses a config.json where ${words}`, () => {
    assertThrowsFault(
      () => parseGpt2Config({ ...plain, ...change }, { source: "m/config.json" }),
      `Cannot use m/config.json: ${words}`,
    );
  });
}

Deno.test("a directory without config.json, and an invalid configuration to write", () => {
  using directory = temporaryDirectory();
  assertThrowsFault(() => readConfig(directory.path), "wanted a Hugging Face model directory");
  assertThrowsFault(
    () => writeConfig(directory.path, { ...changed, heads: 2 }),
    "multiple of heads",
  );
  assert.deepEqual(listNames(directory.path), []);
});
