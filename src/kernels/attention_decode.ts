/**
 * Attention of the newest place to those before it, whose keys and values lie in textures.
 *
 * @module
 */
import source from "../../shaders/attention_decode.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type ScratchTexture, type TexelFormat, TEXELS_PER_ROW } from "../gpu/textures.ts";
import { callClass, sizeClass } from "./call_class.ts";
import { lanesOf, MOST_ROUNDS } from "./launch.ts";
import { clearTexels, texels } from "./texels.ts";
import { chooseWorkgroup, type Workgroup, type WorkgroupTrial } from "./workgroups.ts";

const kernel = new Kernel("attention_decode", source);

/** Sizes of a cache. */
export interface DecodeCacheSize {
  /** Layers. */
  layers: number;
  /** B. */
  batch: number;
  /** NH. */
  heads: number;
  /** HS. */
  headSize: number;
  /** Places. */
  capacity: number;
}

/** What keys and values are kept in; sums are f32 in either case. */
export type CacheFormat = "f32" | "f16";

const TEXELS: Record<CacheFormat, TexelFormat> = { f32: "rgba32float", f16: "rgba16float" };

/** Keys and values of some layers, which live until their textures are released. */
export interface DecodeCache extends DecodeCacheSize {
  /** The keys of a channel are neighbours. */
  keys: ScratchTexture;
  /** The channels of a value are neighbours. */
  values: ScratchTexture;
}

const quadsOf = (headSize: number): number => Math.ceil(headSize / 4);

/**
 * An empty cache. Its capacity grows to a multiple of four. In f16 it takes half the memory, and every
 * key and value is rounded once, to eleven bits; no adapter needs `shader-f16` for that.
 *
 * @throws {VitrailError} if the adapter has no texture of that size
 */
export function decodeCache(
  device: Device,
  size: DecodeCacheSize,
  { format = "f32" }: { format?: CacheFormat } = {},
): DecodeCache {
  const capacity = 4 * Math.ceil(size.capacity / 4);
  const { layers, batch, heads, headSize } = size;
  const texels = layers * batch * heads * quadsOf(headSize) * capacity;
  const [keys, values] = [0, 1].map(() => device.textures.own(texels, TEXELS[format]));
  // What is past the end counts 0 times, and 0 times what another may have left need not be 0.
  for (const used of [keys, values]) if (used.isUsed) clearTexels(device, used);
  return { ...size, capacity, keys, values };
}

/** How many of `size.layers` one cache can hold on this adapter; at least one. */
export function layersThatFit(device: Device, size: DecodeCacheSize): number {
  const { layers, batch, heads, headSize, capacity } = size;
  const layer = batch * heads * quadsOf(headSize) * 4 * Math.ceil(capacity / 4);
  const limit = device.raw.limits.maxTextureDimension2D * TEXELS_PER_ROW;
  return Math.max(1, Math.min(layers, Math.floor(limit / layer)));
}

/** Where sequences of a cache stand, if they are not all at one position or not all in their own rows. */
export interface DecodeRows {
  /** (B) u32: positions that each has filled fewer than `past`. */
  pads?: Tensor;
  /** (B, capacity of the cache) u32: whose keys and values are each one's at a position; their own if absent. */
  rows?: Tensor;
}

function uniformsOf(
  cache: DecodeCache,
  rest: Record<string, number | undefined>,
): Record<string, number> {
  const { batch, heads, headSize, capacity } = cache;
  const scale = rest.scale ?? 1 / Math.sqrt(headSize);
  const none = { sources: batch, time: 1, layer: 0, layers: 1, layer_stride: 0 };
  return { batch, heads, head_size: headSize, capacity, ...none, ...rest, scale };
}

/** Lanes of a workgroup: a head's channels, four to a lane, must find room in it. */
function lanesFor(device: Device, quads: number): number {
  const lanes = lanesOf(device);
  return sizeClass(Math.max(lanes, quads));
}

/** Places in a tile, as in the shader. */
const TILE = 256;

/** The same, of which none makes more rounds over a full cache than it may. */
function lanesForCache(device: Device, { headSize, capacity }: DecodeCacheSize): number {
  const quads = quadsOf(headSize);
  const fours = TILE / 4;
  const rounds = (lanes: number): number => {
    const [scores, mix] = [Math.ceil(fours / lanes), Math.ceil(fours / Math.floor(lanes / quads))];
    const barriers = 2 * Math.log2(lanes);
    return Math.ceil(capacity / TILE) * (1 + scores * (quads + 2) + mix + barriers);
  };
  let lanes = lanesFor(device, quads);
  const most = device.raw.limits.maxComputeInvocationsPerWorkgroup;
  while (rounds(lanes) > MOST_ROUNDS && 2 * lanes <= most) lanes *= 2;
  if (!device.isCpu || rounds(lanes) <= MOST_ROUNDS) return lanes;
  throw new VitrailError(
    `Cannot attend to a cache of ${capacity} positions with heads of ${headSize} on ` +
      `${device.description}: its loops are too short; use a smaller capacity`,
  );
}

/**
 * Writes the keys and values of qkv into the cache, `past` places from its beginning: of all its layers,
 * (layers, at least sources·T·3·C), or of the one that is named, (sources, T, 3·C). Where qkv has fewer
 * sequences (`sources`) than the cache, they are repeated. A cache in f16 takes what is beyond ±65504 as that.
 */
export function decodeAppend(
  qkv: Tensor,
  cache: DecodeCache,
  options: Pick<DecodeRows, "pads"> & {
    past: number;
    sources?: number;
    time?: number;
    layer?: number;
  },
): void {
  const { past, sources = cache.batch, time = 1, layer, pads } = options;
  const { device } = qkv;
  const quads = quadsOf(cache.headSize);
  const layers = layer === undefined ? cache.layers : 1;
  const lanes = lanesFor(device, quads);
  device.dispatch(kernel, "append", {
    bindings: {
      qkv,
      new_keys: cache.keys,
      new_values: cache.values,
      pads: pads ?? device.nothing,
    },
    uniforms: uniformsOf(cache, {
      past,
      sources,
      time,
      layers,
      layer: layer ?? 0,
      layer_stride: layer === undefined ? qkv.size / layers : 0,
    }),
    overrides: {
      quads,
      lanes,
      half: cache.keys.texture.format === TEXELS.f16,
      ragged: pads !== undefined,
    },
    workgroups: [Math.ceil(layers * cache.batch * cache.heads * quads / lanes), time],
  });
}

/**
 * Attention of one query a sequence, in qkv (B, 1, 3·C), to `past` places of a layer of the cache and to its
 * own, which need not be in the cache: (B, 1, C). `scale` is the factor on the scores; 1/√HS if absent.
 * With `pads` a sequence has so many places fewer; with `rows` each of its places may be another sequence's.
 */
export function attentionDecode(
  qkv: Tensor,
  cache: DecodeCache,
  options: DecodeRows & { past: number; layer: number; scale?: number; out?: Tensor },
): Tensor {
  const { device } = qkv;
  const { batch, heads, headSize, capacity } = cache;
  const out = options.out ?? device.tensor([batch, 1, heads * headSize]);
  // By its capacity and not by what it holds, so that all tokens of a text take one path; and a cache in f16
  // takes that of f32, by whose texels it is measured.
  const sizes = [sizeClass(batch * heads), sizeClass(capacity), headSize];
  const [lanes] = chooseWorkgroup(device, callClass("attention_decode", sizes), {
    usual: [lanesForCache(device, cache), 1],
    trial: () => trialOf(device, cache),
  });
  launch(qkv, cache, { ...options, out, lanes });
  return out;
}

/** Records one call with so many lanes to a head. */
function launch(
  qkv: Tensor,
  cache: DecodeCache,
  options: DecodeRows & { past: number; layer: number; scale?: number; out: Tensor; lanes: number },
): void {
  const { past, layer, scale, out, lanes, pads, rows } = options;
  const { batch, heads, headSize } = cache;
  const { device } = qkv;
  device.dispatch(kernel, "forward", {
    bindings: {
      qkv,
      keys: cache.keys,
      values: cache.values,
      out,
      pads: pads ?? device.nothing,
      rows: rows ?? device.nothing,
    },
    uniforms: uniformsOf(cache, { past, layer, scale }),
    overrides: {
      quads: quadsOf(headSize),
      lanes,
      ragged: pads !== undefined,
      indirect: rows !== undefined,
    },
    workgroups: [heads, batch],
  });
}

/** Lanes that a GPU may prefer for a head. */
const OTHERS_ON_GPU: readonly Workgroup[] = [[32, 1], [128, 1], [256, 1]];

/** What a tuner needs to compare workgroups on a cache like this one, half filled. */
function trialOf(
  device: Device,
  { batch, heads, headSize, capacity }: DecodeCache,
): WorkgroupTrial {
  const quads = quadsOf(headSize);
  const count = batch * heads * quads * capacity;
  const past = capacity >> 1;
  return {
    others: device.isCpu ? [] : OTHERS_ON_GPU.filter(([lanes]) => lanes >= quads),
    flops: 4 * batch * heads * headSize * past,
    prepare: (random) => {
      const [keys, values] = [0, 1].map((slot) => texels(random([count, 4]), slot).texture);
      const cache = { layers: 1, batch, heads, headSize, capacity, keys, values };
      const qkv = random([batch, 1, 3 * heads * headSize]);
      const out = device.zeros([batch, 1, heads * headSize]);
      return {
        outputs: [out],
        run: ([lanes]) => launch(qkv, cache, { past, layer: 0, out, lanes }),
      };
    },
  };
}
