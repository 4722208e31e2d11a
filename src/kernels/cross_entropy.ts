/**
 * Softmax cross-entropy fused with its mean.
 *
 * @module
 */
import source from "../../shaders/cross_entropy.wgsl" with { type: "text" };
import { VitrailError } from "../errors.ts";
import { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { both, lanesOf, lanesSharing, perRow } from "./launch.ts";

const kernel = new Kernel("cross_entropy", source);

/** Rows with this target do not count, as in PyTorch. */
export const IGNORE_INDEX = -100;

/** What the forward pass leaves for the backward pass. */
export interface CrossEntropyResult {
  /** (mean loss, number of rows that count); the mean over no rows is 0. */
  result: Tensor;
  /** Loss of each row; zero where ignored. */
  losses: Tensor;
  /** log Σ exp of each row of logits. */
  logSumExp: Tensor;
}

/** Mean cross-entropy of logits (…, V) against targets (…), in nats. */
export function crossEntropy(logits: Tensor, targets: Tensor): CrossEntropyResult {
  const { device } = logits;
  const rows = targets.size;
  const saved = {
    losses: device.tensor([rows]),
    logSumExp: device.tensor([rows]),
    result: device.tensor([2]),
  };
  crossEntropyRows(logits, targets, saved);
  crossEntropyMean(targets, saved);
  return saved;
}

/** The loss of each row, and its log Σ exp, of logits (…, V) against targets (…). */
export function crossEntropyRows(
  logits: Tensor,
  targets: Tensor,
  out: Pick<CrossEntropyResult, "losses" | "logSumExp">,
): void {
  const [columns, rows] = [logits.shape.at(-1)!, targets.size];
  if (logits.size !== rows * columns) {
    throw new VitrailError(
      `Cannot compare logits (${
        logits.shape.join(", ")
      }) with ${rows} targets: wanted one for each row`,
    );
  }
  logits.device.dispatch(kernel, "forward", {
    bindings: { logits, targets, losses: out.losses, log_sum_exp: out.logSumExp },
    uniforms: { row_count: rows, columns, ignore: IGNORE_INDEX, scale: 0 },
    // A row may begin and end within a vector of four.
    ...perRow(logits.device, rows, { rounds: 2 * (columns / 4 + 2) }),
  });
}

/** (mean of the losses, number of targets that count), into `out.result`. */
export function crossEntropyMean(
  targets: Tensor,
  out: Pick<CrossEntropyResult, "losses" | "result">,
): void {
  targets.device.dispatch(kernel, "mean", {
    bindings: { targets, losses: out.losses, result: out.result },
    ...oneTeam(targets),
  });
}

/** The number of targets that count alone, into the second place of `result`: for gradients ahead of the mean. */
export function countTargets(targets: Tensor, result: Tensor): void {
  targets.device.dispatch(kernel, "count", { bindings: { targets, result }, ...oneTeam(targets) });
}

function oneTeam({ device, size }: Tensor) {
  return {
    uniforms: { row_count: size, columns: 0, ignore: IGNORE_INDEX, scale: 0 },
    overrides: { lanes: lanesSharing(device, size, lanesOf(device)), rows: 1 },
    workgroups: [1] as const,
  };
}

/**
 * The gradient of `scale` times the mean loss with respect to the logits. `dLogits` may be the logits
 * themselves: it then takes their place.
 *
 * @param options.saved.result its second number divides; the first is not looked at
 * @param options.lossScale its first number multiplies as well, where gradients are f16
 */
export function crossEntropyBackward(
  logits: Tensor,
  targets: Tensor,
  options: {
    saved: Pick<CrossEntropyResult, "logSumExp" | "result">;
    scale: number;
    dLogits: Tensor;
    lossScale?: Tensor;
  },
): void {
  const { saved, scale, dLogits, lossScale } = options;
  const { device } = logits;
  const [columns, rows] = [logits.shape.at(-1)!, targets.size];
  const inPlace = dLogits.buffer === logits.buffer;
  const launch = perRow(device, rows, { rounds: columns % 4 === 0 ? columns / 4 : columns });
  device.dispatch(kernel, columns % 4 === 0 ? "backward" : "backward_odd", {
    bindings: {
      // A buffer that is written cannot be bound a second time: something stands in, unread.
      ...both({ logits: inPlace ? device.nothing : logits, d_logits: dLogits }),
      targets,
      log_sum_exp: saved.logSumExp,
      result: saved.result,
      loss_scale: lossScale ?? device.nothing,
    },
    uniforms: { row_count: rows, columns, ignore: IGNORE_INDEX, scale },
    ...launch,
    overrides: {
      ...launch.overrides,
      in_place: inPlace,
      has_loss_scale: lossScale !== undefined,
    },
  });
}
