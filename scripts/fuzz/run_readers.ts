/**
 * Readers of what runs leave: checkpoints, records, prepared tokens, caches.
 *
 * @module
 */
import { Command } from "commander";
import { applyConfigFile } from "../../src/cli/config_file.ts";
import { addTrain } from "../../src/cli/train_command.ts";
import { prepareSentences } from "../../src/data/pretraining/prepare_sentences.ts";
import { openDataset, tokenizeCorpus } from "../../src/data/tokens/shards.ts";
import { readJsonObject } from "../../src/formats/json_file.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { loadTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { checkpointStep } from "../../src/training/checkpoint.ts";
import { MetricsFile, readMetrics } from "../../src/training/metrics.ts";
import { writeComparison } from "../../src/training/report.ts";
import { crc32c } from "../../src/training/tensorboard_encoding.ts";
import { EventWriter } from "../../src/training/tensorboard.ts";
import { TuningCache } from "../../src/tuning/cache.ts";
import { bpeFiles, TEXT } from "./tokenizer_seeds.ts";
import { files, type Reader, utf8, written } from "./reader.ts";

/** Readers of what runs leave. */
export async function runReaders(): Promise<Reader[]> {
  const found: Reader[] = [];
  const add = (name: string, contents: Reader["files"], read: Reader["read"]): void =>
    void found.push({ name, files: contents, read });
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
