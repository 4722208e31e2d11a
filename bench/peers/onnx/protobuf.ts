/**
 * Protocol buffers, as far as a file needs them that is only written: a field is its number and wire
 * type, then an integer or a length with bytes.
 *
 * @module
 */

/** Bytes in pieces: weights of many megabytes are not copied until the whole is put together. */
export type Pieces = Uint8Array<ArrayBuffer>[];

const utf8 = new TextEncoder();

function varint(n: number): number[] {
  const out: number[] = [];
  // Division and not a shift: a length may need more than 31 bits.
  for (; n >= 128; n = Math.floor(n / 128)) out.push(n % 128 | 128);
  return [...out, n];
}

/** Bytes in all. */
export function lengthOf(pieces: Pieces): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** An integer of zero or more. */
export function integer(field: number, n: number): Pieces {
  return [Uint8Array.from([...varint(field << 3), ...varint(n)])];
}

/** A number in 32 bits. */
export function float(field: number, x: number): Pieces {
  const bytes = new Uint8Array(Float32Array.of(x).buffer);
  return [Uint8Array.from([...varint(field << 3 | 5), ...bytes])];
}

/** A message within a message, of the fields given. */
export function message(field: number, ...fields: Pieces[]): Pieces {
  const content = fields.flat();
  return [Uint8Array.from([...varint(field << 3 | 2), ...varint(lengthOf(content))]), ...content];
}

/** Bytes. */
export function bytes(field: number, content: Uint8Array<ArrayBuffer>): Pieces {
  return message(field, [content]);
}

/** A string. */
export function text(field: number, content: string): Pieces {
  return bytes(field, utf8.encode(content));
}

/** The pieces as one. */
export function join(pieces: Pieces): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(lengthOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
