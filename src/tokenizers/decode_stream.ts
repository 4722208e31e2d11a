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

/** The character that stands for bytes which are no text. */
const BROKEN = "\ufffd";

/**
 * A stream that goes on behind other ids, of which it shows nothing but a character that they leave
 * unfinished. After its end it begins anew, behind none.
 */
export function continueStream(begin: () => DecodeStream, before: readonly number[]): DecodeStream {
  const stream = begin();
  if (before.length === 0) return stream;
  stream.push(before);
  // What the stream holds back of them is theirs, if it is text.
  const ended = begin();
  ended.push(before);
  const rest = ended.end();
  let hidden = rest.includes(BROKEN) ? 0 : rest.length;
  const show = (text: string): string => {
    const shown = text.slice(hidden);
    hidden = Math.max(0, hidden - text.length);
    return shown;
  };
  return {
    push: (ids) => show(stream.push(ids)),
    end() {
      const text = show(stream.end());
      hidden = 0;
      return text;
    },
  };
}
