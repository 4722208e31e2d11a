/**
 * Where numbers cease to be finite: which activation of a forward pass is the first, and which weight.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import type { NumericArray, Tensor } from "../gpu/tensor.ts";
import type { Parameter } from "./parameter.ts";
import type { QuantizedWeight } from "./quantized_weight.ts";
import { type Hook, Run } from "./run.ts";

/** A model whose weights can be looked through. */
export interface Inspectable {
  /** Where it lives. */
  readonly device: Device;
  /** Its weights. */
  readonly parameters: readonly Parameter[];
  /** Its weights in fewer bits. */
  readonly quantized?: readonly QuantizedWeight[];
}

/** Activations of which a forward pass keeps no more than a few per block. */
const COARSE = /^(blocks\.\d+\.hook_(resid|normalized)|hook_|embed\.hook_|ln_final|unembed|pooler)/;

/**
 * The error for results that are not finite: it runs the forward pass once more and names the first
 * activation that is not, and the weight of that layer that is not, if there is one.
 *
 * @param options.action what cannot be done, such as `Cannot classify text 3`
 * @param options.forward runs the pass that went wrong
 */
export async function notFiniteError(
  model: Inspectable,
  options: { action: string; forward: (run: Run) => unknown },
): Promise<VitrailError> {
  const { action, forward } = options;
  // Two passes, since all activations of all blocks may be more than there is memory for.
  const coarse = await firstNotFinite(model.device, forward, (name) => COARSE.test(name));
  const block = /^blocks\.\d+\./.exec(coarse?.name ?? "")?.[0];
  const fine = block === undefined
    ? undefined
    : await firstNotFinite(model.device, forward, (name) => name.startsWith(block));
  const first = fine ?? coarse;
  const weight = (first && await brokenWeight(model, (name) => isNear(name, first.name))) ??
    await brokenWeight(model, () => true);
  const where = first
    ? `the first numbers that are not finite (${first.value}) are those of ${first.name}`
    : "they begin behind the last hook point";
  const why = weight
    ? `the weight ${weight.name} holds ${weight.value}${weight.at}; its file is damaged, or was ` +
      "saved after a training that failed: use another one"
    : "all weights are finite, so that its numbers grew beyond what a float of 32 bits holds: the " +
      "weights are too large";
  return new VitrailError(`${action}: the model's results are not finite; ${where}, and ${why}`);
}

/**
 * Runs forward passes and reads what each of them returns, with one wait for all.
 *
 * @param action what cannot be done if a number is not finite, such as `Cannot tag the sentences`
 * @throws {VitrailError} if one is not, naming where that begins
 */
export async function computeFinite(
  model: Inspectable,
  action: string,
  passes: readonly ((run: Run) => readonly Tensor[])[],
): Promise<NumericArray[][]> {
  const { device } = model;
  const counts: number[] = [];
  const read = await device.compute(() =>
    passes.flatMap((pass) => {
      using scope = device.scope();
      const tensors = pass(new Run(device));
      counts.push(tensors.length);
      return tensors.map((tensor) => scope.keep(tensor));
    })
  );
  const results = counts.map((count) => read.splice(0, count).map(({ data }) => data));
  const wrong = results.findIndex((own) => !own.every(allFinite));
  if (wrong < 0) return results;
  throw await notFiniteError(model, { action, forward: passes[wrong] });
}

/** Whether all numbers are finite. */
function allFinite(values: NumericArray): boolean {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) return false;
  }
  return true;
}

/** The first of some hook points, in the order of the pass, that sees a number that is not finite. */
async function firstNotFinite(
  device: Device,
  forward: (run: Run) => unknown,
  wanted: (name: string) => boolean,
): Promise<{ name: string; value: number } | undefined> {
  const seen: { name: string; read: ReturnType<Device["readLater"]> }[] = [];
  const listen: Hook = (x, name) => void seen.push({ name, read: device.readLater(x) });
  using scope = device.detachedScope();
  try {
    scope.run(() => forward(new Run(device, { hooks: new HooksWhere(wanted, listen) })));
    for (const { name, read } of [...seen]) {
      seen.shift();
      const [values] = await read.numbers();
      const value = values.find((v) => !Number.isFinite(v));
      if (value !== undefined) return { name, value };
    }
  } finally {
    seen.forEach(({ read }) => read.cancel());
  }
  return undefined;
}

/** One hook for all names that are wanted, whichever there are. */
class HooksWhere extends Map<string, Hook> {
  readonly #wanted: (name: string) => boolean;
  readonly #hook: Hook;

  constructor(wanted: (name: string) => boolean, hook: Hook) {
    super();
    this.#wanted = wanted;
    this.#hook = hook;
  }

  override has(name: string): boolean {
    return this.#wanted(name);
  }

  override get(name: string): Hook | undefined {
    return this.#wanted(name) ? this.#hook : undefined;
  }
}

/** Whether a weight is one of the block of a hook point, or outside all blocks as the hook point is. */
function isNear(name: string, point: string): boolean {
  const block = /^blocks\.(\d+)\./.exec(point)?.[1];
  return /\.(?:h|layer)\.(\d+)\./.exec(name)?.[1] === block;
}

/** The first weight with a number that is not finite, of those that are wanted. */
async function brokenWeight(
  model: Inspectable,
  wanted: (name: string) => boolean,
): Promise<{ name: string; value: number; at: string } | undefined> {
  for (const parameter of model.parameters) {
    if (!wanted(parameter.name)) continue;
    const values = await parameter.read();
    const at = values.findIndex((v) => !Number.isFinite(v));
    if (at < 0) continue;
    const place = ` at [${placeOf(at, parameter).join(", ")}]`;
    return { name: parameter.name, value: values[at], at: place };
  }
  for (const { name, matrix: { words, scales } } of model.quantized ?? []) {
    if (!wanted(name)) continue;
    const bits = await scales.read();
    // Integers have scales of two bytes; halves have none, and are what there is in the words themselves.
    const numbers = scales === words ? halves(bits) : brainFloats(bits);
    const value = numbers.find((v) => !Number.isFinite(v));
    if (value !== undefined) return { name, value, at: scales === words ? "" : " in its scales" };
  }
  return undefined;
}

/** The index of each dimension of element `at`. */
function placeOf(at: number, { shape }: Tensor): number[] {
  let rest = at;
  return shape.toReversed().map((side) => {
    const index = rest % side;
    rest = Math.floor(rest / side);
    return index;
  }).reverse();
}

/** Numbers of two bytes each, of which words hold two. */
const halves = (words: NumericArray): number[] => [...new Float16Array(words.buffer)];
const brainFloats = (words: NumericArray): number[] =>
  [...new Uint16Array(words.buffer)].map((bits) =>
    new Float32Array(Uint32Array.of(bits << 16).buffer)[0]
  );
