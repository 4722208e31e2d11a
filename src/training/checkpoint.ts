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
import {
  openModelWeights,
  openSafetensors,
  type TensorToWrite,
  writeSafetensors,
} from "../formats/safetensors.ts";
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

/** Bytes that are read back with one wait: every wait costs 11 ms under Deno. */
const READ_TOGETHER = 1 << 25;

/** A tensor under the name that its file gives it. */
interface Named {
  name: string;
  tensor: Tensor;
}

/** Tensors for the writer, which asks for them in the order of their names; neighbours are read together. */
function entries(device: Device, tensors: Named[]): TensorToWrite[] {
  const sorted = tensors.toSorted((a, b) => a.name < b.name ? -1 : 1);
  const found: TensorToWrite[] = [];
  for (let from = 0; from < sorted.length;) {
    let [to, bytes] = [from, 0];
    while (to < sorted.length && (to === from || bytes <= READ_TOGETHER)) {
      bytes += sorted[to++].tensor.size * 4;
    }
    const group = sorted.slice(from, to);
    let values: Promise<(Float32Array | undefined)[]> | undefined;
    group.forEach(({ name, tensor }, i) => {
      const data = async (): Promise<Float32Array> => {
        values ??= device.read(...group.map((g) => g.tensor)) as Promise<Float32Array[]>;
        const all = await values;
        const own = all[i]!;
        all[i] = undefined; // written once, and then no longer held
        return own;
      };
      found.push({ name, shape: [...tensor.shape], dtype: "F32", data });
    });
    from = to;
  }
  return found;
}

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
  const tensors = entries(model.device, model.parameters.map((p) => ({ name: p.name, tensor: p })));
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
  const tensors = entries(trainer.model.device, [
    ...trainer.model.parameters.map((p) => ({ name: p.name, tensor: p })),
    ...parameters.map((p, i) => ({ name: `optimizer.m.${p.name}`, tensor: moments[i].m })),
    ...parameters.map((p, i) => ({ name: `optimizer.v.${p.name}`, tensor: moments[i].v })),
  ]);
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

/** What a killed process leaves: half a file, or half a tokenized corpus, under a temporary name. */
const LEFTOVER = /^(\.vitrail-[0-9a-f]{8}-[0-9a-f]{4}|data\.[0-9a-f]{8})\.tmp$/;

/**
 * Removes what killed processes left in a run's directory; a checkpoint may be large, and a run may
 * be killed often. Nobody else may be writing there.
 */
export function removeLeftovers(directory: string): void {
  for (const { name } of [...Deno.readDirSync(directory)]) {
    if (LEFTOVER.test(name)) Deno.removeSync(`${directory}/${name}`, { recursive: true });
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
