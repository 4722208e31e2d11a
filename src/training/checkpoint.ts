/**
 * Training checkpoints on disk.
 *
 * A checkpoint is one more file in a model directory, which alone holds everything a run needs to go on: a single rename makes it the current one.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { parseJson } from "../formats/json_file.ts";
import {
  absent,
  countOrNone,
  either,
  mapOf,
  nothing,
  number,
  object,
  text,
} from "../formats/json_rules.ts";
import { showPath } from "../formats/messages.ts";
import { openSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { tensorsToWrite } from "../models/files.ts";
import { crc32c } from "./tensorboard_encoding.ts";
import type { Trainer } from "./trainer.ts";

/** What a run must remember besides its tensors. */
export interface TrainingState {
  /** Steps done. */
  step: number;
  /** Lowest validation loss so far. */
  bestLoss: number | null;
  /** Highest of the numbers that decide in place of the loss, where numbers do. */
  bestScore?: number;
  /** Evaluations since then. */
  evaluationsSinceBest: number;
  /** Variants of kernels that the run uses, by class of call, and the adapter that they are for. */
  variants?: { adapter: string; chosen: Record<string, string> };
}

/** What it may be; absent keys stay absent, so no `null` but for the loss. */
const stateRule = object({
  step: countOrNone,
  bestLoss: either(number, nothing),
  bestScore: either(number, absent),
  evaluationsSinceBest: countOrNone,
  variants: either(object({ adapter: text, chosen: mapOf(text) }), absent),
});

/** Name of the checkpoint within a model directory. */
export const CHECKPOINT_FILE = "checkpoint.safetensors";

/** The tensor of a run in f16 that no other has. */
const LOSS_SCALE = "optimizer.loss_scale";

/** Writes a checkpoint in place of the one before. */
export async function saveCheckpoint(
  trainer: Trainer<unknown>,
  directory: string,
  state: TrainingState,
): Promise<void> {
  const { parameters, moments, half } = trainer.optimizer;
  const tensors = tensorsToWrite(trainer.task.device, [
    ...trainer.task.parameters.map((p) => ({ name: p.name, tensor: p })),
    ...parameters.map((p, i) => ({ name: `optimizer.m.${p.name}`, tensor: moments[i].m })),
    ...parameters.map((p, i) => ({ name: `optimizer.v.${p.name}`, tensor: moments[i].v })),
    ...half ? [{ name: LOSS_SCALE, tensor: half.lossScale }] : [],
  ]);
  await writeSafetensors(`${directory}/${CHECKPOINT_FILE}`, tensors, {
    metadata: sealed(JSON.stringify(state)),
  });
}

/** The step that the checkpoint of a directory holds; undefined where there is none. */
export function checkpointStep(directory: string): number | undefined {
  const path = `${directory}/${CHECKPOINT_FILE}`;
  try {
    Deno.statSync(path);
  } catch (error) {
    // A directory that is a file has no checkpoint either; the error for that comes where the directory is made.
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
  using file = openSafetensors(path);
  return stateOf(file.metadata, directory).step;
}

/** Forgets a run, so that nobody resumes it with the tokens and settings of another. */
export function removeCheckpoint(directory: string): void {
  try {
    Deno.removeSync(`${directory}/${CHECKPOINT_FILE}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The state beside its checksum: a step that a damaged byte changed would still be a step. */
function sealed(state: string): Record<string, string> {
  return { state, "state.crc32c": crc32c(new TextEncoder().encode(state)).toString(16) };
}

function stateOf(metadata: Record<string, string>, directory: string): TrainingState {
  const fault = (reason: string): VitrailError =>
    new VitrailError(
      `Cannot resume from ${showPath(directory)}: ${reason}; give another directory, or begin ` +
        "anew with --overwrite",
    );
  const { state } = metadata;
  if (!state) {
    throw fault(`its ${CHECKPOINT_FILE} has no training state, wanted one that train wrote`);
  }
  const seal = metadata["state.crc32c"];
  if (seal !== undefined && seal !== sealed(state)["state.crc32c"]) {
    throw fault(`the training state in its ${CHECKPOINT_FILE} is damaged: its checksum is another`);
  }
  return parseJson(state, stateRule, {
    fault: (reason) => fault(`in the training state of its ${CHECKPOINT_FILE}, ${reason}`),
  });
}

/**
 * Puts a trainer back where a checkpoint left it.
 *
 * @throws {VitrailError} if there is no checkpoint, or it is of another model.
 */
export function loadCheckpoint(trainer: Trainer<unknown>, directory: string): TrainingState {
  using file = openSafetensors(`${directory}/${CHECKPOINT_FILE}`);
  const state = stateOf(file.metadata, directory);
  const { device } = trainer.task;
  const restore = (name: string, tensor: Tensor): void => {
    if (!file.has(name) || file.info(name).shape.join() !== tensor.shape.join()) {
      throw new VitrailError(
        `Cannot resume from ${directory}: its checkpoint has no ${name} of shape ` +
          `(${tensor.shape.join(", ")}); it belongs to another model`,
      );
    }
    device.write(tensor, file.read(name) as Float32Array<ArrayBuffer>);
  };
  for (const p of trainer.task.parameters) restore(p.name, p);
  const { parameters, moments, half } = trainer.optimizer;
  // A run that went on in f32 so far begins with a scale of its own.
  if (half && file.has(LOSS_SCALE)) restore(LOSS_SCALE, half.lossScale);
  parameters.forEach((p, i) => {
    restore(`optimizer.m.${p.name}`, moments[i].m);
    restore(`optimizer.v.${p.name}`, moments[i].v);
  });
  trainer.optimizer.steps = state.step;
  return state;
}
