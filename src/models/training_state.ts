/**
 * Training under way, in one file: the parameters, what the optimizer keeps of each, and a state in JSON.
 *
 * @module
 */
import type { Parameter } from "../autograd/parameter.ts";
import { VitrailError } from "../errors.ts";
import { parseJson } from "../formats/json_file.ts";
import type { Rule } from "../formats/json_rules.ts";
import { showPath } from "../formats/messages.ts";
import { openSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { tensorsToWrite } from "./files.ts";

/** What is trained, and by what. */
export interface TrainingParts {
  /** Its device. */
  device: Device;
  /** All parameters, frozen ones too. */
  parameters: readonly Parameter[];
  /** The optimizer, such as `AdamW`. */
  optimizer: {
    parameters: readonly Parameter[];
    moments: readonly { m: Tensor; v: Tensor }[];
    steps: number;
  };
}

/** Writes a training's tensors and its `state`, whole or not at all. */
export async function saveTraining(
  path: string,
  { device, parameters, optimizer }: TrainingParts,
  state: unknown,
): Promise<void> {
  const { moments, steps } = optimizer;
  const tensors = tensorsToWrite(device, [
    ...parameters.map((p) => ({ name: p.name, tensor: p })),
    ...optimizer.parameters.map((p, i) => ({
      name: `optimizer.m.${p.name}`,
      tensor: moments[i].m,
    })),
    ...optimizer.parameters.map((p, i) => ({
      name: `optimizer.v.${p.name}`,
      tensor: moments[i].v,
    })),
  ]);
  await writeSafetensors(path, tensors, {
    metadata: { steps: String(steps), state: JSON.stringify(state) },
  });
}

/**
 * The state of a training that was saved, before its tensors are wanted; nothing if there is none.
 *
 * @throws {VitrailError} if the file is damaged, or its state breaks the rule
 */
export function readTrainingState<T>(path: string, rule: Rule<T>): T | undefined {
  try {
    Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  using file = openSafetensors(path);
  return parseJson(file.metadata.state ?? "", rule, {
    fault: (reason) =>
      new VitrailError(
        `Cannot go on from ${showPath(path)}: in its state, ${reason}; remove it to begin again`,
      ),
  });
}

/**
 * Puts parameters and optimizer back where {@linkcode saveTraining} left them.
 *
 * @throws {VitrailError} if the file is of another training
 */
export function loadTraining(
  path: string,
  { device, parameters, optimizer }: TrainingParts,
): void {
  using file = openSafetensors(path);
  const steps = Number(file.metadata.steps);
  const wrong = (what: string): VitrailError =>
    new VitrailError(
      `Cannot go on from ${showPath(path)}: it has no ${what}; it belongs to another training`,
    );
  if (!Number.isSafeInteger(steps) || steps < 0) throw wrong("number of steps");
  const { moments } = optimizer;
  const all: [string, Tensor][] = [
    ...parameters.map((p): [string, Tensor] => [p.name, p]),
    ...optimizer.parameters.flatMap((p, i): [string, Tensor][] => [
      [`optimizer.m.${p.name}`, moments[i].m],
      [`optimizer.v.${p.name}`, moments[i].v],
    ]),
  ];
  for (const [name, { shape }] of all) {
    if (file.has(name) && file.info(name).shape.join() === shape.join()) continue;
    throw wrong(`${name} of shape (${shape.join(", ")})`);
  }
  for (const [name, tensor] of all) {
    device.write(tensor, file.read(name) as Float32Array<ArrayBuffer>);
  }
  optimizer.steps = steps;
}
