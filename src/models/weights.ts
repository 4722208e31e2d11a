/**
 * Where a model's parameters come from, and how they go to a file.
 *
 * @module
 */
import { Parameter } from "../autograd/parameter.ts";
import { QuantizedWeight } from "../autograd/quantized_weight.ts";
import { VitrailError } from "../errors.ts";
import { checkOptions, seedRule } from "../formats/option_rules.ts";
import { quoteName } from "../formats/messages.ts";
import type { PackedMatrix } from "../formats/quantized_matrix.ts";
import type { SafetensorsFile } from "../formats/safetensors.ts";
import type { Device } from "../gpu/device.ts";
import { sizeOf } from "../gpu/tensor.ts";
import { uploadPacked } from "../kernels/quantized.ts";
import { normals } from "./initialize.ts";
import { readPackedWeight } from "./packed_files.ts";

/** How a parameter begins when no file has it: a constant, or normal with a standard deviation. */
export type Initial = { constant: number } | { deviation: number };

/** Gives the initial contents of a parameter; and those of a matrix in fewer bits, if it has such. */
export interface WeightSource {
  /** All numbers of a tensor, rows first. */
  (name: string, shape: readonly number[], initial: Initial): Float32Array<ArrayBuffer>;
  /** A matrix in words, which a model then keeps so; `transposed` if the shape is (out, in). */
  packed?: (
    name: string,
    shape: readonly [number, number],
    options: { transposed: boolean; initial: Initial },
  ) => PackedMatrix | undefined;
}

/** Fresh weights; the seed and the name decide each number. */
export function freshWeights(seed: number): WeightSource {
  checkOptions("Cannot make weights", { seed }, { seed: seedRule });
  return (name, shape, initial) =>
    "constant" in initial
      ? new Float32Array(sizeOf(shape)).fill(initial.constant)
      : normals(sizeOf(shape), { deviation: initial.deviation, seed, name });
}

/** How a file may name a model's tensors otherwise than the model does. */
export interface StoredNames {
  /** Tried before each name, and left out where the file has none, as the original GPT-2 files do. */
  prefix: string;
  /** Names under which a tensor may lie too, the first of them first, before its own. */
  instead?: Readonly<Record<string, readonly string[]>>;
  /** Keys of config.json that ask for a tensor, by patterns of its name: the first that fits, for errors. */
  keys?: readonly (readonly [RegExp, string])[];
}

/** The name under which a file has a tensor; undefined if it has none. */
export function storedName(
  file: SafetensorsFile,
  name: string,
  { prefix, instead = {} }: StoredNames,
): string | undefined {
  return [...instead[name] ?? [], name]
    .flatMap((n) => n.startsWith(prefix) ? [n, n.slice(prefix.length)] : [n])
    .find((n) => file.has(n) || file.has(`${n}.packed`));
}

/**
 * Weights from a file. `prefix` is tried before each name and left out where the file has none, as
 * the original GPT-2 files do.
 *
 * @param options.instead other names under which a tensor may lie, which are tried before its own
 * @param options.keys keys of config.json that ask for a tensor, by patterns of its name, for errors
 */
export function storedWeights(
  file: SafetensorsFile,
  prefix: string = "",
  options: {
    instead?: Readonly<Record<string, readonly string[]>>;
    keys?: readonly (readonly [RegExp, string])[];
  } = {},
): WeightSource {
  const names: StoredNames = { ...options, prefix };
  const asked = (name: string): string => {
    const keys = options.keys?.find(([pattern]) => pattern.test(name))?.[1];
    return keys === undefined ? "" : ` by ${keys}`;
  };
  const source: WeightSource = (name, shape) => {
    const found = storedName(file, name, names);
    if (!found) {
      const first = file.names.find((n) => n.endsWith(".weight")) ?? file.names[0];
      const others = first === undefined ? "no tensors" : `tensors such as ${quoteName(first)}`;
      throw new VitrailError(
        `Cannot load the model: its file has no tensor ${name}, but ${others}; ` +
          `config.json asks for it${asked(name)}, and both must belong together`,
      );
    }
    const stored = file.info(found).shape;
    if (stored.join() !== shape.join()) {
      throw new VitrailError(
        `Cannot load ${found}: the file has shape (${stored.join(", ")}), ` +
          `config.json asks for (${shape.join(", ")})${asked(name)}`,
      );
    }
    return file.read(found);
  };
  source.packed = (name, shape, { transposed }) => {
    const found = storedName(file, name, names);
    return found === undefined ? undefined : readPackedWeight(file, found, { shape, transposed });
  };
  return source;
}

/**
 * Makes a model's parameters, outside all scopes, and lists them in the order they were made. To dispose
 * of it is to dispose of them.
 */
export class ParameterList implements Disposable {
  /** Every parameter so far. */
  readonly all: Parameter[] = [];
  /** Weights that the source had in fewer bits. */
  readonly quantized: QuantizedWeight[] = [];
  readonly #device: Device;
  readonly #source: WeightSource;

  /** Parameters on `device` with contents from `source`. */
  constructor(device: Device, source: WeightSource) {
    this.#device = device;
    this.#source = source;
  }

  /** A new parameter; with `parts`, one that its file holds in equal slices under those names. */
  make(
    name: string,
    shape: readonly number[],
    initial: Initial,
    parts?: readonly string[],
  ): Parameter {
    const data = parts ? this.#assemble(parts, shape, initial) : this.#source(name, shape, initial);
    const { pool } = this.#device;
    const value = pool.persistent(() => pool.as("weights", () => this.#device.upload(data, shape)));
    const parameter = new Parameter(name, value, parts);
    this.all.push(parameter);
    return parameter;
  }

  /** A new matrix (in, out), or (out, in) if `transposed`: a parameter, unless the source has it packed. */
  weight(
    name: string,
    shape: readonly [number, number],
    options: { initial: Initial; transposed?: boolean },
  ): Parameter | QuantizedWeight {
    const { initial, transposed = false } = options;
    const packed = this.#source.packed?.(name, shape, { transposed, initial });
    if (!packed) return this.make(name, shape, initial);
    const matrix = this.#device.pool.persistent(() => uploadPacked(this.#device, packed));
    const weight = new QuantizedWeight(name, matrix, { shape, transposed });
    this.quantized.push(weight);
    return weight;
  }

  /** Gives the memory of all of them back. */
  [Symbol.dispose](): void {
    for (const made of [...this.all, ...this.quantized]) made[Symbol.dispose]();
  }

  /** Slices of the first dimension, one below the other. */
  #assemble(
    parts: readonly string[],
    [rows, ...rest]: readonly number[],
    initial: Initial,
  ): Float32Array<ArrayBuffer> {
    const slices = parts.map((name) => this.#source(name, [rows / parts.length, ...rest], initial));
    const whole = new Float32Array(slices.reduce((sum, slice) => sum + slice.length, 0));
    let at = 0;
    for (const slice of slices) {
      whole.set(slice, at);
      at += slice.length;
    }
    return whole;
  }
}
