/**
 * How far a dispatch reaches: workgroup sizes for this adapter, and the workgroups that cover a size.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import type { Overrides } from "../gpu/pipelines.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** Workgroups in one dimension, at most, on every adapter. */
const MAX_GROUPS = 65535;

/**
 * Rounds that all loops of one invocation may make together on a processor. llvmpipe ends each of them after
 * its next round when there were 65,535, without an error; what is left over is for the loops of barriers.
 */
export const MOST_ROUNDS = 65_000;

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

/**
 * How many lanes share loops of `rounds` rounds in all: a power of two times `least`, so that no lane makes
 * more than {@linkcode MOST_ROUNDS}.
 *
 * @throws {VitrailError} if a processor has not as many in a workgroup
 */
export function lanesSharing(device: Device, rounds: number, least: number): number {
  let lanes = least;
  while (rounds / lanes > MOST_ROUNDS) lanes *= 2;
  const most = device.raw.limits.maxComputeInvocationsPerWorkgroup;
  if (lanes === least || lanes <= most) return lanes;
  if (!device.isCpu) return Math.max(least, most);
  throw new VitrailError(
    `Cannot run a kernel of ${rounds} rounds on ${device.description}: its workgroups have ${most} ` +
      `invocations of ${MOST_ROUNDS} rounds each; use shorter rows or fewer of them`,
  );
}

/**
 * One team of lanes for each of `rows` rows.
 *
 * @param options.rounds rounds of a row's loops if one lane ran them all: long rows get more lanes
 */
export function perRow(
  device: Device,
  rows: number,
  options: { team?: readonly [rows: number, lanes: number]; rounds?: number } = {},
): Launch {
  const { team: [most, least] = usualTeam(device), rounds = 0 } = options;
  const lanes = lanesSharing(device, rounds, least);
  const perGroup = Math.max(1, most * least / lanes);
  const groups = Math.ceil(rows / perGroup);
  return {
    overrides: { lanes, rows: perGroup },
    workgroups: [Math.min(groups, MAX_GROUPS), Math.ceil(groups / MAX_GROUPS), 1],
  };
}

/** Tensors under the names that a shader gives them as vectors of four, and as single numbers. */
export function both(tensors: Record<string, Tensor>): Record<string, Tensor> {
  // Of every dispatch: a list of entries would cost the host as much as the rest of the call.
  const named: Record<string, Tensor> = {};
  for (const name in tensors) named[name] = named[`${name}_odd`] = tensors[name];
  return named;
}
