/**
 * Proof: keys and values in f16 take half the memory, cost no time, and next to no perplexity.
 *
 *     deno run --allow-read scripts/proofs/half_cache.ts [runs/book]
 *
 * The last 128 tokens of a context of 1024 are written in turns with a cache in f32 and in f16; then a
 * trained model, from a directory with its run's tokens, reads the held-out ones token by token through
 * either cache, so that all but the first place of each sequence is predicted from what was kept. Exit code
 * 1 if f16 does not take half, is slower by more than a tenth, or costs more than 0.1 % of perplexity.
 *
 * @module
 */
import { formatTable, median } from "../../bench/harness.ts";
import { Run } from "../../src/autograd/run.ts";
import { sequentialBatches } from "../../src/data/tokens/batches.ts";
import { openDataset } from "../../src/data/tokens/shards.ts";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import { openDevice } from "../../src/gpu/device.ts";
import type { CacheFormat } from "../../src/kernels/attention_decode.ts";
import { crossEntropyRows } from "../../src/kernels/cross_entropy.ts";
import { loadGpt } from "../../src/models/files.ts";
import { Gpt } from "../../src/models/gpt.ts";

const FORMATS: CacheFormat[] = ["f32", "f16"];
const [CONTEXT, NEW, ROUNDS] = [1024, 128, 12];

const device = await openDevice();
let failed = false;

/** Milliseconds that the last tokens of a context take, and bytes of the cache's textures. */
async function write(model: Gpt, cache: CacheFormat): Promise<{ took: number; bytes: number }> {
  using _scope = device.scope();
  const before = device.textures.bytes;
  using decoder = model.decoder({ batch: 1, capacity: CONTEXT, cache });
  const bytes = device.textures.bytes - before;
  const { vocabularySize: V } = model.config;
  const prompt = Array.from({ length: CONTEXT - NEW }, (_, i) => i * 31 % V);
  decoder.prefill(new Run(device), model.ids(prompt));
  const ids = model.ids([1]);
  await device.finish();
  const begun = performance.now();
  for (let i = 0; i < NEW; i++) decoder.step(ids);
  await device.finish();
  return { took: performance.now() - begun, bytes };
}

async function writeInTurns(): Promise<void> {
  using _scope = device.scope();
  const size = { vocabularySize: 512, contextLength: CONTEXT, channels: 384, layers: 6, heads: 6 };
  const model = new Gpt(device, createGptConfig(size));
  const times: Record<CacheFormat, number[]> = { f32: [], f16: [] };
  const bytes = { f32: 0, f16: 0 };
  for (let round = 0; round <= ROUNDS; round++) {
    for (const format of round % 2 ? FORMATS.toReversed() : FORMATS) {
      const found = await write(model, format);
      bytes[format] = found.bytes;
      // The first round compiles.
      if (round > 0) times[format].push(found.took / NEW);
    }
  }
  // What both hold beside the cache is weights.
  const cache = 2 * (bytes.f32 - bytes.f16);
  console.log(
    `Tokens ${CONTEXT - NEW + 1} to ${CONTEXT} on ${device.description}, ${ROUNDS} rounds`,
  );
  console.log(formatTable(
    ["cache", "MB", "ms a token", "least"],
    FORMATS.map((format) => [
      format,
      ((cache - (bytes.f32 - bytes[format])) / 1e6).toFixed(1),
      median(times[format]).toFixed(3),
      Math.min(...times[format]).toFixed(3),
    ]),
  ));
  const ratio = median(times.f32.map((took, i) => times.f16[i] / took));
  console.log(`f16 / f32, median of the rounds: ${ratio.toFixed(3)}\n`);
  const numbers = 2 * size.layers * size.channels * CONTEXT;
  failed ||= ratio > 1.1 || cache !== 4 * numbers;
}

/** Perplexity on held-out tokens, each read through a cache. */
async function perplexity(model: Gpt, directory: string, cache: CacheFormat): Promise<number> {
  using tokens = openDataset(`${directory}/data`).open("validation");
  const [batch, sequence] = [16, model.config.contextLength];
  let [sum, count] = [0, 0];
  for (const { inputs, targets } of sequentialBatches(tokens, { batch, sequence, limit: 64 })) {
    using _scope = device.scope();
    const B = inputs.length / sequence;
    const column = (of: ArrayLike<number>, t: number): number[] =>
      Array.from({ length: B }, (_, b) => of[b * sequence + t]);
    using decoder = model.decoder({ batch: B, capacity: sequence, cache });
    decoder.prefill(new Run(device), model.ids(column(inputs, 0), [B, 1]));
    const losses = Array.from({ length: sequence - 1 }, (_, i) => {
      const logits = decoder.step(model.ids(column(inputs, i + 1), [B, 1]));
      const out = { losses: device.tensor([B]), logSumExp: device.tensor([B]) };
      crossEntropyRows(logits, device.upload(Int32Array.from(column(targets, i + 1))), out);
      return out.losses;
    });
    // The first place of each sequence is not asked about; a target below 0 counts for nothing.
    count += targets.filter((target, i) => i % sequence > 0 && target >= 0).length;
    for (const values of await device.read(...losses)) {
      for (const loss of values) sum += loss;
    }
  }
  return Math.exp(sum / count);
}

await writeInTurns();
const [directory] = Deno.args;
if (directory !== undefined) {
  using _scope = device.scope();
  const model = loadGpt(device, directory);
  const [wide, half] = [
    await perplexity(model, directory, "f32"),
    await perplexity(model, directory, "f16"),
  ];
  const cost = 100 * (half / wide - 1);
  console.log(
    `Perplexity of ${directory}: ${wide.toFixed(4)}, with keys and values in f16 ` +
      `${half.toFixed(4)} (${cost.toFixed(4)} %)`,
  );
  failed ||= !(Math.abs(cost) < 0.1);
}
device.destroy();
if (failed) {
  console.error("A cache in f16 does not take half, or takes too much time or perplexity");
  Deno.exitCode = 1;
}
