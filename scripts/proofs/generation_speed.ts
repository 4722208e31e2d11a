/**
 * Proof: the time of a generated token does not contain the floor under a read, because the device writes
 * one chunk of tokens while the host waits for another.
 *
 *     deno run --allow-read scripts/proofs/generation_speed.ts
 *
 * The same tokens are written in chunks of 16 and as one chunk, which is read once: if every read were
 * waited for in vain, those of the former would add a floor each. Exit code 1 if 2 layers of 64 channels
 * write fewer than 300 tokens a second, or if their reads add more than half of that; the larger model's
 * chunks take so long that a floor would not stand out.
 *
 * @module
 */
import { formatTable } from "../../bench/harness.ts";
import { Run } from "../../src/autograd/run.ts";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import { generate } from "../../src/generation/generate.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpt } from "../../src/models/gpt.ts";
import { waitFloor } from "../../src/profiling/record.ts";

const [NEW, CHUNK, VOCABULARY] = [256, 16, 512];
const MODELS = [
  { layers: 2, channels: 64, heads: 2, rounds: 15, atLeast: 300 },
  { layers: 6, channels: 384, heads: 6, rounds: 5, atLeast: 0 },
];
const prompt = [1, 2, 3];

const device = await openDevice();
const floor = await waitFloor(device);
const rows: string[][] = [];
let failed = false;
for (const { rounds, atLeast, ...sizes } of MODELS) {
  const size = { vocabularySize: VOCABULARY, contextLength: NEW + prompt.length, ...sizes };
  const model = new Gpt(device, createGptConfig(size));
  const timed = async (chunk: number): Promise<number> => {
    const begun = performance.now();
    const [ids] = await generate(model, prompt, { maxNewTokens: NEW, seed: 1, chunk });
    if (ids.length !== NEW) throw new Error(`Asked for ${NEW} tokens, got ${ids.length}`);
    return performance.now() - begun;
  };
  /** Milliseconds that the host takes to record a token, and its dispatches. */
  const recorded = (): { host: number; dispatches: number } => {
    using _scope = device.scope();
    using decoder = model.decoder({ batch: 1, capacity: size.contextLength });
    const ids = model.ids([1]);
    decoder.prefill(new Run(device), model.ids(prompt));
    const [begun, before] = [performance.now(), device.commands.dispatches];
    for (let i = 0; i < CHUNK; i++) decoder.step(ids);
    const host = (performance.now() - begun) / CHUNK;
    return { host, dispatches: (device.commands.dispatches - before) / CHUNK };
  };
  await timed(CHUNK);
  // The fastest round counts, since whatever else the machine does only ever adds time.
  let [inChunks, atOnce, host, dispatches] = [Infinity, Infinity, Infinity, 0];
  for (let round = 0; round < rounds; round++) {
    inChunks = Math.min(inChunks, await timed(CHUNK));
    atOnce = Math.min(atOnce, await timed(NEW));
    const one = recorded();
    await device.finish();
    [host, dispatches] = [Math.min(host, one.host), one.dispatches];
  }
  // The last read is waited for in either case.
  const reads = NEW / CHUNK - 1;
  const share = (inChunks - atOnce) / reads / floor;
  const speed = NEW / inChunks * 1000;
  failed ||= atLeast > 0 && (share > 0.5 || speed < atLeast);
  rows.push([
    `${sizes.layers} layers, C ${sizes.channels}`,
    speed.toFixed(0),
    (inChunks / NEW).toFixed(3),
    (atOnce / NEW).toFixed(3),
    atLeast > 0 ? `${(100 * share).toFixed(0)} %` : "–",
    `${dispatches} + 1`,
    host.toFixed(3),
  ]);
}
console.log(`${NEW} tokens on ${device.description}; a read costs ${floor.toFixed(1)} ms at least`);
console.log(formatTable(
  [
    "model",
    "tokens/s",
    "ms a token",
    "read once",
    "of the floor",
    "dispatches",
    "ms to record",
  ],
  rows,
));
device.destroy();
if (failed) {
  console.error("A generated token waits for reads, or is too slow");
  Deno.exitCode = 1;
}
