/**
 * The profiler of the command stream: it changes nothing that is computed, its times add up, and it
 * works where the adapter has no timestamps.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Device, openDevice } from "../../src/gpu/device.ts";
import { attachProfiler } from "../../src/gpu/profiler.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { workOf } from "../../src/kernels/work.ts";
import { record } from "../../src/profiling/record.ts";
import { summarize } from "../../src/profiling/summary.ts";
import { profileStep, trainerOf } from "../../src/profiling/workloads.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const untimed = { skip: !device.raw.features.has("timestamp-query") };

const SIZES = { layers: 2, heads: 2, channels: 24, sequence: 29, batch: 3, vocabulary: 197 };

/** An adapter that seems to have no timestamps. */
function withoutTimestamps(): Promise<Device> {
  const gpu = {
    async requestAdapter(options?: GPURequestAdapterOptions) {
      // deno-lint-ignore no-explicit-any -- the global's type wants the DOM's library
      const adapter = await (globalThis as any).navigator["gpu"].requestAdapter(options);
      return {
        features: new Set(),
        limits: adapter.limits,
        info: adapter.info,
        requestDevice: (wanted: GPUDeviceDescriptor) => adapter.requestDevice(wanted),
      };
    },
  };
  return openDevice({ gpu: gpu as unknown as GPU });
}

/** Losses and dispatches of five steps of one model, watched or not. */
async function fiveSteps(watched: boolean): Promise<{ losses: number[]; dispatches: number }> {
  const own = await openDevice();
  try {
    const profiler = watched ? attachProfiler(own) : undefined;
    const { losses } = await profileStep(own, SIZES, { steps: 1, roof: false, replay: false });
    profiler?.detach();
    return { losses, dispatches: own.commands.dispatches };
  } finally {
    own.destroy();
  }
}

Deno.test("a profiler changes no loss and no dispatch", async () => {
  const [off, on] = [await fiveSteps(false), await fiveSteps(true)];
  // Two steps of warming up, one for the wall and one for the host without the profiler, one with it.
  assert.equal(off.losses.length, 5);
  assert.deepEqual(on, off);
  assert.ok(off.losses[4] < off.losses[0]);
});

Deno.test("every kernel of a training step, GPT's and BERT's, has its work counted", async () => {
  for (const family of ["gpt", "bert"] as const) {
    const { recording } = await profileStep(device, SIZES, { family, steps: 1, roof: false });
    const uncounted = recording.events.filter((event) => !workOf(event.name, event));
    assert.deepEqual(uncounted.map(({ name }) => name), []);
    for (const event of recording.events) {
      const { flops, bytes } = workOf(event.name, event)!;
      assert.ok(flops >= 0 && bytes > 0, `${event.name}: ${flops} operations, ${bytes} bytes`);
    }
  }
});

/**
 * Milliseconds on the device of each submit that `work` makes, measured by a timestamp before and one
 * after all that it holds, of which no profiler knows: what the kernels' times must add up to.
 */
async function submitTimes(own: Device, work: () => void): Promise<number[]> {
  const { raw } = own;
  const querySet = raw.createQuerySet({ type: "timestamp", count: 64 });
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  const resolved = raw.createBuffer({ size: 512, usage });
  const read = raw.createBuffer({
    size: 512,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const stamp = (index: number): GPUCommandBuffer => {
    const encoder = raw.createCommandEncoder();
    encoder.beginComputePass({ timestampWrites: { querySet, beginningOfPassWriteIndex: index } })
      .end();
    return encoder.finish();
  };
  const { queue } = raw;
  const plain = queue.submit;
  let stamps = 0;
  queue.submit = (buffers) =>
    plain.call(queue, [stamp(stamps++), ...buffers, stamp(stamps++)] as GPUCommandBuffer[]);
  try {
    work();
    own.commands.submit();
  } finally {
    queue.submit = plain;
  }
  const encoder = raw.createCommandEncoder();
  encoder.resolveQuerySet(querySet, 0, stamps, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, read, 0, stamps * 8);
  queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const ticks = [...new BigUint64Array(read.getMappedRange(0, stamps * 8))];
  for (const thing of [querySet, resolved, read]) thing.destroy();
  return ticks.flatMap((tick, i) => i % 2 ? [Number(tick - ticks[i - 1]) / 1e6] : []);
}

Deno.test("the kernels' times add up to the step's, within a tenth", {
  ignore: untimed.skip,
}, async () => {
  const sizes = { layers: 2, heads: 4, channels: 128, sequence: 64, batch: 12, vocabulary: 256 };
  const { step } = trainerOf(device, "gpt", sizes);
  for (let i = 0; i < 2; i++) step();
  await device.finish();
  const parts: number[] = [];
  for (let i = 0; i < 5; i++) {
    let whole: number[] = [];
    const { events } = await record(device, async () => {
      whole = await submitTimes(device, step);
    });
    const sum = (numbers: number[]) => numbers.reduce((total, n) => total + n, 0);
    parts.push(sum(events.map(({ milliseconds }) => milliseconds!)) / sum(whole));
  }
  assert.ok(parts.every((part) => part <= 1), `${parts}`);
  // The least disturbed: others may take the processor between two kernels.
  assert.ok(Math.max(...parts) > 0.9, `${parts}`);
});

Deno.test("kernels follow one another, and their shares add up to one", {
  ignore: untimed.skip,
}, async () => {
  const sizes = { ...SIZES, channels: 64, sequence: 64, batch: 8 };
  const { recording, profile } = await profileStep(device, sizes, { steps: 4, roof: false });
  let last = -Infinity;
  for (const { name, gpu, milliseconds, submit } of recording.events) {
    assert.ok(gpu && milliseconds !== undefined && milliseconds >= 0, name);
    assert.ok(gpu.begin >= last - 1e-6, `${name} begins before what comes before it has ended`);
    assert.ok(gpu.begin >= recording.submits[submit].begin - 1e-6, `${name} precedes its submit`);
    last = gpu.end;
  }
  const shares = profile.kernels.reduce((sum, { share }) => sum + share!, 0);
  assert.ok(Math.abs(shares - 1) < 1e-9);
});

Deno.test("off, dispatches share a pass, and no timestamp is asked for", () => {
  using _scope = device.scope();
  const [a, b, out] = [[1, 3], [3, 3], [1, 3]].map((shape) => device.zeros(shape));
  device.commands.submit();
  const { raw } = device;
  const plain = raw.createCommandEncoder;
  const passes: (GPUComputePassDescriptor | undefined)[] = [];
  raw.createCommandEncoder = (options) => {
    const encoder = plain.call(raw, options);
    const begin = encoder.beginComputePass;
    encoder.beginComputePass = (descriptor) => {
      passes.push(descriptor);
      return begin.call(encoder, descriptor);
    };
    return encoder;
  };
  try {
    for (let i = 0; i < 29; i++) matmul(a, b, { out, variant: "row" });
    device.commands.submit();
    assert.deepEqual(passes, [undefined]);
    const profiler = attachProfiler(device);
    for (let i = 0; i < 29; i++) matmul(a, b, { out, variant: "row" });
    profiler.detach();
    assert.equal(passes.length, 1 + 29);
  } finally {
    raw.createCommandEncoder = plain;
  }
});

Deno.test("more dispatches than a set of queries holds", { ignore: untimed.skip }, async () => {
  using _scope = device.scope();
  const [a, out] = [device.zeros([1, 3]), device.zeros([1, 3])];
  const b = device.zeros([3, 3]);
  const { events, submits } = await record(device, () => {
    for (let i = 0; i < 1100; i++) {
      matmul(a, b, { out });
      device.commands.clear(out.buffer);
      device.commands.clear(out.buffer);
    }
  });
  assert.equal(events.length, 3300);
  assert.ok(submits.length >= 2);
  assert.ok(events.every(({ gpu }) => gpu && gpu.end >= gpu.begin));
});

Deno.test("without timestamps: counted, and timed by running each kind again", async () => {
  const plain = await withoutTimestamps();
  try {
    const options = { steps: 1, roof: false };
    const counted = await profileStep(plain, SIZES, { ...options, replay: false });
    assert.equal(counted.profile.timing, "counts");
    assert.equal(counted.profile.kernels[0].milliseconds, undefined);
    assert.ok(counted.profile.dispatches > 50);
    // As large as to take longer than the noise of the clock.
    using _scope = plain.scope();
    const [small, large] = [32, 256].map((n) => plain.zeros([n, n]));
    const recording = await record(plain, (profiler) => {
      profiler.span("small", () => matmul(small, small));
      profiler.span("large", () => matmul(large, large));
    });
    assert.equal(recording.timing, "replay");
    const profile = summarize(recording, {
      title: "",
      adapter: "",
      unit: "call",
      units: 1,
      bySpan: true,
    });
    const time = (name: string) =>
      profile.kernels.find((row) => row.case === name && row.kernel.startsWith("matmul"))!
        .milliseconds!;
    assert.ok(time("large") > 4 * time("small"), `${time("large")} and ${time("small")} ms`);
  } finally {
    plain.destroy();
  }
});
