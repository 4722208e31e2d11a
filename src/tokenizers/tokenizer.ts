/**
 * Tokenizers as `tokenizer.json` describes them: loaded, run and written.
 *
 * @module
 */
import { Tokenizer as Library } from "npm:@huggingface/tokenizers@0.2.0";
import { VitrailError } from "../errors.ts";
import { CHARACTER_TO_BYTE, GPT2_WORDS } from "./byte_alphabet.ts";
import { endOfTextOf } from "./end_of_text.ts";
import { WordEncoder } from "./word_encoder.ts";
import { ByteStream, type DecodeStream, WordStream } from "./decode_stream.ts";
import { WordPieceEncoder } from "./word_piece.ts";
import { type BertTokenizerConfig, vocabularyTextJson } from "./word_piece_json.ts";

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

/** A token that is looked for before words are. */
interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
  single_word?: boolean;
}

/** The parts of a `tokenizer.json` that are looked at here. */
interface TokenizerFile {
  added_tokens?: AddedToken[];
  pre_tokenizer?: { type: string; add_prefix_space?: boolean; use_regex?: boolean } | null;
  normalizer?: unknown;
  decoder?: { type: string } | null;
  model: { vocab: Record<string, number> | [string, number][] };
}

/** Parts that a file may leave out, and the library wants to see. */
const OPTIONAL = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };

/** Runs the contents of a `tokenizer.json`. */
export class JsonTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  endOfText: number | undefined;
  readonly #library: Library;
  readonly #json: TokenizerFile;
  readonly #cuts: boolean;
  readonly #words: WordEncoder | undefined;
  readonly #wordPieces: WordPieceEncoder | undefined;
  #bytes: (Uint8Array | string | undefined)[] | undefined;

  /**
   * Takes parsed JSON; `source` is what to call it in errors.
   *
   * @throws {VitrailError} if it is no tokenizer that can be run.
   */
  // deno-lint-ignore no-explicit-any
  constructor(json: any, source = "this tokenizer.json") {
    this.#json = json;
    const refuse = (reason: string): VitrailError =>
      new VitrailError(
        `Cannot use ${source}: ${reason}; wanted a file as the Hugging Face tokenizers library ` +
          "writes it",
      );
    const vocabulary = json?.model?.vocab;
    if (typeof vocabulary !== "object" || vocabulary === null) {
      throw refuse("it has no model.vocab");
    }
    const added: AddedToken[] = json.added_tokens ?? [];
    try {
      const whole = { ...OPTIONAL, ...json, added_tokens: added, ...gpt2Words(json) };
      this.#library = new Library(whole, {});
    } catch (cause) {
      throw refuse((cause as Error).message.replace(/\s+/g, " "));
    }
    const ids = Array.isArray(vocabulary) ? [...vocabulary.keys()] : Object.values(vocabulary);
    const all = [...ids, ...added.map(({ id }) => id)] as number[];
    if (!all.every((id) => Number.isSafeInteger(id) && id >= 0)) {
      throw refuse("its vocabulary has an id that is no whole number from 0");
    }
    this.vocabularySize = all.reduce((most, id) => Math.max(most, id), -1) + 1;
    this.endOfText = ["<|endoftext|>", "</s>", "[SEP]"]
      .map((t) => this.tokenToId(t)).find((id) => id !== undefined);
    this.#cuts = cutsAtLines(json);
    const plain = added.every(({ lstrip, rstrip, single_word }) =>
      !lstrip && !rstrip && !single_word
    );
    if (plain && hasGpt2Words(json) && !json.normalizer) {
      this.#words = new WordEncoder((word) => this.#encode(word), added);
    }
    this.#wordPieces = WordPieceEncoder.of(json);
  }

  encode(text: string): Uint32Array<ArrayBuffer> {
    if (this.#wordPieces) return Uint32Array.from(this.#wordPieces.encode(text).ids);
    // Half a surrogate pair is no character: UTF-8 has U+FFFD in its place.
    const whole = text.toWellFormed();
    if (this.#words) return this.#words.encode(whole);
    const ids: number[] = [];
    for (const piece of this.#cuts ? pieces(whole) : [whole]) {
      for (const id of this.#encode(piece)) ids.push(id);
    }
    return Uint32Array.from(ids);
  }

  #encode(text: string): readonly number[] {
    return text === "" ? [] : this.#library.encode(text, { add_special_tokens: false }).ids;
  }

  decode(ids: Iterable<number>): string {
    const list = [...ids];
    if (list.length === 0) return "";
    // Unasked, the library closes up the blanks before stops and commas, as was done for BERT.
    return this.#library.decode(list, {
      skip_special_tokens: true,
      clean_up_tokenization_spaces: false,
    });
  }

  stream(): DecodeStream {
    if (this.#json.decoder?.type !== "ByteLevel") return new WordStream((ids) => this.decode(ids));
    const bytes = this.#bytes ??= this.#tokenBytes();
    return new ByteStream((id) => bytes[id]);
  }

  tokenToId(token: string): number | undefined {
    return this.#library.token_to_id(token) ?? undefined;
  }

  toJson(): unknown {
    return this.#json;
  }

  /** What each id stands for: bytes, or text for a token that was added; nothing if special. */
  #tokenBytes(): (Uint8Array | string | undefined)[] {
    const bytes: (Uint8Array | string | undefined)[] = new Array(this.vocabularySize);
    for (const [token, id] of Object.entries(this.#json.model.vocab)) {
      bytes[id] = Uint8Array.from(token, (character) => CHARACTER_TO_BYTE.get(character) ?? 0);
    }
    for (const { id, content, special } of this.#json.added_tokens ?? []) {
      bytes[id] = special ? undefined : content;
    }
    return bytes;
  }
}

/**
 * GPT-2's words with Unicode's white space. JavaScript's `\s` differs from it by two characters,
 * U+0085 and U+FEFF, and from the Rust library by the ids of every text that holds one.
 */
function gpt2Words(json: TokenizerFile): { pre_tokenizer?: unknown } {
  if (!hasGpt2Words(json)) return {};
  const pattern = { Regex: GPT2_WORDS.source };
  return {
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, use_regex: false },
      ],
    },
  };
}

function hasGpt2Words({ pre_tokenizer }: TokenizerFile): boolean {
  const { type, add_prefix_space, use_regex } = pre_tokenizer ?? {};
  return type === "ByteLevel" && !add_prefix_space && use_regex !== false;
}

/** Whether no word of a tokenizer reaches from one line into the next. */
function cutsAtLines(json: TokenizerFile): boolean {
  if (json.pre_tokenizer?.type === "BertPreTokenizer") return true;
  return hasGpt2Words(json) && !json.normalizer;
}

/** Cuts a long text before a newline between two characters, where no word reaches across. */
function* pieces(text: string): Generator<string> {
  // A newline that stands between two characters that are not white space is a word of its own.
  const end = /\P{White_Space}\n\P{White_Space}/gu;
  let begin = 0;
  while (text.length - begin > PIECE) {
    end.lastIndex = begin + PIECE;
    if (!end.test(text)) break;
    const cut = text.lastIndexOf("\n", end.lastIndex - 1);
    yield text.slice(begin, cut);
    begin = cut;
  }
  yield text.slice(begin);
}

/**
 * Loads a tokenizer from a file, or from a directory with `tokenizer.json`, with GPT-2's
 * `vocab.json` and `merges.txt`, or with BERT's `vocab.txt`. Which token ends a text is what
 * `generation_config.json`, `config.json` or `tokenizer_config.json` beside it say.
 *
 * @throws {VitrailError} if there is none, or it cannot be understood.
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const tokenizer = await openTokenizer(path);
  const directory = path.endsWith(".json") ? path.replace(/[^/]*$/, ".") : path;
  tokenizer.endOfText = endOfTextOf(directory, tokenizer);
  return tokenizer;
}

async function openTokenizer(path: string): Promise<JsonTokenizer> {
  const text = path.endsWith(".json") ? await read(path) : undefined;
  if (text !== undefined) return new JsonTokenizer(parse(text, path), path);
  const inside = `${path}/tokenizer.json`;
  const json = await read(inside);
  if (json !== undefined) return new JsonTokenizer(parse(json, inside), inside);
  const lines = await read(`${path}/vocab.txt`);
  if (lines !== undefined) {
    const config = `${path}/tokenizer_config.json`;
    const settings = parse(await read(config) ?? "{}", config) as BertTokenizerConfig;
    return new JsonTokenizer(vocabularyTextJson(lines, settings), `${path}/vocab.txt`);
  }
  const [vocabulary, merges] = [await read(`${path}/vocab.json`), await read(`${path}/merges.txt`)];
  if (vocabulary === undefined || merges === undefined) {
    throw new VitrailError(
      `Cannot find a tokenizer in ${path}: wanted tokenizer.json, or vocab.json and ` +
        "merges.txt, or vocab.txt; " +
        "train one with `vitrail tokenizer train`, or give token ids with --ids where a command " +
        "has it",
    );
  }
  return new JsonTokenizer(
    byteLevelJson({
      vocabulary: parse(vocabulary, `${path}/vocab.json`) as Record<string, number>,
      merges: merges.split("\n").filter((line) => line !== "" && !line.startsWith("#version")),
      specialTokens: ["<|endoftext|>"],
    }),
    `${path}/vocab.json`,
  );
}

/** A file's text; nothing if there is no such file. */
async function read(file: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    const { NotFound, NotADirectory, IsADirectory } = Deno.errors;
    if ([NotFound, NotADirectory, IsADirectory].some((kind) => cause instanceof kind)) {
      return undefined;
    }
    throw new VitrailError(`Cannot read the tokenizer ${file}: ${(cause as Error).message}`);
  }
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/\s+/g, " ");
    throw new VitrailError(`Cannot read ${path}: it is not JSON (${reason})`);
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
