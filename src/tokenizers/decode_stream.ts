/**
 * Decoding ids as they arrive, without ever showing half a character.
 *
 * @module
 */

/** The character that stands for bytes which are no text. */
const BROKEN = "\ufffd";

/** Turns ids into text a few at a time; what may still become a character is held back. */
export class DecodeStream {
  readonly #decode: (ids: number[]) => string;
  #pending: number[] = [];

  /** `decode` turns any list of ids into text. */
  constructor(decode: (ids: number[]) => string) {
    this.#decode = decode;
  }

  /** Text that is certain after these ids; it may be empty. */
  push(ids: Iterable<number>): string {
    let out = "";
    for (const id of ids) {
      this.#pending.push(id);
      const text = this.#decode(this.#pending);
      // Four bytes make the longest character: a longer wait means that the bytes are no text.
      if (text.endsWith(BROKEN) && this.#pending.length < 4) continue;
      out += text;
      this.#pending = [];
    }
    return out;
  }

  /** What is left, however broken. */
  end(): string {
    const text = this.#pending.length > 0 ? this.#decode(this.#pending) : "";
    this.#pending = [];
    return text;
  }
}
