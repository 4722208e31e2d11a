/**
 * What a training step will take, found before it runs: the step is recorded on a ghost of the device,
 * which keeps account of memory and dispatches as the device would.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { checkOptions, positive, whole } from "../formats/option_rules.ts";
import type { MemoryKind } from "../gpu/pooled_buffer.ts";
import type { Device } from "../gpu/device.ts";
import { ghostOf } from "../gpu/ghost.ts";
import { sizeOf } from "../gpu/tensor.ts";
import { workOf } from "../kernels/work.ts";
import type { Task } from "../training/task.ts";
import { Trainer, type TrainerOptions } from "../training/trainer.ts";
import { record } from "./record.ts";

/** Bytes by what they are for, when most are in use at once. */
export type StepMemory = Record<MemoryKind | "scratch textures" | "total", number>;

/** What a step takes. */
export interface StepPlan {
  /** Numbers that make up the model. */
  parameters: number;
  /** Those of them that are trained. */
  trained: number;
  /** The most bytes in use at once. */
  memory: StepMemory;
  /** The most bytes of logits, which are gone again when most is in use. */
  logits: number;
  /** Why the adapter cannot run the step; absent if it can. */
  obstacle?: string;
  /** Bytes taken from the adapter, with what the pool of buffers keeps for the next step. */
  reserved: number;
  /** Floating-point operations of a step, forward, backward and update, as kernels/work.ts counts. */
  flops: number;
  /** Dispatches of a step. */
  dispatches: number;
}

/**
 * Makes a model on the device that it is given, and a batch of `batch` sequences; and says how many numbers
 * make up the model, where the task's are those of an adapter.
 */
export type StepBuilder<B> = (
  device: Device,
  batch: number,
) => { task: Task<B>; batch: B; parameters?: number };

/** What is planned. */
export interface PlanOptions extends TrainerOptions {
  /** Sequences in a micro-step. */
  batch: number;
}

/** Weights of a model on a ghost, which nobody will read. */
export function ghostWeights(_name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  return new Float32Array(sizeOf(shape));
}

/** Steps until the pool has handed out the most that it ever will: gradients live on from the first. */
const STEPS = 2;

/** Sequences beyond which no plan is made. */
const MOST_PLANNED = 2 ** 20;

/** The memory and the work of a training step, which is recorded and not run. */
export async function planStep<B>(
  device: Device,
  build: StepBuilder<B>,
  options: PlanOptions,
): Promise<StepPlan> {
  checkOptions("Cannot plan a step", options, { batch: whole(1, MOST_PLANNED) });
  try {
    return await planOn(ghostOf(device), build, options);
  } catch (cause) {
    if (!(cause instanceof VitrailError)) throw cause;
    const plan = await planOn(ghostOf(device, { unlimited: true }), build, options);
    return { ...plan, obstacle: cause.message };
  }
}

async function planOn<B>(
  ghost: Device,
  build: StepBuilder<B>,
  options: PlanOptions,
): Promise<StepPlan> {
  const { task, batch, parameters } = build(ghost, options.batch);
  const trainer = new Trainer(task, options);
  const batches = Array.from({ length: options.accumulation ?? 1 }, () => batch);
  for (let i = 1; i < STEPS; i++) trainer.step(batches, 0);
  const { events } = await record(ghost, () => trainer.step(batches, 0), { replay: false });
  const { peakBytes, peakByKind, mostByKind, reservedBytes } = ghost.pool.memory;
  const textures = ghost.textures.bytes;
  const count = (parameters: readonly { size: number }[]): number =>
    parameters.reduce((sum, { size }) => sum + size, 0);
  return {
    parameters: parameters ?? count(task.parameters),
    trained: count(trainer.optimizer.parameters),
    memory: {
      "weights": 0,
      "gradients": 0,
      "optimizer state": 0,
      "activations": 0,
      "logits": 0,
      ...peakByKind,
      "scratch textures": textures,
      "total": peakBytes + textures,
    },
    logits: mostByKind.logits ?? 0,
    reserved: reservedBytes + textures,
    flops: events.reduce((sum, event) => sum + (workOf(event.name, event)?.flops ?? 0), 0),
    dispatches: events.filter(({ kernel }) => kernel).length,
  };
}

/** How many sequences fit, and why no more. */
export interface BatchLimit {
  /** The largest batch; 0 if not even one sequence fits. */
  batch: number;
  /** What a step with it takes; absent if none fits. */
  plan?: StepPlan;
  /** What is in the way of one more. */
  reason: string;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** More sequences than anybody asks for. */
const MOST_SEQUENCES = 1 << 16;

/**
 * The largest batch that an adapter can run, and that stays within `memory` bytes where they are given:
 * no interface of WebGPU tells how many an adapter has.
 */
export async function largestBatch<B>(
  device: Device,
  build: StepBuilder<B>,
  options: TrainerOptions & { memory?: number },
): Promise<BatchLimit> {
  const { memory = Infinity, ...rest } = options;
  if (memory !== Infinity) checkOptions("Cannot find a batch", { memory }, { memory: positive });
  let [fits, tooMany]: [BatchLimit, number] = [{ batch: 0, reason: "" }, MOST_SEQUENCES];
  let reason = `${MOST_SEQUENCES} sequences are as many as were tried`;
  const attempt = async (batch: number): Promise<boolean> => {
    // Micro-steps use the same memory in turn.
    const plan = await planStep(device, build, { ...rest, accumulation: 1, batch });
    const over = plan.reserved > memory
      ? `${batch} would take ${megabytes(plan.reserved)} of ${megabytes(memory)}`
      : undefined;
    reason = plan.obstacle ?? over ?? reason;
    if (plan.obstacle ?? over) return false;
    fits = { batch, plan, reason };
    return true;
  };
  for (let batch = 1; batch < tooMany; batch *= 2) if (!await attempt(batch)) tooMany = batch;
  while (fits.batch + 1 < tooMany) {
    const middle = Math.floor((fits.batch + tooMany) / 2);
    if (!await attempt(middle)) tooMany = middle;
  }
  return { ...fits, reason };
}
