/**
 * Tuning as commands do it: at their start, for what they are about to do, told in a line.
 *
 * @module
 */
import type { Command } from "commander";
import type { Device } from "../gpu/device.ts";
import { ProgressBar } from "../training/progress.ts";
import { machineOf, TuningCache } from "../tuning/cache.ts";
import { tune, type TuneOptions, useKnown } from "../tuning/tune.ts";
import { printNotice } from "./printer.ts";

/** Where the launcher has winners kept. Without it nothing is measured, and nothing is remembered. */
const FOLDER = "VITRAIL_CACHE";

/** Adds the flag that every command has which runs a model. */
export function addTuneFlag(command: Command): Command {
  return command.option("--no-tune", "use the variants of kernels that ship, and measure nothing");
}

/** The winners known for a device; none where there is no folder to keep them. */
export function openCache(device: Device): TuningCache | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: FOLDER });
  const folder = state === "granted" ? Deno.env.get(FOLDER) : undefined;
  return folder ? new TuningCache(folder, machineOf(device), warn) : undefined;
}

/** Measures what is not known of the kernels that `rehearsal` calls, and uses the winners for them. */
export async function tuneFor(
  device: Device,
  rehearsal: () => void | Promise<void>,
  flags: { tune: boolean },
): Promise<void> {
  const cache = openForRun(device, flags);
  if (cache) await tuneWithBar(device, rehearsal, { cache });
}

/** Uses all winners that are known and measures none. */
export function useTuned(device: Device, flags: { tune: boolean }): void {
  const cache = openForRun(device, flags);
  if (cache) useKnown(device, cache);
}

/** The winners that a run may use. On a machine that is not known yet, says what takes time. */
function openForRun(device: Device, flags: { tune: boolean }): TuningCache | undefined {
  const cache = flags.tune ? openCache(device) : undefined;
  if (cache?.isNew) {
    printNotice(`First start on ${device.description}: its driver compiles the kernels once`);
    cache.add({});
  }
  return cache;
}

/** `tune`, with a bar while something is measured. */
export async function tuneWithBar(
  device: Device,
  rehearsal: () => void | Promise<void>,
  options: TuneOptions,
): Promise<number> {
  let bar: ProgressBar | undefined;
  try {
    return await tune(device, rehearsal, {
      onWarning: warn,
      onProgress: (done, total, key) => {
        bar ??= new ProgressBar({ total, label: "tune", unit: "kernel" });
        bar.update(done, { "": key });
      },
      ...options,
    });
  } finally {
    bar?.finish();
  }
}

function warn(warning: string): void {
  printNotice(`warning: ${warning}`);
}
