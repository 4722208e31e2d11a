/**
 * The variants of matrix multiplication: how each is launched, which one is shipped for a call, and
 * which others are worth a try.
 *
 * @module
 */
import row from "../../shaders/matmul_row.wgsl" with { type: "text" };
import shared from "../../shaders/matmul_shared.wgsl" with { type: "text" };
import texelTiles from "../../shaders/matmul_texels.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { DType, Tensor } from "../gpu/tensor.ts";
import { HALF_TOLERANCE, type Trial, type Tunable } from "../gpu/variants.ts";
import { cast } from "./cast.ts";
import { columnSum } from "./column_sum.ts";
import type { GeluKind } from "./gelu.ts";
import { both, lanesOf, MOST_ROUNDS, perElement, rectangle } from "./launch.ts";
import { texels } from "./texels.ts";

const KERNELS = {
  row: new Kernel("matmul_row", row),
  shared: new Kernel("matmul_shared", shared),
  texels: new Kernel("matmul_texels", texelTiles),
};

/** A tile of `rows` by `columns` numbers of the product. */
interface Tile {
  kind: "texels" | "shared";
  rows: number;
  columns: number;
  /** Parts of the inner dimension that are multiplied side by side, and then added. */
  parts: number;
}

const tile = (kind: Tile["kind"], rows: number, columns: number, parts = 1): Tile => ({
  kind,
  rows,
  columns,
  parts,
});

/** Tiles by name. Those of texels are one invocation's, those of shared memory one workgroup's. */
const TILES = {
  // For a processor.
  "texels": tile("texels", 16, 16),
  "texels-16x8": tile("texels", 16, 8),
  "texels-8x16": tile("texels", 8, 16),
  "texels-8x8": tile("texels", 8, 8),
  "texels-16x4": tile("texels", 16, 4),
  "texels-4x16": tile("texels", 4, 16),
  "texels-in-2": tile("texels", 16, 16, 2),
  // For a GPU.
  "shared": tile("shared", 64, 64),
  "shared-32x32": tile("shared", 32, 32),
  "shared-32x64": tile("shared", 32, 64),
  "shared-64x128": tile("shared", 64, 128),
  "shared-128x64": tile("shared", 128, 64),
  "shared-in-4": tile("shared", 64, 64, 4),
  "shared-in-16": tile("shared", 64, 64, 16),
  "shared-32x32-in-4": tile("shared", 32, 32, 4),
} satisfies Record<string, Tile>;

/** `row` is for one row or a few; `a-by-b` is a tile, `in-n` divides the inner dimension into n parts. */
export type MatmulVariant = "row" | keyof typeof TILES;

/** All of them. */
export const MATMUL_VARIANTS: readonly MatmulVariant[] = [
  "row",
  ...Object.keys(TILES) as (keyof typeof TILES)[],
];

/** A product as variants are chosen by it. */
export interface MatmulCall {
  /** Rows of the product. */
  m: number;
  /** Its columns. */
  n: number;
  /** The inner dimension. */
  k: number;
  /** `a` is stored (K, M). */
  transposeA: boolean;
  /** `b` is stored (N, K). */
  transposeB: boolean;
  /** The product is added to what is there. */
  accumulate: boolean;
  /** A row is added to every row. */
  hasBias: boolean;
  /** GELU is applied to the result. */
  gelu?: GeluKind;
  /** What GELU is applied to is stored as well. */
  hasBefore?: boolean;
  /** Types of `a`, `b` and `out`; absent if all are f32. */
  dtypes?: readonly [a: DType, b: DType, out: DType];
}

/** Whether a product must be made in one piece: parts of it are added by a kernel that does nothing else. */
const isWhole = ({ hasBias, gelu, dtypes }: MatmulCall): boolean =>
  hasBias || gelu !== undefined || dtypes !== undefined;

/** Whether vectors of four cover neither the rows nor the columns of the right side. */
const isOdd = ({ n, k }: MatmulCall): boolean => n % 4 !== 0 || k % 4 !== 0;

/** Rounds of the loops of `row`. */
const rowRounds = (call: MatmulCall): number => isOdd(call) ? call.k * 65 / 64 : call.k / 4;

/** Whether there is a variant of this name, and it can do such a product. */
export function fits(name: string, call: MatmulCall): name is MatmulVariant {
  if (name === "row") return !call.transposeA && !call.dtypes && rowRounds(call) <= MOST_ROUNDS;
  if (!Object.hasOwn(TILES, name)) return false;
  return TILES[name as keyof typeof TILES].parts === 1 || !isWhole(call);
}

/** Fewer workgroups of the usual tile than this leave much of a GPU idle. */
const FEW_GROUPS = 32;
/** Least length of a part of the inner dimension: shorter ones cost more to add than they save. */
const LEAST_PART = 64;

/** The variant of the table that ships: what runs where nobody has measured. */
export function shipped(device: Device, call: MatmulCall): MatmulVariant {
  const { m, n, k } = call;
  if (m <= 4 && fits("row", call)) return "row";
  if (device.isCpu) return "texels";
  if (groups(TILES.shared, call) >= FEW_GROUPS) return "shared";
  // Such as the gradient of a small weight: few numbers, each of many products.
  return !isWhole(call) && k >= 16 * LEAST_PART && k > Math.max(m, n)
    ? "shared-in-16"
    : "shared-32x32";
}

const groups = ({ rows, columns }: Tile, { m, n }: MatmulCall): number =>
  Math.ceil(m / rows) * Math.ceil(n / columns);

/** Rows beyond which nobody need try to multiply them one by one. */
const FEW_ROWS = 16;

/**
 * Whether a tuner should take the time to compile and measure a tile: only where the usual one wastes
 * part of itself or of the adapter.
 */
function isWorthTrying(tile: Tile, call: MatmulCall, kind: Tile["kind"]): boolean {
  const { rows, columns, parts } = tile;
  const { m, n, k } = call;
  if (tile.kind !== kind || (parts > 1 && (k < parts * LEAST_PART || m * n > 65536))) return false;
  if (kind === "texels") {
    if (parts > 1) return groups(tile, call) <= 16;
    // Smaller tiles read more for each number that they compute: they are for a product of so few rows
    // or columns that the usual one would compute many for nothing, or leave lanes idle.
    if (Math.min(m, n) > (Math.min(rows, columns) === 4 ? 8 : 24)) return false;
    const isWaste = (side: number, size: number): boolean => side > 4 && side >= 2 * size;
    return !isWaste(rows, m) && !isWaste(columns, n);
  }
  const usual = groups(TILES.shared, call);
  if (rows * columns > 64 * 64) return usual >= 8 * FEW_GROUPS;
  return rows * columns === 64 * 64 && parts === 1 || usual < 8 * FEW_GROUPS;
}

/** What a tuner needs to compare the variants of a product. */
export function tunable(device: Device, call: MatmulCall, usual: MatmulVariant): Tunable {
  const { m, n, k, transposeA, transposeB, hasBias, hasBefore } = call;
  const kind = device.isCpu ? "texels" : "shared";
  const candidates = MATMUL_VARIANTS.filter((name) =>
    name !== usual && fits(name, call) &&
    (name === "row" ? m <= FEW_ROWS : isWorthTrying(TILES[name], call, kind))
  );
  const [ofA, ofB, ofOut] = call.dtypes ?? ["f32", "f32", "f32"];
  const prepare: Tunable["prepare"] = (device, random): Trial => {
    const a = cast(random(transposeA ? [k, m] : [m, k]), ofA);
    const b = cast(random(transposeB ? [n, k] : [k, n]), ofB);
    const bias = hasBias ? random([n]) : undefined;
    const out = device.zeros([m, n], ofOut);
    const before = hasBefore ? device.zeros([m, n], ofOut) : undefined;
    return {
      outputs: before ? [out, before] : [out],
      run: (variant) => launch(variant as MatmulVariant, { a, b, bias, out, before }, call),
    };
  };
  const tolerance = ofOut === "f16" ? HALF_TOLERANCE : undefined;
  return { candidates, flops: 2 * m * n * k, tolerance, prepare };
}

/** Tensors of one product. */
export interface MatmulOperands {
  /** op(a) is (M, K). */
  a: Tensor;
  /** op(b) is (K, N). */
  b: Tensor;
  /** (N). */
  bias?: Tensor;
  /** (M, N). */
  out: Tensor;
  /** (M, N). */
  before?: Tensor;
}

/** Records one product by one variant. */
export function launch(name: MatmulVariant, operands: MatmulOperands, call: MatmulCall): void {
  if (name === "row") launchRow(operands, call);
  else launchTile(TILES[name], operands, call);
}

/** Overrides that all kernels know. */
function flagsOf({ transposeB, hasBias, accumulate, gelu, hasBefore = false }: MatmulCall) {
  return {
    transpose_b: transposeB,
    has_bias: hasBias,
    accumulate,
    gelu: gelu !== undefined,
    exact: gelu === "erf",
    has_before: hasBefore,
  };
}

function launchRow(
  { a, b, bias = b.device.nothing, out, before = b.device.nowhere }: MatmulOperands,
  call: MatmulCall,
): void {
  const { m, n, k } = call;
  const { overrides, workgroups } = perElement(a.device, Math.ceil(n / 4), m);
  a.device.dispatch(KERNELS.row, isOdd(call) ? "forward_odd" : "forward", {
    bindings: both({ a, b, bias, out, before }),
    uniforms: { m, n, k },
    overrides: { ...flagsOf(call), ...overrides },
    workgroups,
  });
}

function launchTile(tile: Tile, operands: MatmulOperands, call: MatmulCall): void {
  const { m, n, k, accumulate } = call;
  const { device } = operands.a;
  // Tiles of texels go through the inner dimension by fours.
  const least = tile.kind === "texels" ? Math.ceil(k / (4 * MOST_ROUNDS)) : 1;
  if (Math.max(tile.parts, least) === 1) return launchPart(tile, operands, call, k);
  if (isWhole(call)) {
    throw new VitrailError(
      `Cannot multiply with an inner dimension of ${k} on ${device.description}, and add a bias, apply ` +
        `GELU or use f16: it can be ${4 * MOST_ROUNDS} at most then; use smaller batches`,
    );
  }
  const part = Math.ceil(k / Math.max(tile.parts, least) / 16) * 16;
  const parts = device.tensor([Math.ceil(k / part), m * n]);
  launchPart(tile, { ...operands, out: parts }, { ...call, accumulate: false }, part);
  columnSum(parts, operands.out, { accumulate });
  device.pool.release(parts.buffer);
}

/** Products over parts of `part` numbers of the inner dimension, one after the other in `out`. */
function launchPart(
  { kind, rows, columns }: Tile,
  { a, b, bias = b.device.nothing, out, before = b.device.nowhere }: MatmulOperands,
  call: MatmulCall,
  part: number,
): void {
  const { device } = a;
  const { m, n, k } = call;
  const z = Math.ceil(k / part);
  const flags = { ...flagsOf(call), transpose_a: call.transposeA };
  const [across, down] = [Math.ceil(n / columns), Math.ceil(m / rows)];
  if (kind === "shared") {
    device.dispatch(KERNELS.shared, "forward", {
      bindings: { a, b, bias, out, before },
      uniforms: { m, n, k, k_part: part },
      overrides: { ...flags, lanes_x: columns / 8, lanes_y: rows / 8 },
      workgroups: [across, down, z],
    });
    return;
  }
  const [left, right] = [texels(a, 0), texels(b, 1)];
  const lanes = lanesOf(device);
  const [lanesX, lanesY] = rectangle(lanes, across, down);
  device.dispatch(KERNELS.texels, n % 4 === 0 ? "forward" : "forward_odd", {
    bindings: { a: left.texture, b: right.texture, ...both({ bias, out, before }) },
    uniforms: {
      m,
      n,
      k,
      k_part: part,
      a_stride: left.stride,
      b_stride: right.stride,
      lanes_x: lanesX,
    },
    overrides: {
      ...flags,
      odd_k: k % 4 !== 0,
      strips: rows / 4,
      blocks: columns / 4,
      lanes,
    },
    workgroups: [Math.ceil(across / lanesX), Math.ceil(down / lanesY), z],
  });
}
