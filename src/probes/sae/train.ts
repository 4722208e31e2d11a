/**
 * Training a TopK sparse autoencoder (Gao et al. 2024, arXiv:2406.04093, section 2 and appendix A).
 *
 * The loss is the mean squared error, and for features that no longer fire AuxK (their section 2.4):
 * the k_aux most active of them have to explain what is left, ‖(x - x̂) - ê‖²/32, by which they come back.
 *
 * @module
 */
import {
  checkOptions,
  count,
  countOrNone,
  notNegative,
  seedRule,
} from "../../formats/option_rules.ts";
import { pointwiseLoss } from "../../autograd/ops/pointwise_loss.ts";
import { linear } from "../../autograd/ops/linear.ts";
import { topK } from "../../autograd/ops/top_k.ts";
import { Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import type { Device } from "../../gpu/device.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { add } from "../../kernels/add.ts";
import { readColumns } from "../../kernels/columns.ts";
import { updateAges } from "../../kernels/top_k.ts";
import { normalizeRows, projectRows } from "../../kernels/unit_rows.ts";
import { normals } from "../../models/initialize.ts";
import { AdamW } from "../../optim/adamw.ts";
import { SparseAutoencoder } from "./sparse_autoencoder.ts";
import type { RowSource } from "./row_buffer.ts";

/** How an autoencoder is trained. */
export interface SaeTrainingOptions {
  /** F. */
  features: number;
  /** Features that an activation may have at once. */
  k: number;
  /** Updates. */
  steps: number;
  /** Activations in each; default 1024. */
  batch?: number;
  /** The highest learning rate; 2e-4/√(F/2¹⁴) if absent, which falls with F as Gao et al. find best. */
  learningRate?: number;
  /** Activations after which a feature that did not fire counts as dead; default 50,000. */
  deadAfter?: number;
  /** Weight of AuxK; default 1/32, 0 does without. */
  auxiliary?: number;
  /** Decides the first directions. */
  seed?: number;
  /** The hook point, for the file. */
  hook?: string;
  /** Goes on with this one, which is changed, in place of random directions. */
  from?: SparseAutoencoder;
  /** Stops early; what was learnt so far is returned. */
  signal?: AbortSignal;
  /** Steps between two reports; default 25. */
  reportEvery?: number;
  /** Told how far it is. */
  onReport?: (report: SaeReport) => void;
}

/** Where training stands. */
export interface SaeReport {
  /** Steps done. */
  step: number;
  /** Mean squared error since the last report, with the variance of the activations as 1. */
  loss: number;
  /** Features that did not fire for `deadAfter` activations. */
  dead: number;
}

/** Activations that are looked at before training, for their mean and their size. */
const SAMPLE = 4096;
/** Part of the steps in which the learning rate rises, and in which it falls. */
const [WARMUP, COOLDOWN] = [0.05, 0.2];

/**
 * Trains an autoencoder on rows as they come.
 *
 * @throws {VitrailError} if a size makes no sense, the rows do not vary, or the loss is no number any more
 */
export async function trainSparseAutoencoder(
  rows: RowSource,
  options: SaeTrainingOptions,
): Promise<SparseAutoencoder> {
  const { k, features, steps, batch = 1024, deadAfter = 50_000, seed = 0, hook = "" } = options;
  const { auxiliary = 1 / 32, reportEvery = 25, onReport } = options;
  const numbers = { k, features, steps, batch, deadAfter, auxiliary, reportEvery, seed };
  checkOptions("Cannot train an autoencoder", numbers, {
    k: count,
    features: count,
    steps: countOrNone,
    batch: count,
    deadAfter: countOrNone,
    auxiliary: notNegative,
    reportEvery: count,
    seed: seedRule,
  });
  const peak = options.learningRate ?? 2e-4 / Math.sqrt(features / 2 ** 14);
  const { mean, size, device } = await survey(rows, batch);
  const config = { channels: rows.columns, features, k, hook };
  using made = new DisposableStack();
  const sae = options.from ?? made.use(beginning(device, config, { mean, seed }));
  await scaleBiases(sae, 1 / size);
  using owned = device.detachedScope();
  const age = owned.run(() => device.zeros([features], "u32"));
  using optimizer = new AdamW(sae.parameters, { weightDecay: 0, betas: [0.9, 0.999] });
  const auxiliaryK = Math.max(1, Math.floor(rows.columns / 2));
  let dead = 0;
  let losses: Tensor[] = [];
  /** Records one step; its loss outlives it. */
  const record = (step: number): Tensor => {
    using scope = device.scope();
    const x = readColumns(rows.next(batch), rows.columns, { factor: 1 / size });
    const run = new Run(device, { record: true });
    const before = sae.preactivations(run, x);
    const z = topK(run, before, { k });
    const out = sae.decode(run, z);
    const roots = [pointwiseLoss(run, out, { targets: x, kind: "squared" })];
    updateAges(z, age);
    if (dead > 0 && auxiliary > 0) {
      const old = { age, limit: deadAfter };
      const revived = topK(run, before, { k: Math.min(auxiliaryK, dead), old });
      const left = add(x, readColumns(out, rows.columns, { factor: -1 }));
      const more = linear(run, revived, { weight: sae.decoder });
      roots.push(
        pointwiseLoss(run, more, { targets: left, kind: "squared", scale: auxiliary }),
      );
    }
    run.tape!.backward(roots);
    projectRows(sae.decoder.gradient, sae.decoder);
    optimizer.step(peak * shapeOf((step + 0.5) / steps));
    normalizeRows(sae.decoder);
    optimizer.clearGradients();
    return scope.keep(roots[0]);
  };
  for (let step = 0; step < steps && !options.signal?.aborted; step++) {
    losses.push(owned.run(() => record(step)));
    if (losses.length < reportEvery && step + 1 < steps) continue;
    const [ages, ...found] = await device.read(age, ...losses);
    losses.forEach(({ buffer }) => device.pool.release(buffer));
    dead = (ages as Uint32Array).reduce((sum, a) => sum + (a >= deadAfter ? 1 : 0), 0);
    const loss = found.reduce((sum, [l]) => sum + l, 0) / found.length;
    if (!Number.isFinite(loss)) {
      throw new VitrailError(
        `Cannot go on training a sparse autoencoder: at step ${step + 1} its loss is ${loss}; ` +
          "use a lower learning rate, and see that the model's activations are finite",
      );
    }
    losses = [];
    onReport?.({ step: step + 1, loss, dead });
  }
  await scaleBiases(sae, size);
  made.move(); // to the caller
  return sae;
}

/** Rises from 0 to 1, stays there, and falls to 0 at the end. */
function shapeOf(part: number): number {
  return Math.min(1, part / WARMUP, (1 - part) / COOLDOWN);
}

/** The mean of some rows, and the root of the mean square of a number about it. */
async function survey(
  rows: RowSource,
  batch: number,
): Promise<{ mean: Float64Array; size: number; device: Device }> {
  const { columns } = rows;
  const mean = new Float64Array(columns);
  const squares = new Float64Array(columns);
  let count = 0;
  let device: Device;
  do {
    const tensor = rows.next(batch);
    device = tensor.device;
    using scope = device.detachedScope();
    const numbers = await scope.adopt(tensor).read();
    numbers.forEach((v, i) => {
      mean[i % columns] += v;
      squares[i % columns] += v * v;
    });
    count += batch;
  } while (count < SAMPLE);
  mean.forEach((sum, c) => mean[c] = sum / count);
  const variance = squares.reduce((sum, s, c) => sum + s / count - mean[c] ** 2, 0) / columns;
  if (!(variance > 0 && variance < Infinity)) {
    throw new VitrailError(
      `Cannot train a sparse autoencoder on ${count} activations whose variance is ${variance}: ` +
        "wanted finite ones that differ",
    );
  }
  return { mean, size: Math.sqrt(variance), device };
}

/**
 * Random directions, an encoder that looks along them (the transpose, Gao et al., appendix A.1), and biases
 * that take the mean away and put it back.
 */
function beginning(
  device: Device,
  config: SparseAutoencoder["config"],
  { mean, seed }: { mean: Float64Array; seed: number },
): SparseAutoencoder {
  const { channels: C, features: F } = config;
  const decoder = normals(F * C, { deviation: 1, seed, name: "W_dec" });
  const encoder = new Float32Array(C * F);
  const encoderBias = new Float32Array(F);
  for (let f = 0; f < F; f++) {
    const direction = decoder.subarray(f * C, (f + 1) * C);
    const length = Math.hypot(...direction);
    direction.forEach((v, c) => {
      direction[c] = encoder[c * F + f] = v / length;
      encoderBias[f] -= direction[c] * mean[c];
    });
  }
  const parts: Record<string, Float32Array<ArrayBuffer>> = {
    W_enc: encoder,
    b_enc: encoderBias,
    W_dec: decoder,
    b_dec: Float32Array.from(mean),
  };
  return new SparseAutoencoder(device, config, (name) => parts[name]);
}

/**
 * An autoencoder of x as one of a·x: TopK(a·x) = a·TopK(x), so that the biases alone are multiplied.
 * Training sees numbers about 1, whatever the size of the activations.
 */
async function scaleBiases({ device, ...sae }: SparseAutoencoder, factor: number): Promise<void> {
  const biases = [sae.encoderBias, sae.decoderBias];
  const numbers = await device.read(...biases) as Float32Array<ArrayBuffer>[];
  biases.forEach((bias, i) => device.write(bias, numbers[i].map((v) => v * factor)));
}
