/**
 * Token ids on disk: written to shards of bounded size, read a window at a time.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { describeIoError, showPath } from "../../formats/messages.ts";

/** One file of token ids. */
export interface Shard {
  /** Its name in the dataset's directory. */
  file: string;
  /** Number of tokens in it. */
  tokens: number;
}

/** Writes a long row of ids to one file after another. */
export class ShardWriter implements Disposable {
  /** What was written so far. */
  readonly shards: Shard[];
  readonly #directory: string;
  readonly #nameOf: (number: number) => string;
  readonly #bytesPerToken: 2 | 4;
  readonly #most: number;
  #file: Deno.FsFile | undefined;

  /**
   * @param nameOf gives the name of the n-th file
   * @param most tokens in a file, at most
   * @param written files that are there already, of which the last goes on
   * @throws {VitrailError} if that one cannot be opened
   */
  constructor(
    directory: string,
    options: {
      nameOf: (number: number) => string;
      bytesPerToken: 2 | 4;
      most: number;
      written?: readonly Shard[];
    },
  ) {
    this.#directory = directory;
    this.#nameOf = options.nameOf;
    this.#bytesPerToken = options.bytesPerToken;
    this.#most = options.most;
    this.shards = (options.written ?? []).map((shard) => ({ ...shard }));
    const last = this.shards.at(-1);
    if (last) this.#file = this.#reopen(last);
  }

  /** Brings what was written to the disk. */
  flush(): void {
    try {
      this.#file?.syncDataSync();
    } catch (cause) {
      throw this.#fault(cause);
    }
  }

  /** Opens a file to go on behind its first tokens; what lies there is cut off. */
  #reopen({ file: name, tokens }: Shard): Deno.FsFile {
    const bytes = tokens * this.#bytesPerToken;
    try {
      const file = Deno.openSync(`${this.#directory}/${name}`, { write: true });
      file.truncateSync(bytes);
      file.seekSync(bytes, Deno.SeekMode.Start);
      return file;
    } catch (cause) {
      throw this.#fault(cause);
    }
  }

  /** @throws {VitrailError} when the ids cannot be stored, for example on a full disk */
  write(ids: Uint32Array): void {
    try {
      for (let at = 0; at < ids.length;) {
        const shard = this.#room();
        const part = ids.subarray(at, at + this.#most - shard.tokens);
        const raw = this.#bytesPerToken === 4 ? part : Uint16Array.from(part);
        let left = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
        while (left.length > 0) left = left.subarray(this.#file!.writeSync(left));
        shard.tokens += part.length;
        at += part.length;
      }
    } catch (cause) {
      throw this.#fault(cause);
    }
  }

  /** Makes all of it durable. */
  close(): void {
    try {
      this.#file?.syncSync();
    } catch (cause) {
      throw this.#fault(cause);
    } finally {
      this[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** The shard that has room for one more token. */
  #room(): Shard {
    const last = this.shards.at(-1);
    if (last && last.tokens < this.#most) return last;
    this.close();
    const shard = { file: this.#nameOf(this.shards.length), tokens: 0 };
    this.shards.push(shard);
    this.#file = Deno.openSync(`${this.#directory}/${shard.file}`, {
      write: true,
      createNew: true,
    });
    return shard;
  }

  #fault(cause: unknown): VitrailError {
    if (cause instanceof VitrailError) return cause;
    return new VitrailError(
      `Cannot write tokens to ${showPath(this.#directory)}: ${describeIoError(cause)}`,
      { cause },
    );
  }
}

/** A long row of token ids on disk, in one file or in several. */
export class TokenStream implements Disposable {
  /** Number of tokens. */
  readonly length: number;
  readonly #parts: { file: Deno.FsFile; begin: number; end: number }[] = [];
  readonly #bytesPerToken: 2 | 4;
  readonly #vocabularySize: number;
  readonly #directory: string;

  /**
   * Opens files of 16-bit or 32-bit ids that follow one another.
   *
   * @param options.vocabularySize ids are below it; not checked if absent
   * @throws {VitrailError} when a file is missing or is not as long as it was when it was written
   */
  constructor(
    directory: string,
    shards: readonly Shard[],
    options: { bytesPerToken: 2 | 4; vocabularySize?: number },
  ) {
    const { bytesPerToken, vocabularySize = Infinity } = options;
    this.#bytesPerToken = bytesPerToken;
    this.#vocabularySize = vocabularySize;
    this.#directory = directory;
    let begin = 0;
    for (const { file: name, tokens } of shards) {
      const path = `${directory}/${name}`;
      let reason = "";
      try {
        const file = Deno.openSync(path);
        this.#parts.push({ file, begin, end: begin += tokens });
        const { size } = file.statSync();
        const wanted = tokens * bytesPerToken;
        if (size !== wanted) reason = `it has ${size} bytes, wanted ${wanted}`;
      } catch (cause) {
        reason = describeIoError(cause);
      }
      if (reason) {
        this[Symbol.dispose]();
        throw new VitrailError(
          `Cannot read the tokens in ${showPath(path)}: ${reason}; remove ${
            showPath(directory)
          } and tokenize again`,
        );
      }
    }
    this.length = begin;
  }

  /** `count` tokens from `offset` on. */
  read(offset: number, count: number): Uint32Array {
    if (offset < 0 || offset + count > this.length) {
      throw new VitrailError(
        `Cannot read tokens ${offset} to ${offset + count}: the stream holds ${this.length}`,
      );
    }
    const bytes = new Uint8Array(count * this.#bytesPerToken);
    let filled = 0;
    for (const { file, begin, end } of this.#parts) {
      const from = Math.max(offset, begin);
      const to = Math.min(offset + count, end);
      if (from >= to) continue;
      file.seekSync((from - begin) * this.#bytesPerToken, Deno.SeekMode.Start);
      const last = filled + (to - from) * this.#bytesPerToken;
      while (filled < last) {
        const n = file.readSync(bytes.subarray(filled, last));
        if (n === null) throw new VitrailError("Cannot read the dataset: its file is cut short");
        filled += n;
      }
    }
    const ids = this.#bytesPerToken === 4
      ? new Uint32Array(bytes.buffer)
      : Uint32Array.from(new Uint16Array(bytes.buffer));
    const wrong = ids.findIndex((id) => id >= this.#vocabularySize);
    if (wrong < 0) return ids;
    throw new VitrailError(
      `Cannot read the tokens in ${showPath(this.#directory)}: token ${offset + wrong} is ` +
        `${
          ids[wrong]
        }, wanted ids below ${this.#vocabularySize}; the file is damaged, tokenize again`,
    );
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    for (const { file } of this.#parts.splice(0)) file.close();
  }
}
