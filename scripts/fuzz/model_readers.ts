/**
 * Readers of models: weights, configurations, adapters, probes and tokenizers.
 *
 * @module
 */
import { checkModelFiles } from "../../src/cli/model_files.ts";
import { readBertConfig } from "../../src/formats/huggingface_bert.ts";
import { readConfig } from "../../src/formats/huggingface_gpt2.ts";
import { readGptClassifierConfig } from "../../src/formats/huggingface_gpt2_classifier.ts";
import { readPeftConfig } from "../../src/formats/peft.ts";
import {
  openModelWeights,
  openSafetensors,
  writeSafetensors,
} from "../../src/formats/safetensors.ts";
import type { Device } from "../../src/gpu/device.ts";
import { ghostOf } from "../../src/gpu/ghost.ts";
import { loadAdapter, removeAdapter } from "../../src/models/adapters.ts";
import { loadBert, loadGpt } from "../../src/models/files.ts";
import { modelLabels } from "../../src/models/sequence_classifier.ts";
import { freshWeights } from "../../src/models/weights.ts";
import { loadTunedLens, TunedLens } from "../../src/probes/lens/tuned_lens.ts";
import { SparseAutoencoder } from "../../src/probes/sae/sparse_autoencoder.ts";
import { JsonTokenizer, loadTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { bpeFiles, sideFiles, TEXT, tokenizerSeeds, wordPieceFiles } from "./tokenizer_seeds.ts";
import { files, fixture, type Reader, ROOT, written } from "./reader.ts";

/** Texts that a tokenizer is tried on: ASCII, other scripts, blanks, long words. */
const TEXTS = [
  TEXT,
  "naïve 日本語 😀\u200d \t\n\n  12345",
  "a".repeat(2000) + "!",
  " ".repeat(2000) + "x",
  "",
];

async function tryTokenizer(directory: string): Promise<string | undefined> {
  const tokenizer = await loadTokenizer(directory);
  if (tokenizer instanceof JsonTokenizer) tokenizer.onUnknown = () => {};
  for (const text of TEXTS) {
    const ids = tokenizer.encode(text);
    const wrong = ids.find((id) => id >= tokenizer.vocabularySize);
    if (wrong !== undefined) return `id ${wrong} of ${tokenizer.vocabularySize}`;
    if (typeof tokenizer.decode(ids) !== "string") return "decodes to no text";
    const stream = tokenizer.stream();
    if (typeof (stream.push([...ids]) + stream.end()) !== "string") return "streams no text";
  }
}

/** An adapter of no machine, for models that are only built. */
function planningDevice(): Device {
  const limits = {
    maxBufferSize: 2 ** 31,
    maxStorageBufferBindingSize: 2 ** 31,
    maxTextureDimension2D: 16384,
    maxComputeWorkgroupsPerDimension: 65535,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupStorageSize: 32768,
  };
  return ghostOf({ raw: { limits }, description: "llvmpipe", hasF16: true } as unknown as Device);
}

/** Readers of models. */
export async function modelReaders(): Promise<Reader[]> {
  const found: Reader[] = [];
  const add = (name: string, contents: Reader["files"], read: Reader["read"]): void =>
    void found.push({ name, files: contents, read });
  const device = planningDevice();
  const gpt = (name: string) => fixture(`gpt2/model/${name}`);
  const bert = (task: string, name: string) => fixture(`bert/${task}/${name}`);
  const gptModel = loadGpt(device, new URL("tests/fixtures/gpt2/model", ROOT).pathname);
  const readTensors = (directory: string, name: string): void => {
    using file = openSafetensors(`${directory}/${name}`);
    for (const tensor of file.names) {
      const { dtype, byteLength } = file.info(tensor);
      if (file.readRaw(tensor).length !== byteLength) throw new Error("another length");
      if (dtype.startsWith("F") && !dtype.startsWith("F8") && dtype !== "F4") file.read(tensor);
    }
  };

  add(
    "safetensors",
    files({ "a.safetensors": fixture("formats/mixed.safetensors") }),
    (d) => readTensors(d, "a.safetensors"),
  );
  const shards = await written(async (d) => {
    const data = new Float32Array(12);
    const tensor = (name: string) => ({ name, shape: [3, 4], dtype: "F32" as const, data });
    await writeSafetensors(`${d}/model-1-of-2.safetensors`, [tensor("a"), tensor("b")]);
    await writeSafetensors(`${d}/model-2-of-2.safetensors`, [tensor("c")]);
  });
  const weightMap = {
    a: "model-1-of-2.safetensors",
    b: "model-1-of-2.safetensors",
    c: "model-2-of-2.safetensors",
  };
  add(
    "sharded safetensors",
    files({
      ...shards,
      "model.safetensors.index.json": { metadata: { total_size: 144 }, weight_map: weightMap },
    }),
    (d) => {
      using file = openModelWeights(d);
      for (const name of file.names) file.read(name);
    },
  );
  add(
    "GPT config",
    files({
      "config.json": gpt("config.json"),
      "generation_config.json": gpt("generation_config.json"),
    }),
    (d) => {
      const { layers, channels } = readConfig(d);
      if (layers > 1e5 || channels > 1e9) return `${layers} layers of ${channels}`;
    },
  );
  add(
    "GPT model",
    files({ "config.json": gpt("config.json"), "model.safetensors": gpt("model.safetensors") }),
    (d) => {
      checkModelFiles(d);
      loadGpt(device, d);
    },
  );
  add(
    "quantized weights",
    files({ "a.safetensors": fixture("formats/quantized.safetensors") }),
    (d) => readTensors(d, "a.safetensors"),
  );
  const classifier = (name: string) => fixture(`gpt2_classifier/single/${name}`);
  add("GPT classifier config", files({ "config.json": classifier("config.json") }), (d) => {
    const { labels } = readGptClassifierConfig(d);
    if (labels.length !== modelLabels(d).length) return "labels differ";
    if (labels.some((label) => typeof label !== "string")) return "a label is no text";
  });
  for (const task of ["masked-language", "single", "tags", "answer"]) {
    add(`BERT config, ${task}`, files({ "config.json": bert(task, "config.json") }), (d) => {
      const { heads, config: { layers } } = readBertConfig(d);
      if (layers > 1e5) return `${layers} layers`;
      if ("labels" in heads && heads.labels.some((label) => typeof label !== "string")) {
        return "a label is no text";
      }
    });
  }
  add(
    "BERT model",
    files({
      "config.json": bert("single", "config.json"),
      "model.safetensors": bert("single", "model.safetensors"),
    }),
    (d) => void loadBert(device, d),
  );
  const adapter = (name: string) => fixture(`lora/gpt2/${name}`);
  add("adapter config", files({ "adapter_config.json": adapter("adapter_config.json") }), (d) => {
    const { rank, alpha } = readPeftConfig(d);
    if (!(rank > 0 && rank < 1e6) || !Number.isFinite(alpha)) return `rank ${rank}, alpha ${alpha}`;
  });
  add(
    "adapter",
    files({
      "adapter_config.json": adapter("adapter_config.json"),
      "adapter_model.safetensors": adapter("adapter_model.safetensors"),
    }),
    (d) => removeAdapter(gptModel, loadAdapter(gptModel, d)),
  );
  const lens = await written((d) => new TunedLens(gptModel).save(`${d}/lens.safetensors`));
  add("tuned lens", files(lens), (d) => void loadTunedLens(gptModel, `${d}/lens.safetensors`));
  const sae = await written((d) =>
    new SparseAutoencoder(device, {
      channels: 8,
      features: 16,
      k: 2,
      hook: "blocks.0.hook_resid_post",
    }, freshWeights(0))
      .save(`${d}/sae.safetensors`)
  );
  add("sparse autoencoder", files(sae), (d) => {
    const { config: { k, features } } = SparseAutoencoder.load(device, `${d}/sae.safetensors`);
    if (!(k >= 1 && k <= features)) return `k ${k} of ${features}`;
  });

  for (const [name, json] of Object.entries(await tokenizerSeeds())) {
    add(`tokenizer.json, ${name}`, files({ "tokenizer.json": json as object }), tryTokenizer);
  }
  const { llama } = await tokenizerSeeds();
  add(
    "tokenizer's side files",
    files({ "tokenizer.json": llama as object, ...sideFiles as Record<string, object> }, [
      "tokenizer.json",
    ]),
    tryTokenizer,
  );
  add("vocab.json and merges.txt", files(bpeFiles), tryTokenizer);
  add("vocab.txt", files(wordPieceFiles), tryTokenizer);
  return found;
}
