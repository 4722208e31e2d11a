/**
 * Every reader of files, each with a directory that it can read: what the fuzzer damages.
 *
 * @module
 */
import { Command } from "commander";
import { applyConfigFile } from "../../src/cli/config_file.ts";
import { givenPairs } from "../../src/cli/given_pairs.ts";
import { checkModelFiles } from "../../src/cli/model_files.ts";
import { readShader } from "../../src/cli/profile_kernel.ts";
import { addTrain } from "../../src/cli/train_command.ts";
import { readQuestionAnswers, readQuestions } from "../../src/data/answers/question_answers.ts";
import { hasExamples, readExamples } from "../../src/data/completions/completions.ts";
import { readPromptTemplates } from "../../src/data/completions/prompt_templates.ts";
import { readLabelledTexts } from "../../src/data/labels/labelled_texts.ts";
import { prepareSentences } from "../../src/data/pretraining/prepare_sentences.ts";
import { readDocuments } from "../../src/data/sources/documents.ts";
import { readTexts } from "../../src/data/sources/texts.ts";
import { readTaggedSentences } from "../../src/data/tags/tagged_sentences.ts";
import { openDataset, tokenizeCorpus } from "../../src/data/tokens/shards.ts";
import { readBertConfig } from "../../src/formats/huggingface_bert.ts";
import { readConfig } from "../../src/formats/huggingface_gpt2.ts";
import { readGptClassifierConfig } from "../../src/formats/huggingface_gpt2_classifier.ts";
import { readJsonObject } from "../../src/formats/json_file.ts";
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
import { parseTests } from "../../src/probes/bias/word_sets.ts";
import { loadTunedLens, TunedLens } from "../../src/probes/lens/tuned_lens.ts";
import { SparseAutoencoder } from "../../src/probes/sae/sparse_autoencoder.ts";
import { resourcesOf } from "../../src/profiling/own_shader.ts";
import { loadTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { checkpointStep } from "../../src/training/checkpoint.ts";
import { MetricsFile, readMetrics } from "../../src/training/metrics.ts";
import { writeComparison } from "../../src/training/report.ts";
import { crc32c } from "../../src/training/tensorboard_encoding.ts";
import { EventWriter } from "../../src/training/tensorboard.ts";
import { TuningCache } from "../../src/tuning/cache.ts";
import type { Kind } from "./mutate.ts";
import { bpeFiles, TEXT, tokenizerSeeds, wordPieceFiles } from "./tokenizer_seeds.ts";

/** A reader and what it reads. */
export interface Reader {
  name: string;
  /** The files of its directory; those with a kind are damaged, one at a time. */
  files: Record<string, { bytes: Uint8Array; kind?: Kind }>;
  /** Reads the directory; what it returns that is not undefined is a complaint about what it accepted. */
  read: (directory: string) => unknown | Promise<unknown>;
}

const ROOT = new URL("../../", import.meta.url);
const utf8 = new TextEncoder();
const fixture = (path: string): Uint8Array =>
  Deno.readFileSync(new URL(`tests/fixtures/${path}`, ROOT));

type Contents = string | Uint8Array | object;
const bytesOf = (contents: Contents): Uint8Array =>
  contents instanceof Uint8Array
    ? contents
    : utf8.encode(typeof contents === "string" ? contents : JSON.stringify(contents));

function kindOf(name: string): Kind {
  if (name.endsWith(".json")) return "json";
  if (name.endsWith(".jsonl")) return "jsonl";
  if (name.endsWith(".safetensors")) return "safetensors";
  return /\.bin$|tfevents/.test(name) ? "binary" : "text";
}

/** Files that are all damaged in turn, but for those of `still`. */
function files(contents: Record<string, Contents>, still: readonly string[] = []): Reader["files"] {
  return Object.fromEntries(
    Object.entries(contents).map(([name, value]) => [
      name,
      { bytes: bytesOf(value), ...still.includes(name) ? {} : { kind: kindOf(name) } },
    ]),
  );
}

/** The bytes of files that something writes into a directory. */
async function written(make: (directory: string) => unknown): Promise<Record<string, Uint8Array>> {
  const directory = Deno.makeTempDirSync();
  await make(directory);
  const found = [...Deno.readDirSync(directory)].map(({ name }) => [
    name,
    Deno.readFileSync(`${directory}/${name}`),
  ]);
  Deno.removeSync(directory, { recursive: true });
  return Object.fromEntries(found);
}

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
  for (const text of TEXTS) {
    const ids = tokenizer.encode(text);
    const wrong = ids.find((id) => id >= tokenizer.vocabularySize);
    if (wrong !== undefined) return `id ${wrong} of ${tokenizer.vocabularySize}`;
    if (typeof tokenizer.decode(ids) !== "string") return "decodes to no text";
    const stream = tokenizer.stream();
    if (typeof (stream.push([...ids]) + stream.end()) !== "string") return "streams no text";
  }
}

const drain = async (texts: AsyncIterable<unknown>): Promise<void> => {
  let count = 0;
  for await (const _ of texts) if (++count > 100_000) throw new Error("more texts than bytes");
};

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

/** All readers. */
export async function readers(): Promise<Reader[]> {
  const device = planningDevice();
  const gpt = (name: string) => fixture(`gpt2/model/${name}`);
  const bert = (task: string, name: string) => fixture(`bert/${task}/${name}`);
  const gptModel = loadGpt(device, new URL("tests/fixtures/gpt2/model", ROOT).pathname);
  const found: Reader[] = [];
  const add = (name: string, contents: Reader["files"], read: Reader["read"]): void =>
    void found.push({ name, files: contents, read });
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
  add("vocab.json and merges.txt", files(bpeFiles), tryTokenizer);
  add("vocab.txt", files(wordPieceFiles), tryTokenizer);

  const state = JSON.stringify({
    step: 40,
    bestLoss: 2.5,
    evaluationsSinceBest: 1,
    variants: { adapter: "a", chosen: { x: "row" } },
  });
  const seal = crc32c(utf8.encode(state)).toString(16);
  const checkpoint = await written((d) =>
    writeSafetensors(`${d}/checkpoint.safetensors`, [{
      name: "a",
      shape: [2],
      dtype: "F32",
      data: new Float32Array(2),
    }], {
      metadata: { state, "state.crc32c": seal },
    })
  );
  add("checkpoint", files(checkpoint), (d) => {
    const step = checkpointStep(d);
    if (step !== 40) return `step ${step}`;
  });
  const metrics =
    '{"step":1,"loss":5.25,"gradientNorm":"NaN"}\n{"step":2,"loss":4.5,"learningRate":0.001}\n{"step":2,"validationLoss":4.75}\n';
  add("metrics", files({ "metrics.jsonl": metrics }), (d) => {
    readMetrics(`${d}/metrics.jsonl`);
    const before = Deno.readFileSync(`${d}/metrics.jsonl`);
    using file = new MetricsFile(`${d}/metrics.jsonl`);
    file.truncateAfter(2);
    if (before.length - Deno.statSync(`${d}/metrics.jsonl`).size > before.length) return "grew";
  });
  const training = {
    data: "moby-dick",
    preset: "pico",
    steps: 40,
    learningRate: 0.001,
    out: "runs/a",
    checkpointing: false,
    positions: "learned",
  };
  add("training.json", files({ "training.json": training }), (d) => {
    const program = new Command();
    addTrain(program);
    const [train] = program.commands;
    const flags = train.opts();
    applyConfigFile(train, `${d}/training.json`, flags);
    if (Object.getPrototypeOf(flags) !== Object.prototype) return "another prototype";
    for (const [name, value] of Object.entries(flags)) {
      if (typeof value === "number" && !Number.isFinite(value)) return `${name} is ${value}`;
      if (typeof value === "object") return `${name} is an object`;
    }
  });
  add("report of runs", files({ "metrics.jsonl": metrics, "training.json": training }), (d) => {
    const records = readMetrics(`${d}/metrics.jsonl`);
    writeComparison(`${d}/report.html`, [{
      name: "a",
      config: readJsonObject(`${d}/training.json`),
      records,
    }, { name: "b", config: training, records }]);
  });
  const machine = {
    adapter: "a",
    info: { vendor: 1 },
    abilities: "x",
    threads: 2,
    deno: "2",
    vitrail: "0",
  };
  const cache = await written((d) =>
    new TuningCache(d, machine).add({
      "matmul 1x1x1": { variant: "row", ratio: 0.5 },
      b: { variant: "8x8" },
    })
  );
  add("tuner cache", files(cache), (d) => {
    const warnings: string[] = [];
    const { winners } = new TuningCache(d, machine, (warning) => warnings.push(warning));
    for (const { variant, ratio } of winners.values()) {
      if (typeof variant !== "string") return "a variant is no text";
      if (ratio !== undefined && !(ratio > 0 && ratio <= 1)) return `ratio ${ratio}`;
    }
  });
  const encoder = {
    vocabularySize: 128,
    endOfText: 7,
    encode: (text: string) => Uint32Array.from(text, (c) => c.charCodeAt(0) & 127),
  };
  async function* documents() {
    for (const n of [1, 2, 3, 4, 5, 6]) yield { id: `${n}`, text: TEXT + n };
  }
  const tokens = await written((d) =>
    tokenizeCorpus(documents(), encoder, {
      directory: d,
      shardTokens: 100,
      source: "a.txt",
      fingerprint: "f",
      tokenizer: "t",
    })
  );
  add("prepared tokens", files(tokens), (d) => {
    const dataset = openDataset(d);
    for (const side of ["train", "validation"] as const) {
      using stream = dataset.open(side);
      stream.read(0, stream.length);
    }
  });
  const events = await written((d) => {
    const writer = new EventWriter(d);
    for (const step of [1, 2, 3]) writer.scalars({ loss: 5 / step }, step);
    writer.close();
  });
  add("TensorBoard events", files(events), (d) => new EventWriter(d, { purgeStep: 2 }).close());
  const tokenizer = await loadTokenizerOf(bpeFiles);
  const sentences = async (d: string) => {
    const { corpora: { train, validation } } = await prepareSentences(`${d}/a.txt`, tokenizer, {
      directory: d,
      rule: "segmenter",
      resume: true,
    });
    for (const { ids, sentences, documents } of [train, validation]) {
      if (sentences.at(-1) !== ids.length || documents.at(-1) !== sentences.length - 1) {
        return "places are off";
      }
      if (ids.some((id) => id >= tokenizer.vocabularySize)) {
        return "an id is outside the vocabulary";
      }
    }
  };
  const sentenceText = `${TEXT}\n\n`.repeat(9);
  const prepared = await written(async (d) => {
    Deno.writeTextFileSync(`${d}/a.txt`, sentenceText);
    await sentences(d);
  });
  add("prepared sentences", files(prepared, ["a.txt"]), sentences);

  const list = (
    path: string,
    name: string,
    contents: Contents,
    read: (path: string) => unknown,
  ): void => add(name, files({ [path]: contents }), (d) => read(`${d}/${path}`));
  list("a.txt", "text", `${TEXT}\r\n\n`.repeat(9), (p) => drain(readDocuments(p)));
  list(
    "a.jsonl",
    "JSONL of texts",
    '{"text":"one"}\n{"text":"two","id":3}\n\n{"text":"three"}\n',
    (p) => drain(readDocuments(p)),
  );
  list("b.jsonl", "single texts", '{"text":"one"}\n{"text":"two"}\n', (p) => drain(readTexts(p)));
  const csv = 'text,label\nCall me Ishmael,yes\n"a ""quoted"", text\nof two lines",no\nc,yes\n';
  const labelled = async (p: string) => {
    const { examples, labels, kind } = await readLabelledTexts(p);
    if (kind === "single" && examples.some((e) => !labels.includes(String(e.labels[0])))) {
      return "a label is lost";
    }
  };
  list("a.csv", "CSV of labels", csv, labelled);
  list("a.tsv", "TSV of labels", csv.replaceAll(",", "\t").replaceAll('"', ""), labelled);
  list(
    "c.jsonl",
    "JSONL of labels",
    '{"text":"one","label":"a"}\n{"text":"two","label":"b"}\n{"text":"x","label":3}\n{"text":"y","label":true}\n',
    labelled,
  );
  list(
    "d.jsonl",
    "completions",
    '{"prompt":"p","completion":"c"}\n{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}\n',
    (p) => {
      hasExamples(p);
      readExamples(p);
    },
  );
  const tagged = async (p: string) => {
    for (const { tokens, tags } of await readTaggedSentences(p)) {
      if (tokens.length !== tags.length) return "tags differ";
    }
  };
  list("a.conll", "CoNLL", "-DOCSTART- -X- O\n\nCall VB\nme PRP\n\nIshmael NNP\n. .\n", tagged);
  list(
    "a.conllu",
    "CoNLL-U",
    "# newdoc\n1\tCall\tcall\tVERB\tVB\t_\t0\troot\t_\t_\n1-2\tmeI\t_\t_\t_\t_\t_\t_\t_\t_\n2\tme\tI\tPRON\tPRP\t_\t1\tobj\t_\t_\n\n",
    tagged,
  );
  list(
    "e.jsonl",
    "JSONL of tags",
    '{"tokens":["a","word"],"tags":["DET","NOUN"]}\n{"tokens":["b"],"tags":["X"],"document":"d"}\n',
    tagged,
  );
  const squad = {
    version: "v2.0",
    data: [{
      title: "t",
      paragraphs: [{
        context: "😀 Lima is the capital of Peru.",
        qas: [
          {
            id: "1",
            question: "What is the capital?",
            answers: [{ text: "Lima", answer_start: 2 }],
          },
          { id: "2", question: "Who?", is_impossible: true, answers: [], plausible_answers: [] },
        ],
      }],
    }],
  };
  list("squad.json", "SQuAD", squad, async (p) => {
    for (const { context, answers } of await readQuestionAnswers(p)) {
      for (const { text, begin } of answers) {
        if (context.slice(begin, begin + text.length) !== text) return "an answer is elsewhere";
      }
    }
  });
  list(
    "f.jsonl",
    "questions",
    '{"question":"What?","context":"That."}\n{"id":3,"question":"Who?","context":"She."}\n',
    (p) => readQuestions(p).then(() => {}),
  );
  list(
    "t.json",
    "prompt templates",
    { spam: "Dear {label},\n", "*": "{text} {score}\n" },
    (p) => void readPromptTemplates(p),
  );
  list(
    "g.jsonl",
    "pairs",
    '{"clean":"a b","corrupted":"a c","right":"b","wrong":"c","place":-1}\n{"clean":"x","corrupted":"y"}\n',
    (p) => void givenPairs([], { data: p }),
  );
  list(
    "w.json",
    "word sets",
    JSON.parse(Deno.readTextFileSync(new URL("src/probes/bias/weat_sets.json", ROOT))),
    (p) => void parseTests(readJsonObject(p), p, false),
  );
  list(
    "a.wgsl",
    "a shader",
    Deno.readTextFileSync(new URL("shaders/add.wgsl", ROOT)),
    (p) => void resourcesOf(readShader(p).source),
  );
  return found;
}

async function loadTokenizerOf(contents: Record<string, string>) {
  const directory = Deno.makeTempDirSync();
  for (const [name, text] of Object.entries(contents)) {
    Deno.writeTextFileSync(`${directory}/${name}`, text);
  }
  const tokenizer = await loadTokenizer(directory);
  Deno.removeSync(directory, { recursive: true });
  return tokenizer;
}
