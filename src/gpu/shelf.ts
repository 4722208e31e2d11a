/**
 * Shelves of memory that waits for another loan.
 *
 * @module
 */

/**
 * Things of one size. The one with the lowest id is lent first, so that what is lent depends only on what
 * is free: the same calls get the same memory again, whose bind groups are known, in whatever order it
 * was given back.
 */
export class Shelf<T extends { readonly id: number }> {
  readonly #things: T[] = []; // by falling id

  /** How many wait. */
  get size(): number {
    return this.#things.length;
  }

  /** Puts one back. */
  put(thing: T): void {
    const things = this.#things;
    let at = things.length;
    while (at > 0 && things[at - 1].id < thing.id) at--;
    if (at === things.length) things.push(thing);
    else things.splice(at, 0, thing);
  }

  /** Takes the one with the lowest id, if there is one. */
  take(): T | undefined {
    return this.#things.pop();
  }

  /** Takes all. */
  clear(): T[] {
    return this.#things.splice(0);
  }
}
