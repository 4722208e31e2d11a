/**
 * Matrix multiplication: one function over a family of tiles, chosen by shape and adapter.
 *
 * @module
 */
import registers16 from "../../shaders/matmul_registers_16.wgsl" with { type: "text" };
import registers32 from "../../shaders/matmul_registers_32.wgsl" with { type: "text" };
import row from "../../shaders/matmul_row.wgsl" with { type: "text" };
import shared from "../../shaders/matmul_shared.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** The variants of the family. */
export type MatmulVariant = "registers16" | "registers32" | "row" | "shared";

interface Variant {
  kernel: Kernel;
  /** Rows and columns of `out` that one workgroup covers. */
  tile: readonly [number, number];
}

const VARIANTS: Record<MatmulVariant, Variant> = {
  registers16: { kernel: new Kernel("matmul_registers_16", registers16), tile: [16, 16 * 8] },
  registers32: { kernel: new Kernel("matmul_registers_32", registers32), tile: [32, 32 * 8] },
  row: { kernel: new Kernel("matmul_row", row), tile: [1, 4 * 64] },
  shared: { kernel: new Kernel("matmul_shared", shared), tile: [64, 64] },
};

/** How the operands lie and what is added to their product. */
export interface MatmulOptions {
  /** `a` is stored (K, M). */
  transposeA?: boolean;
  /** `b` is stored (N, K). */
  transposeB?: boolean;
  /** A row of N numbers added to every row. */
  bias?: Tensor;
  /** Where the product goes; a new tensor (M, N) if absent. */
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
  const shape = transposeA ? [m, n] : [...a.shape.slice(0, -1), n];
  const out = options.out ?? a.device.tensor(shape);
  if (out.size !== m * n) {
    throw new VitrailError(
      `Cannot write a (${m}, ${n}) product into (${out.shape.join(", ")}): sizes must match`,
    );
  }
  const chosen = options.variant ?? chooseVariant(m, n, transposeA, a.device.isCpu);
  const { kernel, tile } = VARIANTS[chosen];
  a.device.dispatch(kernel, "forward", {
    bindings: { a, b, bias: bias ?? b, out },
    uniforms: { m, n, k },
    overrides: {
      ...(chosen === "row" ? {} : { transpose_a: transposeA }),
      transpose_b: transposeB,
      has_bias: bias !== undefined,
      accumulate,
    },
    workgroups: [Math.ceil(n / tile[1]), Math.ceil(m / tile[0])],
  });
  return out;
}

function chooseVariant(m: number, n: number, transposeA: boolean, isCpu: boolean): MatmulVariant {
  if (m <= 4 && !transposeA) return "row";
  if (!isCpu) return "shared";
  // The larger tile loads less for each product, but its workgroup spans 32 rows and 256 columns:
  // a smaller result leaves cores idle. Transposed, its loads cost more than they save (measured).
  return m >= 256 && n >= 256 && !transposeA ? "registers32" : "registers16";
}
