/**
 * Decoding ids as they arrive, without ever showing half a character.
 *
 * @module
 */
import type { Decoder } from "./decoders.ts";

/** Turns ids into text a few at a time; what may still become a character is held back. */
export interface DecodeStream {
  /** Text that is certain after these ids; it may be empty. */
  push(ids: Iterable<number>): string;
  /** What is left, however broken. The stream may then begin anew. */
  end(): string;
}

/**
 * A stream whose pieces together are exactly the text of all ids decoded at once.
 *
 * @param tokenOf the token of an id; nothing if it is not shown
 */
export function decodeStream(
  decoder: Decoder,
  tokenOf: (id: number) => string | undefined,
): DecodeStream {
  let stage = decoder.stage();
  return {
    push(ids) {
      let out = "";
      for (const id of ids) {
        const token = tokenOf(id);
        if (token === undefined) continue;
        const pieces = stage.push(token);
        for (let i = 0; i < pieces.length; i++) out += pieces[i];
      }
      return out;
    },
    end() {
      const rest = stage.end().join("");
      stage = decoder.stage();
      return rest;
    },
  };
}
