/**
 * Matrix multiplication: one function over a family of tiles, chosen by shape and adapter.
 *
 * @module
 */
import row from "../../shaders/matmul_row.wgsl" with { type: "text" };
import shared from "../../shaders/matmul_shared.wgsl" with { type: "text" };
import texelTiles from "../../shaders/matmul_texels.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { DispatchArguments } from "../gpu/commands.ts";
import { both, lanesOf, perElement, rectangle } from "./launch.ts";
import { texels } from "./texels.ts";

/** The variants of the family: for one row or a few, for a GPU, for a processor. */
export type MatmulVariant = "row" | "shared" | "texels";

const KERNELS: Record<MatmulVariant, Kernel> = {
  row: new Kernel("matmul_row", row),
  shared: new Kernel("matmul_shared", shared),
  texels: new Kernel("matmul_texels", texelTiles),
};

/** How the operands lie and what is added to their product. */
export interface MatmulOptions {
  /** `a` is stored (K, M). */
  transposeA?: boolean;
  /** `b` is stored (N, K). */
  transposeB?: boolean;
  /** A row of N numbers added to every row. */
  bias?: Tensor;
  /** Where the product goes, in its type; a new tensor (M, N) of the type of `a` if absent. */
  out?: Tensor;
  /** Add to what `out` holds in place of overwriting it. */
  accumulate?: boolean;
  /** Overrides the choice of variant. */
  variant?: MatmulVariant;
}

/**
 * `out = op(a) · op(b) [+ bias] [+ out]`, with op(a) (M, K) and op(b) (K, N).
 *
 * Leading dimensions of `a` count as rows, so (B, T, K) times (K, N) is (B, T, N).
 *
 * @throws {VitrailError} if the inner dimensions differ.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, bias, accumulate = false } = options;
  const last = a.shape.at(-1)!;
  const leading = a.size / last;
  const [m, k] = transposeA ? [last, leading] : [leading, last];
  const bLast = b.shape.at(-1)!;
  const [bk, n] = transposeB ? [bLast, b.size / bLast] : [b.size / bLast, bLast];
  if (k !== bk) {
    throw new VitrailError(
      `Cannot multiply (${a.shape.join(", ")})${transposeA ? "ᵀ" : ""} by ` +
        `(${b.shape.join(", ")})${transposeB ? "ᵀ" : ""}: ` +
        `inner dimensions must match, got ${k} and ${bk}`,
    );
  }
  if (bias && bias.size !== n) {
    throw new VitrailError(`Cannot add a bias of ${bias.size} to rows of ${n}: sizes must match`);
  }
  if (accumulate && !options.out) {
    throw new VitrailError(
      "Cannot accumulate a product: `out` is absent, wanted a tensor to add to",
    );
  }
  if (transposeA && options.variant === "row") {
    throw new VitrailError(
      "Cannot multiply by rows: `a` is transposed, which this variant cannot read",
    );
  }
  const shape = transposeA ? [m, n] : [...a.shape.slice(0, -1), n];
  const out = options.out ?? a.device.tensor(shape, a.dtype);
  if (out.size !== m * n) {
    throw new VitrailError(
      `Cannot write a (${m}, ${n}) product into (${out.shape.join(", ")}): sizes must match`,
    );
  }
  const few = m <= 4 && !transposeA && ![a, b, out].some(({ dtype }) => dtype === "f16");
  const launch = LAUNCHES[options.variant ?? chooseVariant(few, a.device.isCpu)];
  launch({ a, b, bias: bias ?? a.device.nothing, out }, { m, n, k }, {
    transpose_a: transposeA,
    transpose_b: transposeB,
    has_bias: bias !== undefined,
    accumulate,
  });
  return out;
}

type Operands = Record<"a" | "b" | "bias" | "out", Tensor>;
type Sizes = Record<"m" | "n" | "k", number>;
type Flags = Record<"transpose_a" | "transpose_b" | "has_bias" | "accumulate", boolean>;

const LAUNCHES: Record<MatmulVariant, (x: Operands, sizes: Sizes, flags: Flags) => void> = {
  row({ a, b, bias, out }, { m, n, k }, { transpose_a: _, ...flags }) {
    const launch = perElement(a.device, Math.ceil(n / 4), m);
    a.device.dispatch(KERNELS.row, n % 4 || k % 4 ? "forward_odd" : "forward", {
      bindings: both({ a, b, bias, out }),
      uniforms: { m, n, k },
      ...launch,
      overrides: { ...flags, ...launch.overrides },
    });
  },
  shared(bindings, { m, n, k }, overrides) {
    bindings.a.device.dispatch(KERNELS.shared, "forward", {
      bindings,
      uniforms: { m, n, k },
      overrides,
      workgroups: [Math.ceil(n / 64), Math.ceil(m / 64)],
    });
  },
  texels({ a, b, bias, out }, { m, n, k }, flags) {
    const [left, right] = [texels(a, 0), texels(b, 1)];
    const [across, down] = [Math.ceil(n / 16), Math.ceil(m / 16)];
    const lanes = lanesOf(a.device);
    const [lanesX, lanesY] = rectangle(lanes, across, down);
    const args: DispatchArguments = {
      bindings: { a: left.texture, b: right.texture, ...both({ bias, out }) },
      uniforms: { m, n, k, a_stride: left.stride, b_stride: right.stride },
      overrides: { ...flags, odd_k: k % 4 !== 0, lanes_x: lanesX, lanes },
      workgroups: [Math.ceil(across / lanesX), Math.ceil(down / lanesY)],
    };
    a.device.dispatch(KERNELS.texels, n % 4 === 0 ? "forward" : "forward_odd", args);
  },
};

function chooseVariant(few: boolean, isCpu: boolean): MatmulVariant {
  if (few) return "row";
  return isCpu ? "texels" : "shared";
}
