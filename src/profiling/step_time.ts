/**
 * How long a training step takes on a device: a few are run and timed.
 *
 * @module
 */
import type { Device } from "../gpu/device.ts";
import { matmul } from "../kernels/matmul.ts";
import { evaluate } from "../training/evaluate.ts";
import { Trainer, type TrainerOptions } from "../training/trainer.ts";
import type { StepBuilder } from "./step_plan.ts";

/** How long a step takes. */
export interface StepTime {
  /** Seconds of a step with all its micro-steps. */
  seconds: number;
  /** Seconds of an evaluation of one batch; absent if nothing was run. */
  evaluation?: number;
  /** Steps that were timed; 0 if a step would take too long, and its time follows from its arithmetic. */
  steps: number;
}

/** Seconds of a step beyond which none is run. */
const TOO_LONG = 10;
/** Seconds that are timed, and the most steps of them. */
const [TIMED, MOST] = [1.5, 16];
/** Part of a product's arithmetic per second that a whole step reaches; the lower end of what was measured. */
const SHARE_OF_PRODUCT = 0.5;

/**
 * Runs a step until everything is compiled, and then times as many as fit into a second and a half.
 *
 * @param options.flops operations of a step, which decide whether one may be run
 */
export async function measureStep<B>(
  device: Device,
  build: StepBuilder<B>,
  options: TrainerOptions & { batch: number; flops: number },
): Promise<StepTime> {
  const { accumulation = 1, flops } = options;
  const expected = flops / (SHARE_OF_PRODUCT * await productSpeed(device));
  if (expected / accumulation > TOO_LONG) return { seconds: expected, steps: 0 };
  const { task, batch } = build(device, options.batch);
  // Micro-steps take the same time each.
  const trainer = new Trainer(task, { ...options, accumulation: 1 });
  const run = async (steps: number): Promise<number> => {
    const begun = performance.now();
    for (let i = 0; i < steps; i++) trainer.step([batch], 0);
    await trainer.figures();
    return (performance.now() - begun) / 1000;
  };
  await run(2);
  const first = await run(1);
  const steps = Math.max(1, Math.min(MOST, Math.floor(TIMED / first)));
  const seconds = accumulation * await run(steps) / steps;
  await evaluate(task, [batch]);
  const begun = performance.now();
  await evaluate(task, [batch]);
  return { seconds, evaluation: (performance.now() - begun) / 1000, steps };
}

/** Floating-point operations per second of a large product. */
async function productSpeed(device: Device): Promise<number> {
  const N = 512;
  using scope = device.detachedScope();
  const [a, b] = [0, 1].map(() => scope.run(() => device.zeros([N, N])));
  const time = async (count: number): Promise<number> => {
    const begun = performance.now();
    for (let i = 0; i < count; i++) {
      using _product = device.scope();
      matmul(a, b);
    }
    await device.finish();
    return (performance.now() - begun) / 1000;
  };
  await time(1);
  // Long enough for the wait, which is 11 ms under Deno, to count little.
  for (let count = 1;; count *= 4) {
    const seconds = await time(count);
    if (seconds > 0.1 || count > 4000) return count * 2 * N ** 3 / seconds;
  }
}
