/**
 * Decoding ids as they arrive, without ever showing half a character.
 *
 * @module
 */

/** Turns ids into text a few at a time; what may still become a character is held back. */
export interface DecodeStream {
  /** Text that is certain after these ids; it may be empty. */
  push(ids: Iterable<number>): string;
  /** What is left, however broken. The stream may then begin anew. */
  end(): string;
}

/** The character that stands for bytes which are no text. */
const BROKEN = "\ufffd";

/**
 * Ids that stand for bytes: the pieces together are exactly the text of all ids decoded at once,
 * broken bytes included.
 */
export class ByteStream implements DecodeStream {
  readonly #bytesOf: (id: number) => Uint8Array | string | undefined;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  /** `bytesOf` tells an id's bytes, or its text where no character reaches across it. */
  constructor(bytesOf: (id: number) => Uint8Array | string | undefined) {
    this.#bytesOf = bytesOf;
  }

  push(ids: Iterable<number>): string {
    let out = "";
    for (const id of ids) {
      const bytes = this.#bytesOf(id);
      if (bytes === undefined) continue;
      out += typeof bytes === "string"
        ? this.end() + bytes
        : this.#decoder.decode(bytes, { stream: true });
    }
    return out;
  }

  end(): string {
    return this.#decoder.decode();
  }
}

/**
 * Ids whose text depends on their neighbours, such as the blank between two words: each is decoded
 * together with the one before.
 */
export class WordStream implements DecodeStream {
  readonly #decode: (ids: number[]) => string;
  #context: number[] = [];
  #pending: number[] = [];

  /** `decode` turns any list of ids into text. */
  constructor(decode: (ids: number[]) => string) {
    this.#decode = decode;
  }

  push(ids: Iterable<number>): string {
    let out = "";
    for (const id of ids) {
      this.#pending.push(id);
      const text = this.#fresh();
      // Four bytes make the longest character: a longer wait means that the bytes are no text.
      if (text.endsWith(BROKEN) && this.#pending.length < 4) continue;
      out += text;
      // An id that shows nothing, such as a special one, is no context for the next.
      if (text !== "") this.#context = this.#pending;
      this.#pending = [];
    }
    return out;
  }

  end(): string {
    const text = this.#pending.length > 0 ? this.#fresh() : "";
    this.#context = [];
    this.#pending = [];
    return text;
  }

  #fresh(): string {
    const before = this.#decode(this.#context);
    return this.#decode([...this.#context, ...this.#pending]).slice(before.length);
  }
}
