/**
 * Recording what the device does, with times: from its timestamps, or, where it has none, by running
 * each kind of dispatch again and waiting for it.
 *
 * @module
 */
import type { Device } from "../gpu/device.ts";
import {
  attachProfiler,
  type ProfiledEvent,
  type Profiler,
  type Recording,
} from "../gpu/profiler.ts";

/** Where the times of a recording come from. */
export type Timing = "timestamps" | "replay" | "counts";

/** A recording that says where its times come from. */
export interface TimedRecording extends Recording {
  /** `timestamps` of the adapter, `replay` by the host's clock, or none but `counts`. */
  timing: Timing;
}

/** Milliseconds of work that a replay waits for, at least: far more than the wait itself costs. */
const REPLAY_AT_LEAST = 60;
/** Dispatches of one kind in a replay, at most. */
const REPLAY_MOST = 256;

/**
 * Runs `work` under a profiler.
 *
 * @param options `replay: false` leaves a recording without timestamps without times, too; `again` gives
 * the call that a replay repeats, in place of the same dispatch over zeros
 */
export async function record(
  device: Device,
  work: (profiler: Profiler) => void | Promise<void>,
  options: { replay?: boolean; again?: (event: ProfiledEvent) => () => void } = {},
): Promise<TimedRecording> {
  const profiler = attachProfiler(device);
  let recording: Recording;
  try {
    await work(profiler);
    recording = await profiler.read();
  } finally {
    profiler.detach();
  }
  if (recording.timed) return { ...recording, timing: "timestamps" };
  if (options.replay === false) return { ...recording, timing: "counts" };
  await replay(device, recording.events, options.again ?? ((event) => prepare(device, event)));
  return { ...recording, timing: "replay" };
}

/** Milliseconds that a wait costs when there is next to nothing to wait for. */
export async function waitFloor(device: Device): Promise<number> {
  using scope = device.detachedScope();
  const probe = scope.run(() => device.zeros([1]));
  const times: number[] = [];
  for (let i = 0; i < 6; i++) {
    device.commands.clear(probe.buffer);
    const begun = performance.now();
    await device.finish();
    times.push(performance.now() - begun);
  }
  return Math.min(...times);
}

/** Gives each event the mean time of its kind. */
async function replay(
  device: Device,
  events: ProfiledEvent[],
  again: (event: ProfiledEvent) => () => void,
): Promise<void> {
  const floor = await waitFloor(device);
  const kinds = Map.groupBy(
    events,
    ({ name, overrides, workgroups, bound, halves }) =>
      JSON.stringify([name, overrides, workgroups, bound, halves]),
  );
  for (const alike of kinds.values()) {
    using operands = device.detachedScope();
    const call = operands.run(() => again(alike[0]));
    const timed = async (calls: number): Promise<number> => {
      const begun = performance.now();
      operands.run(() => {
        for (let i = 0; i < calls; i++) call();
      });
      await device.finish();
      return performance.now() - begun - floor;
    };
    await timed(1);
    let calls = 1;
    let took = await timed(calls);
    while (took < REPLAY_AT_LEAST && calls < REPLAY_MOST) {
      calls = Math.min(REPLAY_MOST, calls * 8);
      took = await timed(calls);
    }
    for (const event of alike) event.milliseconds = Math.max(0, took) / calls;
  }
}

/** The same dispatch over buffers of its own. */
function prepare(device: Device, event: ProfiledEvent): () => void {
  const { kernel, entryPoint, uniforms, overrides, workgroups, bound, halves } = event;
  const { commands, textures } = device;
  const zeros = (bytes: number, half = false) =>
    device.zeros([Math.max(1, Math.ceil(bytes / (half ? 2 : 4)))], half ? "f16" : "f32");
  const texture = (slot: number, half: boolean) =>
    textures.get(slot, 1, half ? "rgba16float" : "rgba32float");
  if (kernel) {
    const bindings = Object.fromEntries(
      kernel.entry(entryPoint).bindings.filter(({ kind }) => kind !== "uniform")
        .map(({ name, kind, index }) => {
          const half = halves.includes(name);
          const bind = kind.startsWith("texture") ? texture(index, half) : zeros(bound[name], half);
          return [name, bind];
        }),
    );
    return () => device.dispatch(kernel, entryPoint, { bindings, uniforms, overrides, workgroups });
  }
  const [from, to] = [zeros(bound.bytes), zeros(bound.bytes)];
  if (event.name === "clear") return () => commands.clear(from.buffer);
  if (event.name !== "copy to texture") {
    return () => commands.copy(from.buffer, to.buffer, bound.bytes);
  }
  const texels = Math.floor(bound.bytes / 16);
  const target = textures.get(0, texels);
  return () => commands.copyToTexture(from.buffer, target, texels);
}
