/**
 * Proof: a run of ours beside the same run in PyTorch, with transformers' own GPT-2: the same initial
 * weights (our model directory), the same batches (ids from our data room, in binary files), AdamW with
 * the same groups, schedule and clipping, no dropout. Schedule, loss, optimizer and model are theirs or
 * written anew on their side.
 *
 *     deno run --allow-read --allow-write=runs --allow-run scripts/reference/compare_training.ts
 *
 * `--python PATH` names a Python with torch and transformers (default python3), `--out DIR` the folder (default runs/compare_training), `--steps N` the length. Exit code 1 if a validation loss differs by
 * more than 1 %.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { formatTable } from "../../bench/harness.ts";
import { BatchSampler, sequentialBatches, type TokenBatch } from "../../src/data/tokens/batches.ts";
import { readDocuments } from "../../src/data/sources/documents.ts";
import { openDataset, tokenizeCorpus } from "../../src/data/tokens/shards.ts";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpt } from "../../src/models/gpt.ts";
import { freshWeights } from "../../src/models/weights.ts";
import { trainBytePairTokenizer } from "../../src/tokenizers/train_bpe.ts";
import { saveGpt } from "../../src/models/files.ts";
import { evaluate } from "../../src/training/evaluate.ts";
import { train } from "../../src/training/loop.ts";
import { languageModelling } from "../../src/training/task.ts";

/** Largest relative difference of a validation loss. */
const TOLERANCE = 0.01;
const CORPUS = "moby-dick";
const SIZE = { vocabularySize: 512, contextLength: 64, channels: 64, layers: 2, heads: 4 };
const [BATCH, SEQUENCE, VALIDATION_BATCHES] = [8, SIZE.contextLength, 20];

const { values } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    out: { type: "string", default: "runs/compare_training" },
    steps: { type: "string", default: "200" },
  },
});
const { out } = values;
const settings = {
  steps: Number(values.steps),
  learningRate: 3e-3,
  minimumLearningRate: 3e-4,
  warmupSteps: 20,
  schedule: "cosine" as const,
  betas: [0.9, 0.95] as [number, number],
  epsilon: 1e-8,
  weightDecay: 0.1,
  clip: 1,
  accumulation: 1,
  evaluateEvery: 20,
  saveEvery: Number(values.steps),
  patience: 0,
  seed: 0,
};

/** What either side reports: training loss by step, and validation loss by steps done. */
interface Losses {
  training: number[];
  validation: Record<string, number>;
}

/** Inputs and then targets of every batch, as little-endian 32-bit numbers. */
function writeBatches(path: string, batches: TokenBatch[]): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  for (const { inputs, targets } of batches) {
    for (const ids of [inputs, targets]) {
      let left = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
      while (left.length > 0) left = left.subarray(file.writeSync(left));
    }
  }
}

async function* texts(): AsyncGenerator<string> {
  for await (const { text } of readDocuments(CORPUS)) yield text;
}

Deno.mkdirSync(`${out}/initial`, { recursive: true });
const { vocabularySize } = SIZE;
const tokenizer = await trainBytePairTokenizer(texts(), { vocabularySize });
await tokenizeCorpus(readDocuments(CORPUS), tokenizer, { directory: `${out}/data` });
const dataset = openDataset(`${out}/data`);
using trainTokens = dataset.open("train");
using heldOut = dataset.open("validation");
const sampler = new BatchSampler(trainTokens, { batch: BATCH, sequence: SEQUENCE, seed: 0 });
const batches = Array.from({ length: settings.steps }, (_, n) => sampler.at(n));
const validation = [
  ...sequentialBatches(heldOut, { batch: BATCH, sequence: SEQUENCE, limit: VALIDATION_BATCHES }),
];

const device = await openDevice();
const dropout = { embeddingDropout: 0, attentionDropout: 0, residualDropout: 0 };
const model = new Gpt(device, createGptConfig(SIZE, dropout), freshWeights(0));
await saveGpt(model, `${out}/initial`);
writeBatches(`${out}/batches.bin`, batches);
writeBatches(`${out}/validation.bin`, validation);
Deno.writeTextFileSync(
  `${out}/run.json`,
  JSON.stringify(
    { ...settings, batch: BATCH, sequence: SEQUENCE, validationBatches: validation.length },
    null,
    2,
  ),
);

const python = new Deno.Command(values.python, {
  args: [decodeURIComponent(new URL("train_gpt2.py", import.meta.url).pathname), out],
  stdout: "piped",
  stderr: "inherit",
}).spawn();
const ours: Losses = { training: [], validation: {} };
ours.validation[0] = (await evaluate(languageModelling(model, SEQUENCE), validation)).loss;
await train(languageModelling(model, SEQUENCE), settings, {
  batchAt: (n) => batches[n],
  validation: () => validation,
  onSteps: (figures) => void ours.training.push(...figures.map((f) => f.loss)),
  onEvaluation: (step, { loss }) => void (ours.validation[step] = loss),
});
console.log(`${model.parameterCount} parameters, ${CORPUS}, on ${device.description}`);
device.destroy();
const { success, stdout } = await python.output();
if (!success) throw new Error("PyTorch's side failed: its message stands above");
const theirs: Losses = JSON.parse(new TextDecoder().decode(stdout));

const relative = (x: number, y: number): number => Math.abs(x - y) / y;
const steps = Object.keys(ours.validation);
console.log(formatTable(
  ["step", "ours", "PyTorch", "relative difference"],
  steps.map((step) => {
    const [x, y] = [ours.validation[step], theirs.validation[step]];
    return [step, x.toFixed(6), y.toFixed(6), relative(x, y).toExponential(2)];
  }),
));
const worst = Math.max(
  ...steps.map((step) => relative(ours.validation[step], theirs.validation[step])),
);
const worstTraining = Math.max(...ours.training.map((x, i) => relative(x, theirs.training[i])));
console.log(
  `largest relative difference: validation ${worst.toExponential(2)}, ` +
    `training, ${ours.training.length} steps, ${worstTraining.toExponential(2)}`,
);
const complete = steps.length === Object.keys(theirs.validation).length &&
  ours.training.length === settings.steps && theirs.training.length === settings.steps;
// A comparison with a missing figure is NaN, which no bound holds.
if (!complete || !(worst <= TOLERANCE)) {
  console.error(`The runs differ by more than ${TOLERANCE}, or one of them lacks figures`);
  Deno.exitCode = 1;
}
