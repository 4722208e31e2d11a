/**
 * Parameters side by side in one buffer, and their gradients and moments likewise, so that one dispatch
 * updates them all.
 *
 * @module
 */
import type { Parameter, ParameterHome } from "../autograd/parameter.ts";
import { SLICE_ALIGNMENT } from "../gpu/buffers.ts";
import type { MemoryKind } from "../gpu/pooled_buffer.ts";
import type { Device } from "../gpu/device.ts";
import { bytesOf, type DType, Tensor } from "../gpu/tensor.ts";
import { cast } from "../kernels/cast.ts";

/** Elements between two places where a parameter may begin, in f16 as well. */
const ALIGNMENT = SLICE_ALIGNMENT / 2;

/** Elements that a parameter takes, with what lies behind it. */
function room({ size }: Parameter): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}

/** Some parameters in one place. They move in when it is made, and out when another group is. */
export class FlatGroup implements ParameterHome {
  /** Who lives here. */
  readonly parameters: readonly Parameter[];
  /** Where each lies: its first element, and its number of elements. */
  readonly parts: readonly { begin: number; size: number }[];
  /** All values, with gaps of zeros. */
  readonly values: Tensor;
  /** All gradients. */
  readonly gradients: Tensor;
  /** First moments. */
  readonly m: Tensor;
  /** Second moments. */
  readonly v: Tensor;
  readonly #tenants: Set<Parameter>;
  #halves: Tensor | undefined;

  /** Moves the parameters in; `moments` begin at zero. */
  constructor(parameters: readonly Parameter[]) {
    const { device } = parameters[0];
    let size = 0;
    this.parameters = parameters;
    this.parts = parameters.map((p) => {
      const begin = size;
      size += room(p);
      return { begin, size: p.size };
    });
    this.#tenants = new Set(parameters);
    this.values = flat(device, size, { kind: "weights" });
    this.gradients = flat(device, size, { kind: "gradients" });
    parameters.forEach((p, i) => {
      const [value, gradient] = [this.values, this.gradients].map((t) => this.part(t, i).buffer);
      p.move(this, { value, gradient });
    });
    [this.m, this.v] = [0, 0].map(() => flat(device, size, { kind: "optimizer state" }));
  }

  /** What a flat tensor of this group holds for its i-th parameter. */
  part(whole: Tensor, i: number): Tensor {
    const { device, shape } = this.parameters[i];
    const [begin, bytes] = [this.parts[i].begin, room(this.parameters[i])]
      .map((elements) => bytesOf(elements, whole.dtype));
    return new Tensor(device, device.pool.slice(whole.buffer, begin, bytes), shape, whole.dtype);
  }

  /** All values rounded to f16, as they were when this was first asked for or last refreshed. */
  get halves(): Tensor {
    if (!this.#halves) {
      this.#halves = flat(this.values.device, this.values.size, { kind: "weights", dtype: "f16" });
      this.refreshHalves();
    }
    return this.#halves;
  }

  /** Rounds all values again, if anyone has asked for them in f16. */
  refreshHalves(): void {
    if (this.#halves) cast(this.values, "f16", { out: this.#halves });
  }

  /** Gives the memory back with the last one that leaves; the moments serve nobody then. */
  leave(parameter: Parameter): void {
    this.#tenants.delete(parameter);
    if (this.#tenants.size > 0) return;
    const { device } = parameter;
    const all = [this.values, this.gradients, this.m, this.v, this.#halves];
    for (const tensor of all) if (tensor) device.pool.release(tensor.buffer);
  }
}

/** Zeros that outlive all scopes. */
function flat(
  device: Device,
  size: number,
  { kind, dtype = "f32" }: { kind: MemoryKind; dtype?: DType },
): Tensor {
  const { pool } = device;
  const buffer = pool.persistent(() =>
    pool.as(kind, () => pool.allocate(bytesOf(size, dtype), { exact: true }))
  );
  device.commands.clear(buffer);
  return new Tensor(device, buffer, [size], dtype);
}

/**
 * Divides parameters into groups of equal `key`, none larger than the adapter can bind at once; their
 * order stays.
 */
export function flatGroups(
  parameters: readonly Parameter[],
  key: (parameter: Parameter) => string,
): FlatGroup[] {
  const most = parameters[0].device.pool.largest / 4;
  const open = new Map<string, { members: Parameter[]; size: number }>();
  const all: Parameter[][] = [];
  for (const p of parameters) {
    let group = open.get(key(p));
    if (!group || group.size + room(p) > most) {
      open.set(key(p), group = { members: [], size: 0 });
      all.push(group.members);
    }
    group.members.push(p);
    group.size += room(p);
  }
  const groups = all.map((members) => new FlatGroup(members));
  // The buffers that they moved out of are of odd sizes, which nobody asks for again.
  parameters[0].device.pool.trim();
  return groups;
}
