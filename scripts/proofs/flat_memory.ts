/**
 * Proof: memory stays flat over 2,000 training steps, evaluations among them.
 *
 *     deno run --allow-read scripts/proofs/flat_memory.ts
 *
 * Exit code 1 if the live GPU buffers or their bytes differ between step 100 and the last, or if the
 * last thousand steps added more than a tenth to the process's resident memory.
 *
 * @module
 */
import { formatTable } from "../../bench/harness.ts";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpt } from "../../src/models/gpt.ts";
import { train } from "../../src/training/loop.ts";
import { languageModelling } from "../../src/training/task.ts";

const [STEPS, EVERY, BATCH, SEQUENCE, VOCABULARY] = [2000, 100, 2, 16, 61];

/** A batch that its number decides. */
function batchAt(n: number): { inputs: Uint32Array; targets: Int32Array } {
  const id = (i: number) => (i * i * 31 + n * 17 + i) % VOCABULARY;
  const size = BATCH * SEQUENCE;
  return {
    inputs: Uint32Array.from({ length: size }, (_, i) => id(i)),
    targets: Int32Array.from({ length: size }, (_, i) => id(i + 1)),
  };
}

interface Sample {
  step: number;
  buffers: number;
  live: number;
  reserved: number;
  resident: number;
}

const device = await openDevice();
const model = new Gpt(
  device,
  createGptConfig({
    vocabularySize: VOCABULARY,
    contextLength: SEQUENCE,
    channels: 12,
    layers: 2,
    heads: 3,
  }),
);
const samples: Sample[] = [];
await train(languageModelling(model, SEQUENCE), {
  steps: STEPS,
  learningRate: 1e-3,
  minimumLearningRate: 1e-4,
  warmupSteps: 10,
  schedule: "cosine",
  accumulation: 1,
  evaluateEvery: EVERY,
  saveEvery: STEPS,
  patience: 0,
  seed: 0,
}, {
  batchAt,
  validation: () => [batchAt(STEPS), batchAt(STEPS + 1)],
  onEvaluation: (step) => {
    const { liveBuffers, liveBytes, reservedBytes } = device.pool.memory;
    samples.push({
      step,
      buffers: liveBuffers,
      live: liveBytes,
      reserved: reservedBytes,
      resident: Deno.memoryUsage().rss,
    });
  },
});
console.log(`${STEPS} training steps on ${device.description}`);
console.log(formatTable(
  ["step", "live buffers", "live bytes", "bytes taken from the adapter", "resident MB of the host"],
  samples.map((s) => [
    `${s.step}`,
    `${s.buffers}`,
    `${s.live}`,
    `${s.reserved}`,
    (s.resident / 1e6).toFixed(1),
  ]),
));
device.destroy();
const [first, last] = [samples[0], samples.at(-1)!];
const middle = samples[samples.length / 2 - 1];
const fail = (what: string): void => {
  console.error(what);
  Deno.exitCode = 1;
};
if (samples.length !== STEPS / EVERY) fail(`Took ${samples.length} samples, not ${STEPS / EVERY}`);
if (first.buffers !== last.buffers || first.live !== last.live) {
  fail(
    `GPU memory is not flat: ${first.buffers} buffers of ${first.live} bytes at step ${first.step}, ` +
      `${last.buffers} of ${last.live} at step ${last.step}`,
  );
}
if (last.resident > 1.1 * middle.resident) {
  fail(
    `Host memory grew from ${middle.resident} to ${last.resident} bytes after step ${middle.step}`,
  );
}
