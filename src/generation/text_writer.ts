/**
 * The text of a sequence while its tokens come: in whole characters, up to a stop string.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { DecodeStream } from "../tokenizers/decode_stream.ts";

/**
 * Checks stop strings.
 *
 * @throws {VitrailError} if one is empty
 */
export function checkStops(stop: readonly string[]): void {
  if (stop.every((text) => text !== "")) return;
  throw new VitrailError(
    "Cannot stop before an empty text, with which every text begins: give a stop string of at " +
      "least one character",
  );
}

/**
 * Collects the text of one sequence. What is reported are whole characters, and nothing that could turn
 * out to begin a stop string; all pieces together are the text.
 */
export class TextWriter {
  /** The text so far; without the stop string if it has ended. */
  text = "";
  /** Whether a stop string has ended it. */
  stopped = false;
  readonly #stream: DecodeStream;
  readonly #stop: readonly string[];
  readonly #longest: number;
  readonly #onText: ((piece: string) => void) | undefined;
  #reported = 0;

  /**
   * @param stream decodes its tokens
   * @param options.stop it ends before the first of these
   * @param options.onText called with each piece
   * @throws {VitrailError} if a stop string is empty
   */
  constructor(
    stream: DecodeStream,
    options: { stop?: readonly string[]; onText?: (piece: string) => void } = {},
  ) {
    const { stop = [], onText } = options;
    checkStops(stop);
    this.#stream = stream;
    this.#stop = stop;
    this.#longest = stop.reduce((most, text) => Math.max(most, text.length), 0);
    this.#onText = onText;
  }

  /**
   * Takes tokens, and returns how many of them are the sequence's: all, or those up to the one that
   * completes a stop string. None is taken after that.
   */
  push(ids: readonly number[]): number {
    let taken = 0;
    while (taken < ids.length && !this.stopped) this.#add(this.#stream.push([ids[taken++]]));
    this.#report(this.text.length - (this.stopped ? 0 : Math.max(0, this.#longest - 1)));
    return taken;
  }

  /** Adds what was held back when no more tokens come, and returns the text. */
  end(): string {
    if (!this.stopped) this.#add(this.#stream.end());
    this.#report(this.text.length);
    return this.text;
  }

  #add(piece: string): void {
    const from = Math.max(0, this.text.length - this.#longest + 1);
    this.text += piece;
    const found = this.#stop.map((stop) => this.text.indexOf(stop, from)).filter((at) => at >= 0);
    if (found.length === 0) return;
    this.text = this.text.slice(0, Math.min(...found));
    this.stopped = true;
  }

  #report(end: number): void {
    // Half a surrogate pair is no character.
    const whole = isHighSurrogate(this.text.charCodeAt(end - 1)) ? end - 1 : end;
    if (whole <= this.#reported) return;
    this.#onText?.(this.text.slice(this.#reported, whole));
    this.#reported = whole;
  }
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
