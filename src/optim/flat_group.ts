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
import type { Scope } from "../gpu/scope.ts";
import { bytesOf, type DType, Tensor } from "../gpu/tensor.ts";
import { cast } from "../kernels/cast.ts";

/** Elements between two places where a parameter may begin, in f16 as well. */
const ALIGNMENT = SLICE_ALIGNMENT / 2;

/** Elements that a parameter takes, with what lies behind it. */
function room({ size }: Parameter): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}

/**
 * Some parameters in one place: they move in once all memory is there, and out when another group takes
 * them or they are disposed of.
 */
export class FlatGroup implements ParameterHome, Disposable {
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
  readonly #tenants = new Set<Parameter>();
  /** Of the values, which parameters need for as long as they live here. */
  readonly #home: Scope;
  /** Of what only training needs. */
  readonly #training: Scope;
  #halves: Tensor | undefined;

  /** Takes the memory; moments begin at zero. {@linkcode FlatGroup.moveIn} is next. */
  constructor(parameters: readonly Parameter[]) {
    using owned = new DisposableStack();
    const { device } = parameters[0];
    this.#home = owned.use(device.detachedScope());
    this.#training = owned.use(device.detachedScope());
    let size = 0;
    this.parameters = parameters;
    this.parts = parameters.map((p) => {
      const begin = size;
      size += room(p);
      return { begin, size: p.size };
    });
    this.values = this.#home.run(() => flat(device, size, { kind: "weights" }));
    const zeros = (kind: MemoryKind): Tensor =>
      this.#training.run(() => flat(device, size, { kind }));
    this.gradients = zeros("gradients");
    this.m = zeros("optimizer state");
    this.v = zeros("optimizer state");
    owned.move();
  }

  /** Moves the parameters in. */
  moveIn(): void {
    this.parameters.forEach((p, i) => {
      const [value, gradient] = [this.values, this.gradients].map((t) => this.part(t, i).buffer);
      p.move(this, { value, gradient });
      this.#tenants.add(p);
    });
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
      const { device, size } = this.values;
      this.#halves = this.#training.run(() =>
        flat(device, size, { kind: "weights", dtype: "f16" })
      );
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
    this.#training[Symbol.dispose]();
    this.#home[Symbol.dispose]();
  }

  /** Gives back what only training needs; the values stay for as long as a parameter lives here. */
  [Symbol.dispose](): void {
    for (const p of this.#tenants) p.forgetGradient();
    this.#training[Symbol.dispose]();
    if (this.#tenants.size === 0) this.#home[Symbol.dispose]();
  }
}

/** Zeros. */
function flat(
  device: Device,
  size: number,
  { kind, dtype = "f32" }: { kind: MemoryKind; dtype?: DType },
): Tensor {
  const { pool } = device;
  const buffer = pool.as(kind, () => pool.allocate(bytesOf(size, dtype), { exact: true }));
  buffer.shape = [size];
  device.commands.clear(buffer);
  return new Tensor(device, buffer, [size], dtype);
}

/**
 * Divides parameters, which have not moved in yet, into groups of equal `key`, none larger than the adapter can bind at once; their
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
  using owned = new DisposableStack();
  const groups = all.map((members) => owned.use(new FlatGroup(members)));
  owned.move();
  return groups;
}
