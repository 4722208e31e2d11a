/**
 * Tokenizers as `tokenizer.json` describes them: loaded, run and written.
 *
 * @module
 */
import { Tokenizer as Library } from "npm:@huggingface/tokenizers@0.2.0";
import { VitrailError } from "../errors.ts";
import { DecodeStream } from "./decode_stream.ts";

/** Text to ids and back. */
export interface Tokenizer {
  /** Number of ids. */
  readonly vocabularySize: number;
  /** The id that ends a document, if there is one. */
  readonly endOfText: number | undefined;
  /** Ids of a text. */
  encode(text: string): Uint32Array<ArrayBuffer>;
  /** Text of ids. */
  decode(ids: Iterable<number>): string;
  /** A decoder for ids that arrive a few at a time. */
  stream(): DecodeStream;
  /** The id of a token, as the vocabulary spells it. */
  tokenToId(token: string): number | undefined;
  /** The contents of its `tokenizer.json`. */
  toJson(): unknown;
}

/** Characters encoded at once, about: the library's cost grows faster than a very long text does. */
const PIECE = 1 << 16;

/** Runs the contents of a `tokenizer.json`. */
export class JsonTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly endOfText: number | undefined;
  readonly #library: Library;
  readonly #json: Record<string, unknown>;

  /** Takes parsed JSON. */
  // deno-lint-ignore no-explicit-any
  constructor(json: any) {
    this.#json = json;
    try {
      this.#library = new Library(json, {});
      const ids = [
        ...Object.values(json.model.vocab as Record<string, number>),
        ...(json.added_tokens ?? []).map((t: { id: number }) => t.id),
      ];
      this.vocabularySize = ids.reduce((most, id) => Math.max(most, id), -1) + 1;
    } catch (cause) {
      throw new VitrailError(
        `Cannot use this tokenizer.json: ${(cause as Error).message}; wanted a file as the ` +
          "Hugging Face tokenizers library writes it",
      );
    }
    this.endOfText = ["<|endoftext|>", "</s>", "[SEP]"]
      .map((t) => this.tokenToId(t)).find((id) => id !== undefined);
  }

  encode(text: string): Uint32Array<ArrayBuffer> {
    const ids: number[] = [];
    for (const piece of pieces(text)) {
      for (const id of this.#library.encode(piece, { add_special_tokens: false }).ids) ids.push(id);
    }
    return Uint32Array.from(ids);
  }

  decode(ids: Iterable<number>): string {
    return this.#library.decode([...ids], { skip_special_tokens: true });
  }

  stream(): DecodeStream {
    return new DecodeStream((ids) => this.decode(ids));
  }

  tokenToId(token: string): number | undefined {
    return this.#library.token_to_id(token) ?? undefined;
  }

  toJson(): unknown {
    return this.#json;
  }
}

/** Cuts a long text before the blank of a line's first word, where no word of GPT-2 reaches across. */
function* pieces(text: string): Generator<string> {
  let begin = 0;
  while (text.length - begin > PIECE) {
    // A newline that stands between two characters that are not white space is a word of its own.
    const at = text.slice(begin + PIECE).search(/\S\n\S/);
    if (at < 0) break;
    const end = begin + PIECE + at + 1;
    yield text.slice(begin, end);
    begin = end;
  }
  yield text.slice(begin);
}

/**
 * Loads a tokenizer from a file, or from a directory with `tokenizer.json` or with GPT-2's
 * `vocab.json` and `merges.txt`.
 *
 * @throws {VitrailError} if there is none, or it cannot be understood.
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const read = async (file: string): Promise<string | undefined> => {
    try {
      return await Deno.readTextFile(file);
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) {
        return undefined;
      }
      if (cause instanceof Deno.errors.IsADirectory) return undefined;
      throw new VitrailError(`Cannot read the tokenizer ${file}: ${(cause as Error).message}`);
    }
  };
  const text = (path.endsWith(".json") ? await read(path) : undefined) ??
    await read(`${path}/tokenizer.json`);
  if (text !== undefined) return new JsonTokenizer(parse(text, path));
  const [vocabulary, merges] = [await read(`${path}/vocab.json`), await read(`${path}/merges.txt`)];
  if (vocabulary === undefined || merges === undefined) {
    throw new VitrailError(
      `Cannot find a tokenizer in ${path}: wanted tokenizer.json, or vocab.json and merges.txt; ` +
        "train one with `vitrail tokenizer`, or use --ids in place of --prompt",
    );
  }
  return new JsonTokenizer(byteLevelJson({
    vocabulary: parse(vocabulary, `${path}/vocab.json`) as Record<string, number>,
    merges: merges.split("\n").filter((line) => line !== "" && !line.startsWith("#version")),
    specialTokens: ["<|endoftext|>"],
  }));
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new VitrailError(`Cannot read ${path}: it is not JSON (${(cause as Error).message})`);
  }
}

/** The part of `tokenizer.json` that all our tokenizers share. */
export function tokenizerJson(
  parts: {
    model: Record<string, unknown> & { vocab: Record<string, number> };
    preTokenizer: unknown;
    decoder: unknown;
    specialTokens: string[];
  },
): unknown {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: parts.specialTokens
      .filter((content) => content in parts.model.vocab)
      .map((content) => ({
        id: parts.model.vocab[content],
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
    normalizer: null,
    pre_tokenizer: parts.preTokenizer,
    post_processor: null,
    decoder: parts.decoder,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      ...parts.model,
    },
  };
}

/** `tokenizer.json` of a byte-level BPE, as GPT-2's. */
export function byteLevelJson(
  parts: { vocabulary: Record<string, number>; merges: string[]; specialTokens: string[] },
): unknown {
  const byteLevel = {
    type: "ByteLevel",
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  };
  return tokenizerJson({
    model: { vocab: parts.vocabulary, merges: parts.merges },
    preTokenizer: byteLevel,
    decoder: byteLevel,
    specialTokens: parts.specialTokens,
  });
}
