/**
 * Activations by the name of their hook point, on the device until they are read.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** Numbers on the host with their shape. */
export interface Activation {
  /** The numbers, row-major. */
  data: Float32Array;
  /** Length of each dimension, outermost first. */
  shape: readonly number[];
}

/** Copies of activations, or of their gradients. It outlives scopes: dispose it when done. */
export class ActivationCache implements Disposable {
  readonly #device: Device;
  readonly #tensors = new Map<string, Tensor>();

  /** An empty cache; `runWithCache` is the usual way in. */
  constructor(device: Device) {
    this.#device = device;
  }

  /** What it holds, in the order of the forward pass. */
  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  /** Bytes on the device. */
  get byteLength(): number {
    return [...this.#tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Whether there is something under a name. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /**
   * What was seen at a hook point.
   *
   * @throws {VitrailError} if nothing was kept there
   */
  get(name: string): Tensor {
    const found = this.#tensors.get(name);
    if (found) return found;
    throw new VitrailError(
      `Cannot get ${name} from this cache: it holds ${this.names.join(", ") || "nothing"}; ` +
        "ask for it in `names` when the model runs",
    );
  }

  /** Keeps a copy of x, in place of what was under that name. */
  set(name: string, x: Tensor): void {
    const copy = this.#device.pool.persistent(() => {
      const made = this.#device.tensor(x.shape, x.dtype);
      this.#device.commands.copy(x.buffer, made.buffer, x.byteLength);
      return made;
    });
    const known = this.#tensors.get(name);
    if (known) this.#device.pool.release(known.buffer);
    this.#tensors.set(name, copy);
  }

  /**
   * Reads activations, all with a single wait.
   *
   * @param names which; all of them if none is given
   * @throws {VitrailError} if nothing was kept at one of them
   */
  async read(...names: string[]): Promise<Map<string, Activation>> {
    const wanted = names.length > 0 ? names : this.names;
    const tensors = wanted.map((name) => this.get(name));
    const numbers = await this.#device.read(...tensors);
    return new Map(wanted.map((name, i) => {
      return [name, { data: numbers[i] as Float32Array, shape: tensors[i].shape }];
    }));
  }

  /** Gives the memory back. */
  [Symbol.dispose](): void {
    for (const { buffer } of this.#tensors.values()) this.#device.pool.release(buffer);
    this.#tensors.clear();
  }
}
