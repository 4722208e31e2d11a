/**
 * Matrix multiplication: one function over a family of variants, chosen by shape and adapter.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { callClass, sizeClass } from "./call_class.ts";
import type { GeluKind } from "./gelu.ts";
import {
  fits,
  launch,
  type MatmulCall,
  type MatmulVariant,
  shipped,
  tunable,
} from "./matmul_variants.ts";

export type { MatmulVariant };

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
  /** GELU of all that, before it is stored; what GELU is applied to goes into `before`, if that is there. */
  gelu?: { kind: GeluKind; before?: Tensor };
  /** Overrides the choice of variant. */
  variant?: MatmulVariant;
}

/**
 * `out = op(a) · op(b) [+ bias] [+ out]`, or GELU of it, with op(a) (M, K) and op(b) (K, N).
 *
 * Leading dimensions of `a` count as rows, so (B, T, K) times (K, N) is (B, T, N).
 *
 * @throws {VitrailError} if the inner dimensions differ.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, bias, accumulate = false, gelu } = options;
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
  const shape = transposeA ? [m, n] : [...a.shape.slice(0, -1), n];
  const out = options.out ?? a.device.tensor(shape, a.dtype);
  const before = gelu?.before;
  for (const target of before ? [out, before] : [out]) {
    if (target.size === m * n) continue;
    throw new VitrailError(
      `Cannot write a (${m}, ${n}) product into (${target.shape.join(", ")}): sizes must match`,
    );
  }
  const call: MatmulCall = {
    m,
    n,
    k,
    transposeA,
    transposeB,
    accumulate,
    hasBias: bias !== undefined,
    gelu: gelu?.kind,
    hasBefore: before !== undefined,
    ...[a, b, out].some(({ dtype }) => dtype === "f16")
      ? { dtypes: [a.dtype, b.dtype, out.dtype] }
      : {},
  };
  const { variant } = options;
  if (variant !== undefined && !fits(variant, call)) {
    throw new VitrailError(
      `Cannot multiply by ${variant}: it reads no transposed \`a\`, ` +
        "or is divided and knows no bias and no GELU",
    );
  }
  launch(variant ?? choose(a.device, call), { a, b, bias, out, before }, call);
  return out;
}

function choose(device: Device, call: MatmulCall): MatmulVariant {
  const usual = shipped(device, call);
  const found = device.variants.choose(classOf(call), usual, () => tunable(device, call, usual));
  return fits(found, call) ? found : usual;
}

/**
 * The class of a product, whose calls share a variant: sizes up to the next power of two, how the
 * operands lie, whether there is something to add to, and what follows.
 */
export function classOf({ m, n, k, ...call }: MatmulCall): string {
  return callClass("matmul", [m, n, k].map(sizeClass), [
    call.transposeA && "a-transposed",
    call.transposeB && "b-transposed",
    call.accumulate && "accumulates",
    call.hasBias && "bias",
    call.gelu && `gelu-${call.gelu}`,
    call.hasBefore && "before",
    (n % 4 !== 0 || k % 4 !== 0) && "odd",
    call.dtypes?.join("-"),
  ]);
}
