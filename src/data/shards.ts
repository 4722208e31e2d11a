/**
 * Tokenized text on disk: written once, read a window at a time, never held whole.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Document } from "./documents.ts";

/** What tokenizing needs of a tokenizer. */
export interface Encoder {
  /** Number of ids. */
  readonly vocabularySize: number;
  /** Written after each document, if there is one. */
  readonly endOfText: number | undefined;
  /** Ids of a text. */
  encode(text: string): Uint32Array;
}

/** One side of the split. */
export interface StreamIndex {
  /** Number of tokens. */
  tokens: number;
  /** UTF-8 bytes of their text. */
  bytes: number;
  /** Number of documents. */
  documents: number;
}

/** `index.json` of a tokenized corpus. */
export interface DatasetIndex {
  /** Number of ids of the tokenizer. */
  vocabularySize: number;
  /** Bytes of a token on disk. */
  bytesPerToken: 2 | 4;
  /** Trained on. */
  train: StreamIndex;
  /** Held out. */
  validation: StreamIndex;
}

type Side = "train" | "validation";

/** FNV-1a of a text: equal texts fall on the same side of the split. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 12)) >>> 0;
}

/** Cuts one document in two at a blank line, or else at a line, near the end of its first part. */
function cut(document: Document, fraction: number): [Document, Document] {
  const { id, text } = document;
  const near = Math.floor(text.length * (1 - fraction));
  const found = ["\n\n", "\n", " "].map((mark) => text.lastIndexOf(mark, near) + mark.length)
    .find((at) => at > text.length / 4) ?? near;
  return [{ id: `${id}:head`, text: text.slice(0, found) }, {
    id: `${id}:tail`,
    text: text.slice(found),
  }];
}

class Writer {
  readonly index: StreamIndex = { tokens: 0, bytes: 0, documents: 0 };
  readonly #file: Deno.FsFile;
  readonly #wide: boolean;

  constructor(path: string, wide: boolean) {
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
    this.#wide = wide;
  }

  write(ids: Uint32Array, bytes: number): void {
    const raw = this.#wide ? ids : Uint16Array.from(ids);
    let left = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
    while (left.length > 0) left = left.subarray(this.#file.writeSync(left));
    this.index.tokens += ids.length;
    this.index.bytes += bytes;
    this.index.documents++;
  }

  close(): void {
    this.#file.close();
  }
}

/**
 * Tokenizes documents into `directory`, which appears whole or not at all.
 *
 * A document goes to one side by a hash of its text, so that a copy of it goes there too; where that
 * would leave a side empty, the last document is cut and its tail held out.
 *
 * @throws {VitrailError} if there is no text.
 */
export async function tokenizeCorpus(
  documents: AsyncIterable<Document>,
  encoder: Encoder,
  options: {
    directory: string;
    validationFraction?: number;
    onProgress?: (progress: { documents: number; bytes: number; tokens: number }) => void;
  },
): Promise<DatasetIndex> {
  const { directory, validationFraction = 0.1, onProgress } = options;
  const temporary = `${directory}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  Deno.mkdirSync(temporary, { recursive: true });
  const wide = encoder.vocabularySize > 1 << 16;
  const writers = {
    train: new Writer(`${temporary}/train.bin`, wide),
    validation: new Writer(`${temporary}/validation.bin`, wide),
  };
  const utf8 = new TextEncoder();
  const put = (side: Side, { text }: Document): void => {
    const ids = encoder.encode(text);
    const { endOfText } = encoder;
    const whole = endOfText === undefined ? ids : Uint32Array.from([...ids, endOfText]);
    writers[side].write(whole, utf8.encode(text).length);
    const { train, validation } = {
      train: writers.train.index,
      validation: writers.validation.index,
    };
    onProgress?.({
      documents: train.documents + validation.documents,
      bytes: train.bytes + validation.bytes,
      tokens: train.tokens + validation.tokens,
    });
  };
  try {
    // The latest document waits, in case one side is still empty when it turns out to be the last.
    let waiting: Document | undefined;
    for await (const document of documents) {
      if (document.text.trim() === "") continue;
      if (waiting) put(sideOf(waiting, validationFraction), waiting);
      waiting = document;
    }
    if (!waiting) {
      throw new VitrailError(
        "Cannot tokenize an empty corpus: give at least one text with words in it",
      );
    }
    const side = sideOf(waiting, validationFraction);
    const other: Side = side === "train" ? "validation" : "train";
    const lacking = validationFraction > 0 && writers[other].index.documents === 0 ||
      writers.train.index.documents === 0 && side !== "train";
    if (lacking) {
      const [head, tail] = cut(waiting, validationFraction);
      put("train", head);
      put("validation", tail);
    } else {
      put(side, waiting);
    }
    const index: DatasetIndex = {
      vocabularySize: encoder.vocabularySize,
      bytesPerToken: wide ? 4 : 2,
      train: writers.train.index,
      validation: writers.validation.index,
    };
    Deno.writeTextFileSync(`${temporary}/index.json`, JSON.stringify(index, null, 2) + "\n");
    try {
      Deno.removeSync(directory, { recursive: true });
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
    Deno.renameSync(temporary, directory);
    return index;
  } catch (cause) {
    Deno.removeSync(temporary, { recursive: true });
    throw cause;
  } finally {
    writers.train.close();
    writers.validation.close();
  }
}

function sideOf(document: Document, validationFraction: number): Side {
  return hash(document.text) / 2 ** 32 < validationFraction ? "validation" : "train";
}

/** A tokenized corpus. */
export interface Dataset extends DatasetIndex {
  /** Opens one side. */
  open(side: Side): TokenStream;
}

/** Opens what `tokenizeCorpus` wrote. */
export function openDataset(directory: string): Dataset {
  let index: DatasetIndex;
  try {
    index = JSON.parse(Deno.readTextFileSync(`${directory}/index.json`));
  } catch {
    throw new VitrailError(
      `Cannot open the dataset ${directory}: it has no readable index.json; tokenize it again`,
    );
  }
  return {
    ...index,
    open: (side) =>
      new TokenStream(`${directory}/${side}.bin`, index[side].tokens, index.bytesPerToken),
  };
}

/** A long row of token ids on disk. */
export class TokenStream {
  /** Number of tokens. */
  readonly length: number;
  readonly #file: Deno.FsFile;
  readonly #bytesPerToken: 2 | 4;

  /** Opens a file of 16-bit or 32-bit ids. */
  constructor(path: string, length: number, bytesPerToken: 2 | 4) {
    this.#file = Deno.openSync(path);
    this.#bytesPerToken = bytesPerToken;
    this.length = length;
  }

  /** `count` tokens from `offset` on. */
  read(offset: number, count: number): Uint32Array {
    if (offset < 0 || offset + count > this.length) {
      throw new VitrailError(
        `Cannot read tokens ${offset} to ${offset + count}: the stream holds ${this.length}`,
      );
    }
    const bytes = new Uint8Array(count * this.#bytesPerToken);
    this.#file.seekSync(offset * this.#bytesPerToken, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) {
      const n = this.#file.readSync(bytes.subarray(at));
      if (n === null) throw new VitrailError("Cannot read the dataset: its file is cut short");
      at += n;
    }
    return this.#bytesPerToken === 4
      ? new Uint32Array(bytes.buffer)
      : Uint32Array.from(new Uint16Array(bytes.buffer));
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}
