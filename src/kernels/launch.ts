/**
 * How far a dispatch reaches: workgroup sizes for this adapter, and the workgroups that cover a size.
 *
 * @module
 */
import type { Device } from "../gpu/device.ts";
import type { Overrides } from "../gpu/pipelines.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** Workgroups in one dimension, at most, on every adapter. */
const MAX_GROUPS = 65535;

/** Part of a dispatch: its overrides and its workgroups. */
export interface Launch {
  /** The workgroup's size. */
  overrides: Overrides;
  /** Workgroups in x, y and z. */
  workgroups: [number, number, number];
}

/** Invocations in one workgroup: a processor runs them in one vector, a GPU in whole warps. */
export function lanesOf(device: Device): number {
  return device.isCpu ? device.vectorLanes : 64;
}

/**
 * Vectors of four that cover a tensor. The last may reach past its end, into the padding that every
 * buffer of the pool has.
 */
export function fours(x: Tensor): number {
  return Math.ceil(x.size / 4);
}

/**
 * One invocation for each of `size` elements, times `y`, of which what is too much goes into z unless
 * that is given: a shader then finds its y as `id.y + id.z * groups.y`.
 */
export function perElement(device: Device, size: number, y?: number, z?: number): Launch {
  const lanes = lanesOf(device);
  const groups = Math.ceil(size / lanes);
  // Only kernels that take no y of their own fold a long x into it.
  const workgroups: [number, number, number] = y === undefined
    ? [Math.min(groups, MAX_GROUPS), Math.ceil(groups / MAX_GROUPS), 1]
    : z === undefined
    ? [groups, Math.min(y, MAX_GROUPS), Math.ceil(y / MAX_GROUPS)]
    : [groups, y, z];
  return { overrides: { lanes }, workgroups };
}

/**
 * How the lanes of a workgroup cover `across` by `down` places: so many side by side, so many below,
 * such that the fewest are idle and, of these, most are side by side.
 */
export function rectangle(lanes: number, across: number, down: number): [number, number] {
  let best: [number, number] = [lanes, 1];
  const groups = ([x, y]: [number, number]): number => Math.ceil(across / x) * Math.ceil(down / y);
  for (let x = lanes / 2; x >= 1; x /= 2) {
    if (groups([x, lanes / x]) < groups(best)) best = [x, lanes / x];
  }
  return best;
}

/** Rows of a workgroup, and lanes that share one: for a processor, whose barriers are dear, or a GPU. */
export function usualTeam(device: Device): [rows: number, lanes: number] {
  return device.isCpu ? [device.vectorLanes, 1] : [2, 32];
}

/** One team of lanes for each of `rows` rows. */
export function perRow(
  device: Device,
  rows: number,
  [perGroup, lanes]: readonly [rows: number, lanes: number] = usualTeam(device),
): Launch {
  const groups = Math.ceil(rows / perGroup);
  return {
    overrides: { lanes, rows: perGroup },
    workgroups: [Math.min(groups, MAX_GROUPS), Math.ceil(groups / MAX_GROUPS), 1],
  };
}

/** Tensors under the names that a shader gives them as vectors of four, and as single numbers. */
export function both(tensors: Record<string, Tensor>): Record<string, Tensor> {
  const entries = Object.entries(tensors);
  return Object.fromEntries([...entries, ...entries.map(([name, x]) => [`${name}_odd`, x])]);
}
