/**
 * Proof: the memory of attention, forward and backward through the tape, grows linearly in T. The
 * unfused twin, which keeps its pattern, stands beside it for scale.
 *
 *     deno run --allow-read scripts/proofs/attention_memory.ts
 *
 * Exit code 1 if a doubling of T more than doubles the peak, beyond the eighth by which the buffer pool
 * may round up.
 *
 * @module
 */
import { attention, attentionWithPattern } from "../../src/autograd/ops/attention.ts";
import { Run } from "../../src/autograd/run.ts";
import { type Device, openDevice } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { formatTable, seededNumbers } from "../../bench/harness.ts";

const [BATCH, CHANNELS, HEADS] = [1, 48, 4];
const TIMES = [256, 512, 1024, 2048];
/** A doubling, and the pool's rounding. */
const MOST = 2 * (1 + 1 / 8);

/**
 * The most bytes that one forward and backward pass held: what the pool had handed out, and the scratch
 * textures that kernels read from on a processor, which start from nothing.
 */
async function peakBytes(
  device: Device,
  time: number,
  attend: (run: Run, qkv: Tensor) => Tensor,
): Promise<number> {
  // What waits on the pool's shelves is of other sizes: it goes, once the device is done with it.
  await device.finish();
  device.pool.trim();
  device.pool.resetPeak();
  device.textures.destroy();
  using _all = device.scope();
  const before = device.pool.memory.liveBytes;
  const shape = [BATCH, time, 3 * CHANNELS];
  const qkv = device.upload(seededNumbers(BATCH * time * 3 * CHANNELS, 1), shape);
  const dOut = device.upload(seededNumbers(BATCH * time * CHANNELS, 2), [BATCH, time, CHANNELS]);
  const run = new Run(device, { record: true, training: true });
  run.tape!.watch(qkv);
  const gradients = run.tape!.backward(attend(run, qkv), dOut);
  const { peakBytes } = device.pool.memory;
  const textures = device.textures.bytes;
  const gradient = await gradients.get(qkv)!.read();
  if (!gradient.some((x) => x !== 0)) throw new Error("The backward pass gave no gradient");
  return peakBytes - before + textures;
}

const device = await openDevice();
const settings = { heads: HEADS, causal: true };
const hooks = { scores: "scores", pattern: "pattern" };
const rows: { time: number; fused: number; unfused: number }[] = [];
for (const time of TIMES) {
  rows.push({
    time,
    fused: await peakBytes(device, time, (run, qkv) => attention(run, qkv, settings)),
    unfused: await peakBytes(
      device,
      time,
      (run, qkv) => attentionWithPattern(run, qkv, { ...settings, hooks }),
    ),
  });
}
console.log(`Peak bytes of attention, forward and backward, on ${device.description}`);
console.log(`(B ${BATCH}, C ${CHANNELS}, ${HEADS} heads; ratio: to the row above)`);
let worst = 0;
console.log(formatTable(
  ["T", "fused", "ratio", "bytes a place", "with pattern", "ratio"],
  rows.map(({ time, fused, unfused }, i) => {
    const last = rows[i - 1];
    if (last) worst = Math.max(worst, fused / last.fused);
    const ratio = (now: number, then?: number) => then ? (now / then).toFixed(3) : "";
    return [
      `${time}`,
      `${fused}`,
      ratio(fused, last?.fused),
      (fused / time).toFixed(1),
      `${unfused}`,
      ratio(unfused, last?.unfused),
    ];
  }),
));
device.destroy();
if (worst > MOST) {
  console.error(
    `A doubling of T took ${worst.toFixed(3)} times the memory, at most ${MOST} wanted`,
  );
  Deno.exitCode = 1;
}
