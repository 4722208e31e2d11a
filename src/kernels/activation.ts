/**
 * The nonlinearities of MLPs: GELU by its own kernel, all others by one, a case each.
 *
 * @module
 */
import source from "../../shaders/activation.wgsl" with { type: "text" };
import type { ActivationName } from "../formats/activations.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { gelu, geluBackward, type GeluKind } from "./gelu.ts";
import { fours, perElement } from "./launch.ts";

const kernel = new Kernel("activation", source);

/** The functions of the shader, in the order of its cases. */
const CASES = [
  "relu",
  "relu2",
  "relu6",
  "leaky_relu",
  "silu",
  "hardswish",
  "mish",
  "sigmoid",
  "tanh",
  "laplace",
  "quick_gelu",
  "sqrtsoftplus",
  "gelu_10",
] as const satisfies readonly Exclude<ActivationName, "gelu" | "gelu_new" | "linear">[];

/** A nonlinearity: a GELU, which products can have behind them, or one that takes a dispatch of its own. */
export type ActivationKind =
  | { gelu: GeluKind }
  | { other: Exclude<ActivationName, "gelu" | "gelu_new"> };

/** The nonlinearity of a configuration, as kernels know it. */
export function kindOf(activation: ActivationName): ActivationKind {
  if (activation === "gelu") return { gelu: "erf" };
  if (activation === "gelu_new") return { gelu: "tanh" };
  return { other: activation };
}

/** The nonlinearity of x, of any shape; x itself if it is linear. */
export function activation(
  x: Tensor,
  kind: ActivationKind,
  options: { out?: Tensor } = {},
): Tensor {
  if ("gelu" in kind) return gelu(x, kind.gelu);
  if (kind.other === "linear") return x;
  const out = options.out ?? x.device.tensor(x.shape, x.dtype);
  const { overrides, workgroups } = perElement(x.device, fours(x));
  x.device.dispatch(kernel, "forward", {
    bindings: { x, out },
    uniforms: { fours: fours(x) },
    overrides: { ...overrides, kind: CASES.indexOf(kind.other) },
    workgroups,
  });
  return out;
}

/** Writes or adds `f'(x)·dOut` into `dX`, of a nonlinearity that is not linear. */
export function activationBackward(
  x: Tensor,
  dOut: Tensor,
  options: { kind: ActivationKind; dX: Tensor; accumulate: boolean },
): void {
  const { kind, dX, accumulate } = options;
  if ("gelu" in kind) return geluBackward(x, dOut, { kind: kind.gelu, dX, accumulate });
  const { overrides, workgroups } = perElement(x.device, fours(x));
  x.device.dispatch(kernel, "backward", {
    bindings: { x, d_out: dOut, d_x: dX },
    uniforms: { fours: fours(x) },
    overrides: {
      ...overrides,
      kind: CASES.indexOf(kind.other as typeof CASES[number]),
      accumulate,
    },
    workgroups,
  });
}
