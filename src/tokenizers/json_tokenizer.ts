/**
 * Runs the contents of a `tokenizer.json` as the Rust library does.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { checkValue } from "../formats/json_rules.ts";
import { quoteName, showPath } from "../formats/messages.ts";
import { withinTime } from "../formats/time_limit.ts";
import type { AddedToken } from "./added_tokens.ts";
import { BYTE_TO_CHARACTER } from "./byte_alphabet.ts";
import { type Decoder, DECODERS, SPACED } from "./decoders.ts";
import { continueStream, type DecodeStream, decodeStream } from "./decode_stream.ts";
import { fileRule } from "./file_rule.ts";
import type { Model } from "./models/model.ts";
import { makeModel } from "./models/models.ts";
import { NORMALIZERS } from "./normalizers.ts";
import { type AnyPart, makePart } from "./part.ts";
import { type Pieces, Pipeline } from "./pipeline.ts";
import { PRE_TOKENIZERS } from "./pre_tokenizers.ts";

/** Options of decoding. */
export interface DecodeOptions {
  /** Whether special tokens are left out; by default they are. */
  skipSpecialTokens?: boolean;
}

/** Options of a stream. */
export interface StreamOptions extends DecodeOptions {
  /**
   * Ids that stand before: what comes is shown as their continuation. Some tokenizers leave out the
   * blank before a text's first word.
   */
  after?: Iterable<number>;
}

/** Text to ids and back. */
export interface Tokenizer {
  /** Number of ids. */
  readonly vocabularySize: number;
  /** Number of ids without the tokens that were added to the vocabulary. */
  readonly modelSize?: number;
  /** The id that ends a document, if there is one. */
  readonly endOfText: number | undefined;
  /** Special tokens by their roles, such as `eos_token`, as the files beside it name them. */
  readonly namedTokens?: Readonly<Record<string, string>>;
  /** Ids of a text. */
  encode(text: string): Uint32Array<ArrayBuffer>;
  /** Pieces of a text, and where in it each comes from. */
  pieces(text: string): Pieces;
  /** Text of ids. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** A decoder for ids that arrive a few at a time. */
  stream(options?: StreamOptions): DecodeStream;
  /** The id of a token, as the vocabulary spells it. */
  tokenToId(token: string): number | undefined;
  /** The contents of its `tokenizer.json`. */
  toJson(): unknown;
}

/** A tokenizer that a `tokenizer.json` describes. */
export class JsonTokenizer implements Tokenizer {
  /**
   * Seconds that a short text may take, where the file has regular expressions of its own: one may backtrack
   * without end. A long text has another for each 50,000 characters, ten times what Llama's pattern takes.
   */
  static patternSeconds = 5;
  readonly vocabularySize: number;
  /** Number of ids without added tokens. */
  readonly modelSize: number;
  /** Number of ids without the tokens that files beside it add. */
  ownSize: number;
  endOfText: number | undefined;
  /**
   * Told of text that no token of the vocabulary stands for, once: other text of that kind is not
   * spoken of again. Unless another function is put here, it warns on the console.
   */
  onUnknown: (message: string) => void = (message) => console.warn(message);
  /** Special tokens by their roles, such as `eos_token`, as the files beside it name them. */
  namedTokens: Readonly<Record<string, string>> = {};
  readonly #json: unknown;
  readonly #pipeline: Pipeline;
  readonly #decoder: Decoder;
  readonly #model: Model;
  readonly #added = new Map<string, number>();
  readonly #tokens: (string | undefined)[] = [];
  readonly #isSpecial: boolean[] = [];
  readonly #hasPattern: boolean;
  readonly #source: string;
  readonly #trims: { addsPrefix: boolean } | undefined;
  /** The id that stands for text of more than one kind: what is at its place is what it is. */
  readonly #unknownText: number | undefined;
  #unknown: Set<string> | undefined = new Set();

  /**
   * Takes parsed JSON; `source` is what to call it in errors.
   *
   * @throws {VitrailError} if it is no tokenizer, or has a part that is not supported.
   */
  constructor(json: unknown, source = "this tokenizer.json") {
    this.#json = json;
    this.#source = source;
    const fault = (reason: string) => new VitrailError(`Cannot use ${source}: ${reason}`);
    const file = checkValue(json, fileRule, { fault });
    try {
      this.#model = makeModel(file.model, (text) => this.#unknown?.add(text));
      const normalizer = file.normalizer
        ? makePart(file.normalizer, NORMALIZERS, "normalizer")
        : undefined;
      const steps = file.pre_tokenizer
        ? makePart(file.pre_tokenizer, PRE_TOKENIZERS, "pre-tokenizer")
        : [];
      this.#decoder = file.decoder ? makePart(file.decoder, DECODERS, "decoder") : SPACED;
      const added = this.#number(file.added_tokens ?? []);
      this.#pipeline = new Pipeline({ added, normalizer, steps, model: this.#model });
      for (const [token, id] of this.#model.vocabulary) this.#tokens[id] = token;
      for (const { id, content, normalized } of added) {
        this.#tokens[id] = normalized ? this.#pipeline.normalize(content) : content;
      }
    } catch (cause) {
      throw cause instanceof VitrailError ? fault(cause.message) : cause;
    }
    const special = new Set(
      (file.added_tokens ?? []).filter((t) => t.special).map((t) => t.content),
    );
    this.#tokens.forEach((token, id) => this.#isSpecial[id] = special.has(token!));
    this.#trims = trimsOf(file.post_processor);
    const { normalizer, pre_tokenizer, decoder } = file;
    this.#hasPattern = hasPattern([normalizer, pre_tokenizer, decoder]);
    const { type, unk_id } = file.model as { type?: string; unk_id?: number };
    this.#unknownText = type === "Unigram" ? unk_id : undefined;
    this.vocabularySize = this.#tokens.length;
    this.ownSize = this.vocabularySize;
    this.modelSize = this.#model.vocabulary.values().reduce((a, id) => Math.max(a, id + 1), 0);
    this.endOfText = ["<|endoftext|>", "</s>", "[SEP]"]
      .map((t) => this.tokenToId(t)).find((id) => id !== undefined);
  }

  /** Added tokens with the ids that the library gives them, whatever those of the file are. */
  #number(tokens: readonly AddedToken[]): AddedToken[] {
    const byId = new Map<number, AddedToken>();
    let next = this.#model.vocabulary.size;
    for (const token of tokens) {
      if (token.content === "") continue;
      const id = this.tokenToId(token.content) ?? next++;
      this.#added.set(token.content, id);
      byId.set(id, { ...token, id });
    }
    return [...byId.values()];
  }

  encode(text: string): Uint32Array<ArrayBuffer> {
    // Half a surrogate pair is no character: UTF-8 has U+FFFD in its place.
    const ids = this.#bounded(text.length, () => this.#pipeline.ids(text.toWellFormed()));
    this.#reportUnknown();
    return ids;
  }

  pieces(text: string): Pieces {
    const added = new Map<number, string>();
    const pieces = this.#bounded(
      text.length,
      () => this.#pipeline.pieces(text.toWellFormed(), added),
    );
    this.#reportUnknown();
    if (this.#trims) {
      // What is unknown to a unigram model is as the text has it.
      const tokenOf = (id: number, i: number) =>
        added.get(i) ?? (id === this.#unknownText ? undefined : this.#tokens[id]);
      trim(pieces, text.toWellFormed(), { ...this.#trims, tokenOf });
    }
    return pieces;
  }

  /** Ends what a pattern of the file makes of a text, if it takes too long. */
  #bounded<T>(length: number, work: () => T): T {
    if (!this.#hasPattern) return work();
    const seconds = JsonTokenizer.patternSeconds + length / 50_000;
    const fault = (): VitrailError =>
      new VitrailError(
        `Cannot tokenize with ${showPath(this.#source)}: ${length} characters take longer than ` +
          `${seconds.toFixed(1)} s, since a regular expression of it backtracks without end`,
      );
    try {
      return withinTime(work, { seconds, fault });
    } catch (cause) {
      // V8 compiles a pattern when it is first used.
      if (!(cause instanceof SyntaxError || cause instanceof RangeError)) throw cause;
      throw new VitrailError(
        `Cannot tokenize with ${showPath(this.#source)}: a regular expression of it is too large`,
        { cause },
      );
    }
  }

  /** Says once that the vocabulary does not have something. */
  #reportUnknown(): void {
    if (!this.#unknown?.size) return;
    const some = [...this.#unknown];
    this.#unknown = undefined;
    const shown = some.slice(0, 5).map(quoteName).join(", ") + (some.length > 5 ? ", …" : "");
    this.onUnknown(
      `The tokenizer does not know ${shown}: it reads its token for the unknown there, or nothing ` +
        "(said once)",
    );
  }

  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const stream = this.stream(options);
    return stream.push(ids) + stream.end();
  }

  stream({ after = [], ...options }: StreamOptions = {}): DecodeStream {
    return continueStream(() => this.#streamFrom(options), [...after]);
  }

  #streamFrom({ skipSpecialTokens = true }: DecodeOptions): DecodeStream {
    const stream = decodeStream(
      this.#decoder,
      (id) => skipSpecialTokens && this.#isSpecial[id] ? undefined : this.#tokens[id],
    );
    if (!this.#hasPattern) return stream;
    return {
      push: (ids) => {
        const list = [...ids];
        return this.#bounded(list.length, () => stream.push(list));
      },
      end: () => this.#bounded(0, () => stream.end()),
    };
  }

  tokenToId(token: string): number | undefined {
    return this.#added.get(token) ?? this.#model.vocabulary.get(token);
  }

  toJson(): unknown {
    return this.#json;
  }
}

/** Whether there is something to search for anywhere in parts of a file. */
function hasPattern(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, inner]) =>
    key === "Regex" || key === "String" || hasPattern(inner)
  );
}

/** Whether the post-processor takes blanks off the offsets. */
function trimsOf(part: AnyPart | null | undefined): { addsPrefix: boolean } | undefined {
  const { type, trim_offsets, add_prefix_space, processors } = (part ?? {}) as {
    type?: string;
    trim_offsets?: boolean;
    add_prefix_space?: boolean;
    processors?: AnyPart[];
  };
  if (type === "Sequence") return (processors ?? []).map(trimsOf).find((found) => found);
  if (type !== "ByteLevel" && type !== "RobertaProcessing") return undefined;
  return trim_offsets ?? true ? { addsPrefix: add_prefix_space ?? true } : undefined;
}

const BLANK = new RegExp(`[\\p{White_Space}${BYTE_TO_CHARACTER[0x20]}]`, "v");

/** Takes the blanks at the ends of pieces off their offsets; `tokenOf` has what each piece is. */
function trim(
  pieces: Pieces,
  text: string,
  { addsPrefix, tokenOf }: {
    addsPrefix: boolean;
    tokenOf: (id: number, i: number) => string | undefined;
  },
): void {
  pieces.ids.forEach((id, i) => {
    let [begin, end] = pieces.offsets[i];
    const token = tokenOf(id, i) ?? text.slice(begin, end);
    let leading = 0;
    while (leading < token.length && BLANK.test(token[leading])) leading++;
    let trailing = 0;
    while (trailing < token.length && BLANK.test(token[token.length - 1 - trailing])) trailing++;
    // A blank that was put before the first word is none of the text.
    if (leading === 1 && addsPrefix && (i === 0 || begin === 0)) leading = 0;
    for (; leading > 0 && begin < end; leading--) begin += isPair(text, begin) ? 2 : 1;
    if (trailing <= end) {
      for (; trailing > 0 && end > begin; trailing--) end -= isPair(text, end - 2) ? 2 : 1;
    }
    pieces.offsets[i] = [begin, end];
  });
}

/** Whether a character of two units begins there. */
function isPair(text: string, position: number): boolean {
  return (text.codePointAt(position) ?? 0) > 0xffff;
}
