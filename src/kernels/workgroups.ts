/**
 * Workgroups as variants of a kernel: how many invocations lie side by side and how many share one
 * task is shipped for a processor and for a GPU, and a tuner may find that others are faster.
 *
 * @module
 */
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Tunable } from "../gpu/variants.ts";

/** Invocations side by side, and those that share what one of these computes. */
export type Workgroup = readonly [across: number, sharing: number];

/** What a tuner needs to compare workgroups on a call. */
export interface WorkgroupTrial {
  /** Others than the shipped one. */
  others: readonly Workgroup[];
  /** Floating-point operations of a call. */
  flops: number;
  /** As in {@linkcode Tunable}. */
  tolerance?: number;
  /** Makes operands, from `random`, which allocates a tensor of numbers in [-0.5, 0.5). */
  prepare: (random: (shape: readonly number[]) => Tensor) => {
    /** What a run writes. */
    outputs: Tensor[];
    /** Records one call. */
    run: (workgroup: Workgroup) => void;
  };
}

const nameOf = ([across, sharing]: Workgroup): string => `${across}x${sharing}`;

function workgroupOf(name: string): Workgroup | undefined {
  const [, across, sharing] = name.match(/^(\d+)x(\d+)$/) ?? [];
  return across === undefined ? undefined : [Number(across), Number(sharing)];
}

/** Whether an adapter has such workgroups, of powers of two: a name may come from a damaged file. */
function fits(workgroup: Workgroup, device: Device): boolean {
  const [across, sharing] = workgroup;
  return across * sharing <= device.raw.limits.maxComputeInvocationsPerWorkgroup &&
    workgroup.every((n) => n > 0 && (n & (n - 1)) === 0);
}

/** The workgroup for calls of class `key`: the winner, or `usual` if nobody measured them. */
export function chooseWorkgroup(
  device: Device,
  key: string,
  { usual, trial }: { usual: Workgroup; trial: () => WorkgroupTrial },
): Workgroup {
  const describe = (): Tunable => {
    const { others, flops, tolerance, prepare } = trial();
    const most = device.raw.limits.maxComputeInvocationsPerWorkgroup;
    return {
      candidates: others
        .filter(([across, sharing]) => across * sharing <= most)
        .map(nameOf).filter((name) => name !== nameOf(usual)),
      flops,
      tolerance,
      prepare: (_, random) => {
        const { outputs, run } = prepare(random);
        return { outputs, run: (name) => run(workgroupOf(name)!) };
      },
    };
  };
  const found = workgroupOf(device.variants.choose(key, nameOf(usual), describe));
  return found && fits(found, device) ? found : usual;
}
