/**
 * The tape: each operation leaves what its backward pass needs, and one walk in reverse runs them.
 *
 * @module
 */
import { Tensor } from "../gpu/tensor.ts";
import { accumulate as addInto } from "../kernels/add.ts";
import { Parameter } from "./parameter.ts";

/** Where the gradient of one input goes. */
export interface GradientTarget {
  /** The tensor to write. */
  tensor: Tensor;
  /** Add to what it holds in place of overwriting it. */
  accumulate: boolean;
}

/** Given the gradient of an operation's output, hands on those of its inputs. */
export type Backward = (dOut: Tensor, gradients: Gradients) => void;

interface Node {
  output: Tensor;
  backward: Backward;
}

/** The gradients that a backward pass has reached so far. */
export class Gradients {
  readonly #tape: Tape;
  readonly #byTensor = new Map<Tensor, Tensor>();

  /** Made by `Tape.backward`. */
  constructor(tape: Tape) {
    this.#tape = tape;
  }

  /** The gradient of a tensor, if any has arrived. */
  get(x: Tensor): Tensor | undefined {
    return x instanceof Parameter ? x.gradient : this.#byTensor.get(x);
  }

  /** Runs `write` on the place for x's gradient; skipped, kernel and all, if x wants none. */
  into(x: Tensor | undefined, write: (target: GradientTarget) => void): void {
    if (!x || !this.#tape.wants(x)) return;
    if (x instanceof Parameter) return write({ tensor: x.gradient, accumulate: true });
    const known = this.#byTensor.get(x);
    const tensor = known ?? x.device.tensor(x.shape, x.dtype);
    this.#byTensor.set(x, tensor);
    write({ tensor, accumulate: known !== undefined });
  }

  /** Hands on a gradient that is ready; it may be shared, so it is never written again. */
  pass(x: Tensor, gradient: Tensor): void {
    if (!this.#tape.wants(x)) return;
    if (x instanceof Parameter) return addInto(x.gradient, gradient.reshape(x.shape));
    const known = this.#byTensor.get(x);
    if (known) return addInto(known, gradient);
    // A copy of our own: a second path would otherwise add into somebody else's gradient.
    const own = x.device.tensor(x.shape, x.dtype);
    x.device.commands.copy(gradient.buffer, own.buffer, x.byteLength);
    this.#byTensor.set(x, own);
  }

  /** Takes a gradient over as x's own: no one else may hold it. */
  give(x: Tensor, gradient: Tensor): void {
    if (!this.#tape.wants(x)) return;
    if (x instanceof Parameter || this.#byTensor.has(x)) {
      this.pass(x, gradient);
      x.device.pool.release(gradient.buffer);
    } else {
      this.#byTensor.set(x, gradient);
    }
  }

  /** Hands the gradient of an operation's output on to x, if nobody else needs it any more. */
  move(output: Tensor, x: Tensor): void {
    const gradient = this.#byTensor.get(output);
    const needed = x instanceof Parameter || this.#byTensor.has(x) || this.#tape.keeps(output);
    if (!gradient || needed) {
      this.pass(x, gradient ?? output);
    } else if (this.#tape.wants(x)) {
      this.#byTensor.set(x, gradient.reshape(x.shape));
      this.#byTensor.delete(output);
    }
  }

  /** Gives the memory of a gradient back once nothing can read it: not if the tape keeps it. */
  drop(x: Tensor): void {
    if (this.#tape.keeps(x)) return;
    const gradient = this.#byTensor.get(x);
    if (gradient) x.device.pool.release(gradient.buffer);
    this.#byTensor.delete(x);
  }
}

/** A record of operations, good for one backward pass. */
export class Tape {
  /** Whether parameters that are not frozen ask for gradients; if not, only watched tensors do. */
  readonly trains: boolean;
  readonly #nodes: Node[] = [];
  readonly #tracked = new Set<Tensor>();
  readonly #kept = new Set<Tensor>();

  /** A blank record. */
  constructor({ trains = true }: { trains?: boolean } = {}) {
    this.trains = trains;
  }

  /** Whether a gradient for x is asked for: x is trained or watched, or made from what is. */
  wants(x: Tensor): boolean {
    return x instanceof Parameter ? this.trains && !x.frozen : this.#tracked.has(x);
  }

  /** Asks for the gradient of a tensor that is no parameter, so that it reaches what it was made from. */
  watch(x: Tensor): void {
    this.#tracked.add(x);
  }

  /**
   * Watches a tensor whose gradient is wanted for itself: it survives the backward pass, where others go
   * back to the pool, and `gradients.get(x)` finds it in memory of its own. It belongs to the scope
   * that the backward pass runs in.
   */
  keep(x: Tensor): void {
    this.watch(x);
    this.#kept.add(x);
  }

  /** Whether the gradient of x outlives the backward pass. */
  keeps(x: Tensor): boolean {
    return this.#kept.has(x);
  }

  /** Records that `output` was made from `inputs`; nothing, if no input wants a gradient. */
  record(output: Tensor, inputs: (Tensor | undefined)[], backward: Backward): void {
    if (!inputs.some((x) => x && this.wants(x))) return;
    this.#tracked.add(output);
    this.#nodes.push({ output, backward });
  }

  /**
   * Walks the record in reverse: from one or more losses, or from a tensor whose gradient is given.
   * Parameters accumulate their gradients.
   */
  backward(outputs: Tensor | readonly Tensor[], dOut?: Tensor): Gradients {
    const gradients = new Gradients(this);
    const roots: readonly Tensor[] = outputs instanceof Tensor ? [outputs] : outputs;
    if (dOut) gradients.pass(roots[0], dOut);
    for (const node of this.#nodes.toReversed()) {
      // A loss knows its own scale: what is handed to it is not looked at.
      const d = !dOut && roots.includes(node.output) ? node.output : gradients.get(node.output);
      if (!d) continue;
      node.backward(d, gradients);
      gradients.drop(node.output);
    }
    return gradients;
  }
}
