/**
 * Model directories and training checkpoints on disk.
 *
 * A model directory is a Hugging Face directory. A checkpoint is one more file in it, which alone
 * holds everything a run needs to go on: a single rename makes it the current one.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { readConfig, writeConfig } from "../formats/huggingface_gpt2.ts";
import { openModelWeights, openSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { Gpt } from "../models/gpt.ts";
import { sinusoids } from "../models/initialize.ts";
import { storedWeights } from "../models/weights.ts";
import type { Trainer } from "./trainer.ts";

/** What a run must remember besides its tensors. */
export interface TrainingState {
  /** Steps done. */
  step: number;
  /** Lowest validation loss so far. */
  bestLoss: number | null;
  /** Evaluations since then. */
  evaluationsSinceBest: number;
}

/** Name of the checkpoint within a model directory. */
export const CHECKPOINT_FILE = "checkpoint.safetensors";

const read = (tensor: Tensor) => async (): Promise<Float32Array<ArrayBuffer>> =>
  await tensor.read() as Float32Array<ArrayBuffer>;

const entry = (name: string, tensor: Tensor) => ({
  name,
  shape: [...tensor.shape],
  dtype: "F32" as const,
  data: read(tensor),
});

/** Opens a GPT-2 directory of ours or of Hugging Face. */
export function loadGpt(device: Device, directory: string): Gpt {
  const config = readConfig(directory);
  using file = openModelWeights(directory);
  return new Gpt(device, config, storedWeights(file, "transformer."));
}

/** Writes config.json and model.safetensors, each whole or not at all. */
export async function saveGpt(model: Gpt, directory: string): Promise<void> {
  const { config } = model;
  writeConfig(directory, config);
  const tensors = model.parameters.map((p) => entry(p.name, p));
  const extra = [];
  if (config.positions !== "learned") {
    // Other programs add a learned table: they get the fixed one, or zeros, under its name.
    const { contextLength, channels } = config;
    extra.push({
      name: "transformer.wpe.weight",
      shape: [contextLength, channels],
      dtype: "F32" as const,
      data: config.positions === "sinusoidal"
        ? sinusoids(contextLength, channels)
        : new Float32Array(contextLength * channels),
    });
  }
  await writeSafetensors(`${directory}/model.safetensors`, [...tensors, ...extra], {
    metadata: { format: "pt" },
  });
}

/** Writes a checkpoint in place of the one before. */
export async function saveCheckpoint(
  trainer: Trainer,
  directory: string,
  state: TrainingState,
): Promise<void> {
  const { parameters, moments } = trainer.optimizer;
  const tensors = [
    ...trainer.model.parameters.map((p) => entry(p.name, p)),
    ...parameters.map((p, i) => entry(`optimizer.m.${p.name}`, moments[i].m)),
    ...parameters.map((p, i) => entry(`optimizer.v.${p.name}`, moments[i].v)),
  ];
  await writeSafetensors(`${directory}/${CHECKPOINT_FILE}`, tensors, {
    metadata: { state: JSON.stringify(state) },
  });
}

/** The step that the checkpoint of a directory holds; undefined where there is none. */
export function checkpointStep(directory: string): number | undefined {
  const path = `${directory}/${CHECKPOINT_FILE}`;
  try {
    Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
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

function stateOf(metadata: Record<string, string>, directory: string): TrainingState {
  if (metadata.state) return JSON.parse(metadata.state) as TrainingState;
  throw new VitrailError(
    `Cannot resume from ${directory}: its ${CHECKPOINT_FILE} has no training state, ` +
      "wanted one that train wrote",
  );
}

/**
 * Puts a trainer back where a checkpoint left it.
 *
 * @throws {VitrailError} if there is no checkpoint, or it is of another model.
 */
export function loadCheckpoint(trainer: Trainer, directory: string): TrainingState {
  using file = openSafetensors(`${directory}/${CHECKPOINT_FILE}`);
  const { device } = trainer.model;
  const restore = (name: string, tensor: Tensor): void => {
    if (!file.has(name) || file.info(name).shape.join() !== tensor.shape.join()) {
      throw new VitrailError(
        `Cannot resume from ${directory}: its checkpoint has no ${name} of shape ` +
          `(${tensor.shape.join(", ")}); it belongs to another model`,
      );
    }
    device.write(tensor, file.read(name) as Float32Array<ArrayBuffer>);
  };
  for (const p of trainer.model.parameters) restore(p.name, p);
  const { parameters, moments } = trainer.optimizer;
  parameters.forEach((p, i) => {
    restore(`optimizer.m.${p.name}`, moments[i].m);
    restore(`optimizer.v.${p.name}`, moments[i].v);
  });
  const state = stateOf(file.metadata, directory);
  trainer.optimizer.steps = state.step;
  return state;
}
