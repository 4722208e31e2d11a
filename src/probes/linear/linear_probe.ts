/**
 * Linear probes: softmax regressions from activations to labels (Alain & Bengio 2016, arXiv:1610.01644).
 *
 * P(label = k | x) = softmax(x·W + b)ₖ, with W (C, K) and b (K) that minimize the mean cross-entropy.
 *
 * @module
 */
import type { Parameter } from "../../autograd/parameter.ts";
import { crossEntropy } from "../../autograd/ops/cross_entropy.ts";
import { linear } from "../../autograd/ops/linear.ts";
import { Run } from "../../autograd/run.ts";
import { randomOf, shuffle } from "../../data/random.ts";
import { VitrailError } from "../../errors.ts";
import { checkOptions, count, notNegative, seedRule } from "../../formats/option_rules.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { gatherRows } from "../../kernels/gather_rows.ts";
import { matmul } from "../../kernels/matmul.ts";
import { freshWeights, ParameterList } from "../../models/weights.ts";
import { AdamW } from "../../optim/adamw.ts";

/** What one probe learns. */
export interface ProbeTask {
  /** (N, C) on the device. Tasks may share them. */
  features: Tensor;
  /** A label for each row (N). */
  labels: ArrayLike<number>;
  /** Number of labels, K. */
  classes: number;
}

/** How probes are trained. */
export interface ProbeTraining {
  /** Updates; default 1000. */
  steps?: number;
  /** Rows of a step, a multiple of 64; default 256. */
  batch?: number;
  /** Learning rate of the first step, from which it falls to zero in a straight line; default 0.01. */
  learningRate?: number;
  /** Decoupled decay of W; default 0.01. */
  weightDecay?: number;
  /** Decides the order of the rows. */
  seed?: number;
  /** Told how many steps are done, of how many. */
  onStep?: (done: number, total: number) => void;
}

/** A trained probe. It outlives scopes: dispose it. */
export class LinearProbe implements Disposable {
  /** (C, K). */
  readonly weight: Parameter;
  /** (K). */
  readonly bias: Parameter;

  /** Made by `trainLinearProbes`. */
  constructor(weight: Parameter, bias: Parameter) {
    this.weight = weight;
    this.bias = bias;
  }

  /** Logits (N, K) of features (N, C). */
  logits(features: Tensor): Tensor {
    return matmul(features, this.weight, { bias: this.bias });
  }

  /** Gives the memory back. */
  [Symbol.dispose](): void {
    for (const parameter of [this.weight, this.bias]) parameter[Symbol.dispose]();
  }
}

/**
 * Trains probes side by side, all on the same rows in the same order. AdamW works on each number by
 * itself, so none of them notices the others: together they only cost fewer dispatches.
 *
 * W and b begin at zero. The loss is convex, so a fresh start would only end in the same place.
 *
 * @throws {VitrailError} if tasks differ in their rows, a label is none of theirs, or the batch is no
 * multiple of 64
 *
 * @example
 * ```ts
 * import { openDevice, predictLabels, trainLinearProbes } from "../../../mod.ts";
 *
 * const device = await openDevice();
 * const features = device.upload(Float32Array.of(1, 2, -1, 2, 3, 1, -2, 1), [4, 2]);
 * const [probe] = trainLinearProbes([{ features, labels: [1, 0, 1, 0], classes: 2 }], { steps: 100 });
 * console.log(await predictLabels([{ probe, features }])); // [ Uint32Array [ 1, 0, 1, 0 ] ]
 * device.destroy();
 * ```
 */
export function trainLinearProbes(
  tasks: readonly ProbeTask[],
  options: ProbeTraining = {},
): LinearProbe[] {
  const { steps = 1000, batch = 256, learningRate = 0.01, weightDecay = 0.01, seed = 0 } = options;
  checkOptions("Cannot train probes", { steps, batch, learningRate, weightDecay, seed }, {
    steps: count,
    batch: count,
    learningRate: notNegative,
    weightDecay: notNegative,
    seed: seedRule,
  });
  const rows = check(tasks, batch);
  const { device } = tasks[0].features;
  using owned = new DisposableStack();
  const list = owned.use(new ParameterList(device, freshWeights(seed)));
  const layers = tasks.map(({ features, classes }, i) => ({
    weight: list.make(`probe.${i}.weight`, [features.shape[1], classes], { constant: 0 }),
    bias: list.make(`probe.${i}.bias`, [classes], { constant: 0 }),
  }));
  // Clipping by the norm of all gradients would make one probe depend on the others.
  using optimizer = new AdamW(list.all, { betas: [0.9, 0.999], weightDecay, clip: 0 });
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  for (let done = 0, epoch = 0; done < steps; epoch++) {
    using _epoch = device.scope();
    shuffle(order, randomOf(seed, epoch));
    const numbers = device.upload(order.slice());
    const labels = tasks.map((task) => {
      return device.upload(Int32Array.from(order, (row) => task.labels[row]));
    });
    for (let begin = 0; begin < rows && done < steps; begin += batch) {
      using _step = device.scope();
      const end = Math.min(begin + batch, rows);
      const chosen = numbers.rows(begin, end);
      const gathered = new Map<Tensor, Tensor>();
      optimizer.clearGradients();
      tasks.forEach(({ features }, i) => {
        const x = gathered.get(features) ?? gatherRows(features, chosen);
        gathered.set(features, x);
        const run = new Run(device, { record: true });
        const targets = labels[i].rows(begin, end);
        const loss = crossEntropy(run, linear(run, x, layers[i]), { targets });
        run.tape!.backward(loss.result);
      });
      optimizer.step(learningRate * (1 - done / steps));
      done++;
      options.onStep?.(done, steps);
    }
  }
  owned.move(); // to the probes
  return layers.map(({ weight, bias }) => new LinearProbe(weight, bias));
}

/**
 * The likeliest label of each row, for several probes with a single wait.
 *
 * @returns for each probe a label a row (N)
 */
export async function predictLabels(
  asked: readonly { probe: LinearProbe; features: Tensor }[],
): Promise<Uint32Array[]> {
  if (asked.length === 0) return [];
  const { device } = asked[0].features;
  const read = await device.compute(() =>
    asked.map(({ probe, features }) => probe.logits(features))
  );
  return read.map(({ data: numbers, shape: [N, K] }) => {
    return Uint32Array.from({ length: N }, (_, row) => {
      let best = 0;
      for (let k = 1; k < K; k++) if (numbers[row * K + k] > numbers[row * K + best]) best = k;
      return best;
    });
  });
}

/** Number of rows of all tasks. */
function check(tasks: readonly ProbeTask[], batch: number): number {
  const refuse = (reason: string): VitrailError =>
    new VitrailError(`Cannot train a probe: ${reason}`);
  if (tasks.length === 0) throw refuse("there is no task; give one at least");
  if (!(batch > 0 && batch % 64 === 0)) {
    throw refuse(`the batch is ${batch} rows; wanted a multiple of 64`);
  }
  const rows = tasks[0].labels.length;
  for (const { features, labels, classes } of tasks) {
    if (features.shape.length !== 2 || features.shape[0] !== rows || labels.length !== rows) {
      throw refuse(
        `features (${
          features.shape.join(", ")
        }) have ${labels.length} labels; wanted (${rows}, C) ` +
          `and ${rows}`,
      );
    }
    for (let i = 0; i < rows; i++) {
      if (Number.isInteger(labels[i]) && labels[i] >= 0 && labels[i] < classes) continue;
      throw refuse(`row ${i} has the label ${labels[i]}; wanted 0 to ${classes - 1}`);
    }
  }
  return rows;
}
