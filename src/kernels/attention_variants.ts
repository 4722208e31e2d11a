/**
 * The variants of attention: how each is launched, which one is shipped for a call, and which others are
 * worth a try.
 *
 * @module
 */
import rows from "../../shaders/attention.wgsl" with { type: "text" };
import shared from "../../shaders/attention_shared.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import type { DispatchArguments } from "../gpu/dispatch.ts";
import { Kernel } from "../gpu/kernel.ts";
import { HALF_TOLERANCE, type Trial, type Tunable } from "../gpu/variants.ts";
import { callClass, sizeClass } from "./call_class.ts";
import { cast } from "./cast.ts";
import { lanesOf, MOST_ROUNDS, rectangle } from "./launch.ts";
import { texels } from "./texels.ts";

const KERNELS = {
  rows: new Kernel("attention", rows),
  shared: new Kernel("attention_shared", shared),
};

/** Queries, or keys, that one invocation owns (`rows`), or one workgroup (`shared`). */
interface Block {
  kind: keyof typeof KERNELS;
  rows: number;
}

const BLOCKS = {
  // For a processor, and for heads that are too large for workgroup memory.
  "rows-4": { kind: "rows", rows: 4 },
  "rows-8": { kind: "rows", rows: 8 },
  // For a GPU.
  "shared-32": { kind: "shared", rows: 32 },
  "shared-64": { kind: "shared", rows: 64 },
} satisfies Record<string, Block>;

/** Queries, or keys, that one invocation owns, or that one workgroup shares. */
export type AttentionVariant = keyof typeof BLOCKS;

/** All of them. */
export const ATTENTION_VARIANTS = Object.keys(BLOCKS) as readonly AttentionVariant[];

/** A call as variants are chosen by it. */
export interface AttentionCall {
  /** The output and its statistics, or the gradient of qkv. */
  pass: "forward" | "backward";
  /** B. */
  batch: number;
  /** NH. */
  heads: number;
  /** T. */
  time: number;
  /** HS. */
  headSize: number;
  /** Each place sees itself and what came before. */
  causal: boolean;
  /** Something is added to the scores. */
  hasMask: boolean;
  /** Weights of the pattern are dropped. */
  hasDropout: boolean;
  /** qkv, and with it the result, is f16. */
  half: boolean;
}

/** Chunks of four numbers that fit the registers of an invocation, or the sums of a lane. */
const MOST_CHUNKS = 16;

/** How rows of heads lie in textures: so many slices of so many chunks of four numbers. */
export function headRows(headSize: number): {
  slices: number;
  chunks: number;
  layout: { columns: number; stride: number };
} {
  const all = Math.ceil(headSize / 4);
  const slices = Math.ceil(all / MOST_CHUNKS);
  const chunks = Math.ceil(all / slices);
  return { slices, chunks, layout: { columns: headSize, stride: slices * chunks } };
}

/** Texels from row to row in workgroup memory: odd, so that rows begin in different banks. */
const oddStride = (chunks: number): number => chunks + 1 - chunks % 2;

/** Others that a workgroup looks at together, and lanes that share a block of four rows. */
const [OTHERS, TEAM] = [32, 8];

/** Bytes of workgroup memory: own rows, in the backward pass of two kinds, others, pattern, statistics. */
function sharedBytes({ rows }: Block, { pass, headSize }: AttentionCall): number {
  const stride = oddStride(headRows(headSize).chunks);
  const kinds = pass === "forward" ? 1 : 2;
  return 16 * (kinds * rows * stride + OTHERS * stride + rows * TEAM + rows / 4 * TEAM);
}

/** Whether there is a variant of this name, and it can do such a call on this device. */
export function fits(name: string, call: AttentionCall, device: Device): name is AttentionVariant {
  if (!Object.hasOwn(BLOCKS, name)) return false;
  const block: Block = BLOCKS[name as AttentionVariant];
  const inOneSlice = headRows(call.headSize).slices === 1;
  if (block.kind === "rows") return block.rows === 4 || inOneSlice;
  return inOneSlice &&
    sharedBytes(block, call) <= device.raw.limits.maxComputeWorkgroupStorageSize;
}

/**
 * Whether an invocation should own eight rows: it fetches half as often, but twice as much code of it takes
 * three times as long to compile (heads of 64 on Mesa 25: 22 s of processor time, beside 8 s), which
 * only long sequences earn back.
 */
const paysForEight = ({ time, headSize }: AttentionCall): boolean =>
  time >= Math.max(128, 2 * headRows(headSize).chunks ** 2);

/** The variant of the table that ships: what runs where nobody has measured. */
export function shipped(device: Device, call: AttentionCall): AttentionVariant {
  if (!device.isCpu) return fits("shared-32", call, device) ? "shared-32" : "rows-4";
  return paysForEight(call) && fits("rows-8", call, device) ? "rows-8" : "rows-4";
}

/**
 * The class of a call, whose calls share a variant: heads of all sequences and their length up to the
 * next power of two, the head's size, what is hidden or dropped.
 */
export function classOf(call: AttentionCall): string {
  const sizes = [sizeClass(call.batch * call.heads), sizeClass(call.time), call.headSize];
  return callClass(`attention ${call.pass}`, sizes, [
    call.causal && "causal",
    call.hasMask && "mask",
    call.hasDropout && "dropout",
    call.half && "f16",
  ]);
}

/** What a tuner needs to compare the variants of a call. */
export function tunable(device: Device, call: AttentionCall, usual: AttentionVariant): Tunable {
  const { pass, batch, heads, time, headSize, causal, hasMask, half } = call;
  const dtype = half ? "f16" : "f32";
  // Eight rows in registers are for a processor, whose registers overflow into its cache either way.
  const candidates = ATTENTION_VARIANTS.filter((name) => {
    if (name === usual || !fits(name, call, device)) return false;
    if (name === "rows-8") return device.isCpu && paysForEight(call);
    return !device.isCpu || BLOCKS[name].kind === "rows";
  });
  const pairs = batch * heads * (causal ? time * (time + 1) / 2 : time * time);
  const prepare: Tunable["prepare"] = (device, random): Trial => {
    const { layout } = headRows(headSize);
    const row = 4 * layout.stride;
    const inTexture = (slot: number, parts: number) =>
      texels(cast(random([batch * time * parts * heads, row]), dtype), slot).texture;
    const rows = batch * time * (pass === "forward" ? 1 : 3) * heads;
    const result = device.zeros([rows, row], dtype);
    const statistics = [batch, heads, time];
    // The forward pass writes this; the backward pass needs some number.
    const logSumExp = random(statistics);
    const tensors: AttentionTensors = {
      qkv: inTexture(0, 3),
      mask: hasMask ? random([time]) : device.nothing,
      log_sum_exp: logSumExp,
      result,
      ...pass === "backward"
        ? { outs: inTexture(1, 1), d_outs: inTexture(2, 1), delta: device.zeros(statistics) }
        : {},
    };
    const uniforms = {
      scale: 1 / Math.sqrt(headSize),
      ...{ mask_batch: 0, mask_head: 0, mask_query: 0 },
      ...{ probability: 0.1, place: 0, step: 0, seed: 0 },
    };
    return {
      outputs: pass === "forward" ? [result, logSumExp] : [result],
      run: (variant) => launch(device, variant as AttentionVariant, { call, tensors, uniforms }),
    };
  };
  const products = pass === "forward" ? 2 : 5;
  const flops = 2 * products * pairs * headSize;
  return { candidates, flops, prepare, tolerance: half ? HALF_TOLERANCE : undefined };
}

/** What the shaders bind, by their names; the backward pass alone has `outs`, `d_outs` and `delta`. */
export type AttentionTensors = DispatchArguments["bindings"];

/** Records one call by one variant. */
export function launch(
  device: Device,
  name: AttentionVariant,
  { call, tensors, uniforms }: {
    call: AttentionCall;
    tensors: AttentionTensors;
    uniforms: Record<string, number>;
  },
): void {
  const { pass, batch, heads, time, causal, hasMask, hasDropout } = call;
  const block: Block = BLOCKS[name];
  const { overrides, sizes, workgroups } = block.kind === "rows"
    ? launchRows(device, block, call)
    : launchShared(block, call);
  const args = {
    bindings: tensors,
    uniforms: { batch, heads, time, ...sizes, ...uniforms },
    overrides: { causal, has_mask: hasMask, has_dropout: hasDropout, ...overrides },
    workgroups,
  };
  const kernel = KERNELS[block.kind];
  // The gradients of the keys need what that of the queries leaves in delta.
  for (const entry of pass === "forward" ? ["forward"] : ["queries", "keys"]) {
    device.dispatch(kernel, entry, args);
  }
}

/** Heads along x, blocks of time along y, slices along z. */
function launchRows(device: Device, { rows }: Block, call: AttentionCall) {
  const { batch, heads, time, headSize } = call;
  const { slices, chunks } = headRows(headSize);
  // Four others a round; of heads in slices two products are loops of their own.
  const rounds = slices === 1 ? 1 : 1 + 2 * slices;
  const most = 4 * Math.floor(MOST_ROUNDS / rounds);
  if (device.isCpu && time > most) {
    throw new VitrailError(
      `Cannot attend over ${time} positions with heads of ${headSize} on ${device.description}: ` +
        `it can be ${most} at most; shorten the sequences`,
    );
  }
  // Lanes of a vector work on different heads, which walk equally far; with few heads some work on
  // different places.
  const lanes = lanesOf(device);
  const blocks = Math.ceil(time / rows);
  const [lanesX, lanesY] = rectangle(lanes, batch * heads, blocks);
  return {
    overrides: { chunks, slices, wide: rows === 8, lanes },
    sizes: { lanes_x: lanesX },
    workgroups: [Math.ceil(batch * heads / lanesX), Math.ceil(blocks / lanesY), slices] as const,
  };
}

/** Heads along x, blocks of time along y. */
function launchShared({ rows }: Block, { batch, heads, time, headSize }: AttentionCall) {
  const { chunks } = headRows(headSize);
  return {
    overrides: { chunks, teams: rows / 4, stride: oddStride(chunks) },
    sizes: {},
    workgroups: [batch * heads, Math.ceil(time / rows), 1] as const,
  };
}
