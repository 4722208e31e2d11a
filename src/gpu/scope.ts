/**
 * Scopes: they own what is made within them, and give it back together.
 *
 * One scope at a time is the current one, and only for as long as code runs without a pause: what a
 * program makes while another one waits is never given to the one that waits. An asynchronous function
 * therefore keeps a detached scope, and runs each of its synchronous stretches in it.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { type Owned, type PooledBuffer, releasedError } from "./pooled_buffer.ts";

/** The scope that is current, of which there is one per pool. */
export class CurrentScope {
  #scope: Scope | undefined;
  #watching = false;

  /** The scope that owns what is made now, if there is one. */
  get scope(): Scope | undefined {
    while (this.#scope?.isOver) this.#scope = this.#scope.enclosing;
    return this.#scope;
  }

  /** Opens a scope inside the current one, as the current one. */
  open(): Scope {
    const { scope: enclosing } = this;
    this.#scope = new Scope(this, enclosing);
    this.#watch();
    return this.#scope;
  }

  /** A scope that owns what is made within its `run` and nothing else. */
  detached(): Scope {
    return new Scope(this, undefined);
  }

  /** Notes that the code which runs has called something asynchronous: it may wait from here on. */
  pause(): void {
    for (let scope = this.scope; scope; scope = scope.enclosing) scope.pause();
  }

  /** Runs `make` with `scope` as the current one, or outside all scopes. */
  run<T>(scope: Scope | undefined, make: () => T): T {
    const outer = this.#scope;
    this.#scope = scope;
    try {
      return make();
    } finally {
      this.#scope = outer;
    }
  }

  /** No synchronous code is left under way when a microtask runs: scopes still open then are held. */
  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    queueMicrotask(() => {
      this.#watching = false;
      let scope = this.scope;
      this.#scope = undefined;
      while (scope) scope = scope.hold();
    });
  }
}

/**
 * Owns what is made while it is current, and gives it back when it is disposed of.
 *
 * `device.scope()` opens one for synchronous code. If it is held across an `await`, it stops being
 * current there: what it owns by then stays valid until its disposal, and what is made later belongs to
 * it only if it is made in {@linkcode Scope.run} or handed to {@linkcode Scope.adopt}. If its code calls
 * something asynchronous (`read`, `generate`) and goes on before it waits, what is made in between
 * belongs to no scope, since others may run from there on.
 *
 * `device.detachedScope()` makes one for asynchronous code, which is never current outside `run`.
 *
 * @example
 * ```ts
 * import { type Device, type Gpt, runWithHooks } from "../../mod.ts";
 *
 * async function logitsOf(model: Gpt, load: () => Promise<number[]>) {
 *   using scope = model.device.detachedScope();
 *   const ids = await load(); // whatever runs meanwhile owns what it makes itself
 *   const logits = scope.run(() => runWithHooks(model, { ids: model.ids(ids) }, { hooks: [] }));
 *   return await logits.read();
 * }
 * ```
 */
export class Scope implements Disposable {
  readonly #current: CurrentScope;
  readonly #owned = new Set<Owned>();
  /** What was made after its code called something asynchronous: its own only if it never waits. */
  readonly #doubtful = new Set<Owned>();
  readonly #openedInPause: boolean;
  #enclosing: Scope | undefined;
  #isPaused = false;
  #isOver = false;
  #running = 0;

  /** `Device.scope` and `Device.detachedScope` are the usual way in. */
  constructor(current: CurrentScope, enclosing: Scope | undefined) {
    this.#current = current;
    this.#enclosing = enclosing;
    this.#openedInPause = enclosing !== undefined && enclosing.#isPaused;
  }

  /** The scope that is current again after this one. */
  get enclosing(): Scope | undefined {
    return this.#enclosing;
  }

  /** Whether it was disposed of. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Runs synchronous code, and owns what it makes. An asynchronous function is owned up to its first
   * `await`.
   *
   * @throws {VitrailError} if the scope was disposed of
   */
  run<T>(make: () => T): T {
    if (this.#isOver) {
      throw new VitrailError(
        "Cannot run in this scope: it was disposed of; open another with device.detachedScope()",
      );
    }
    this.#running++;
    try {
      return this.#current.run(this, make);
    } finally {
      this.#running--;
    }
  }

  /**
   * Makes this scope the owner of a tensor or a buffer, in place of its present owner.
   *
   * @throws {VitrailError} if its memory was given back, or the scope was disposed of
   */
  adopt<T extends PooledBuffer | { buffer: PooledBuffer }>(given: T): T {
    const { whole } = "buffer" in given ? given.buffer : given;
    if (whole.isReleased) throw releasedError("adopt a tensor", whole);
    if (this.#isOver) {
      throw new VitrailError(
        "Cannot adopt a tensor: this scope was disposed of; wanted one that is open",
      );
    }
    whole.owner?.disown(whole);
    whole.owner = this;
    this.#owned.add(whole);
    return given;
  }

  /** Owns what was made while this scope was current. */
  take(made: Owned): void {
    made.owner = this;
    (this.#isPaused && this.#running === 0 ? this.#doubtful : this.#owned).add(made);
  }

  /** Forgets a buffer or a texture without releasing it. */
  disown(owned: Owned): void {
    if (!this.#owned.delete(owned)) this.#doubtful.delete(owned);
    owned.owner = undefined;
  }

  /** Moves a tensor of this scope to the enclosing one, or out of all scopes. */
  keep<T extends { buffer: PooledBuffer }>(tensor: T): T {
    const { whole } = tensor.buffer;
    if (whole.owner !== this) return tensor;
    this.disown(whole);
    if (this.#enclosing && !this.#enclosing.isOver) this.#enclosing.take(whole);
    return tensor;
  }

  /** Hands all that it owns to another scope, or lets it go without giving it back. */
  handOver(to?: Scope): void {
    for (const owned of [...this.#owned, ...this.#doubtful]) {
      this.disown(owned);
      to?.take(owned);
    }
  }

  /** Notes that its code has called something asynchronous. */
  pause(): void {
    this.#isPaused = true;
  }

  /**
   * Notes that its code waits: what was made since it called something asynchronous may be anyone's, and so may the
   * scope around one that was opened since then.
   *
   * @returns the scope around it, which is held as well
   */
  hold(): Scope | undefined {
    const enclosing = this.#enclosing;
    for (const made of this.#doubtful) made.owner = undefined;
    this.#doubtful.clear();
    this.#isPaused = false;
    if (this.#openedInPause) this.#enclosing = undefined;
    return enclosing;
  }

  /** Gives everything that it owns back to the pool. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const owned of [...this.#owned, ...this.#doubtful]) owned.giveBack();
  }
}
