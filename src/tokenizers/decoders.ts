/**
 * The decoders of a `tokenizer.json`: how tokens become text again. Each is a stage that takes one
 * token after another, so that a text which is streamed is the text that is decoded at once.
 *
 * @module
 */
import {
  boolean,
  countOrNone,
  listOf,
  object,
  optional,
  type Rule,
  text,
} from "../formats/json_rules.ts";
import { CHARACTER_TO_BYTE } from "./byte_alphabet.ts";
import { anyPart, byteLevelRule, definePart, type PartTable } from "./part.ts";
import { type Pattern, pattern, patternRule } from "./pattern.ts";
import { metaspaceRule, schemeOf } from "./pre_tokenizers.ts";

/** Takes tokens, and gives those that they become as soon as these are certain. */
export interface Stage {
  push(token: string): readonly string[];
  /** What is left when no token follows. */
  end(): readonly string[];
}

/** One decoder. */
export interface Decoder {
  /** A stage of it for tokens; each decoding has its own. */
  stage(): Stage;
  /**
   * A stage for the pieces of one long token, if that can say something before the last piece: what
   * stands behind a decoder that joins all tokens.
   */
  pieces?(): Stage;
  /** Whether it joins all tokens into one. */
  joins?: boolean;
}

const NONE: readonly string[] = [];

/** A decoder that changes each token by itself. */
const each = (change: (token: string, index: number) => string): Decoder => ({
  stage() {
    let index = 0;
    return { push: (token) => [change(token, index++)], end: () => NONE };
  },
});

/** Collects the pieces of one token until it is whole. */
function collect(inner: Stage): Stage {
  let whole = "";
  return {
    push(piece) {
      whole += piece;
      return NONE;
    },
    end: () => [...inner.push(whole), ...inner.end()],
  };
}

/** Stages one behind another. */
function chain(stages: readonly Stage[]): Stage {
  const through = (tokens: readonly string[], first: number): readonly string[] => {
    let now = tokens;
    for (let i = first; i < stages.length && now.length > 0; i++) {
      now = now.length === 1 ? stages[i].push(now[0]) : now.flatMap((t) => stages[i].push(t));
    }
    return now;
  };
  return {
    push: (token) => through([token], 0),
    end: () => stages.flatMap((stage, i) => through(stage.end(), i + 1)),
  };
}

/** Decoders one behind another. */
export function sequence(decoders: readonly Decoder[]): Decoder {
  const stages = (alreadyJoined: boolean): Stage => {
    let joined = alreadyJoined;
    return chain(decoders.map((decoder) => {
      const stage = joined ? decoder.pieces?.() ?? collect(decoder.stage()) : decoder.stage();
      joined ||= decoder.joins ?? false;
      return stage;
    }));
  };
  return {
    stage: () => stages(false),
    pieces: () => stages(true),
    joins: decoders.some(({ joins }) => joins),
  };
}

/** Tokens as they are, in one text. */
const fuse: Decoder = { ...each((token) => token), joins: true };
fuse.pieces = fuse.stage;

/** Characters of GPT-2's alphabet, which are bytes; any other token is its own text. */
function byteLevel(): Decoder {
  // Tokens of whole characters, which are nearly all, need no decoder.
  const whole = new Map<string, readonly string[] | undefined>();
  const wholeText = (token: string): readonly string[] | undefined => {
    if (!whole.has(token)) whole.set(token, decodeStrictly(bytesOf(token)));
    return whole.get(token);
  };
  return {
    joins: true,
    stage() {
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      // Whether bytes of a character that is not whole yet may be held back.
      let open = false;
      return {
        push(token) {
          const text = wholeText(token);
          if (text && !open) return text;
          open = !text;
          return [decoder.decode(bytesOf(token), { stream: true })];
        },
        end: () => [decoder.decode()],
      };
    },
  };
}

/** The text of bytes, in a list; nothing if they are no UTF-8. */
function decodeStrictly(bytes: Uint8Array): readonly string[] | undefined {
  try {
    return [new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)];
  } catch {
    return undefined;
  }
}

const utf8 = new TextEncoder();

function bytesOf(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = CHARACTER_TO_BYTE.get(token[i]);
    if (byte === undefined) return utf8.encode(token);
    bytes[i] = byte;
  }
  return bytes;
}

/** Tokens such as `<0x41>`, which are bytes; if all in a row are no UTF-8, each is U+FFFD. */
const byteFallback: Decoder = {
  stage() {
    let bytes: number[] = [];
    const flush = (): readonly string[] => {
      if (bytes.length === 0) return [];
      const row = bytes;
      bytes = [];
      return decodeStrictly(Uint8Array.from(row)) ?? row.map(() => "\ufffd");
    };
    return {
      push(token) {
        const byte = token.match(/^<0x([0-9a-fA-F]{2}|\+[0-9a-fA-F])>$/);
        if (!byte) return [...flush(), token];
        bytes.push(parseInt(byte[1], 16));
        return NONE;
      },
      end: flush,
    };
  },
};

/** What stands at the end of a word becomes a blank, unless the text ends there. */
const bytePair = (suffix: string): Decoder => ({
  stage() {
    let last: string | undefined;
    return {
      push(token) {
        const before = last;
        last = token;
        return before === undefined ? NONE : [before.replaceAll(suffix, " ")];
      },
      end: () => last === undefined ? NONE : [last.replaceAll(suffix, "")],
    };
  },
});

/** Closes up the blanks that stand before stops and in short forms. */
function closeBlanks(text: string): string {
  return text.replaceAll(" .", ".").replaceAll(" ?", "?").replaceAll(" !", "!")
    .replaceAll(" ,", ",").replaceAll(" ' ", "'").replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m").replaceAll(" do not", " don't").replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve").replaceAll(" 're", "'re");
}

const wordPiece = (prefix: string, cleanup: boolean): Decoder =>
  each((token, index) => {
    let out = token;
    if (index > 0) out = token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
    return cleanup ? closeBlanks(out) : out;
  });

/** Of equal tokens in a row one is kept, and what parts them goes. */
const ctc = (
  part: { pad_token: string; word_delimiter_token: string; cleanup: boolean },
): Decoder => ({
  stage() {
    let last: string | undefined;
    return {
      push(token) {
        if (token === last) return NONE;
        last = token;
        let out = token.replaceAll(part.pad_token, "");
        if (part.cleanup) out = closeBlanks(out).replaceAll(part.word_delimiter_token, " ");
        return out === "" ? NONE : [out];
      },
      end: () => NONE,
    };
  },
});

function replaceAll(token: string, what: Pattern, content: string): string {
  return what.matches(token)
    .map(({ begin, end, isMatch }) => isMatch ? content : token.slice(begin, end)).join("");
}

/** Replaces a text in one that arrives in pieces: what may be its beginning is held back. */
function replaceInPieces(wanted: string, content: string): Stage {
  let held = "";
  return {
    push(piece) {
      const parts = (held + piece).split(wanted);
      const rest = parts.pop()!;
      let keep = Math.min(wanted.length - 1, rest.length);
      while (!wanted.startsWith(rest.slice(rest.length - keep))) keep--;
      held = rest.slice(rest.length - keep);
      return [[...parts, rest.slice(0, rest.length - keep)].join(content)];
    },
    end: () => [held],
  };
}

function strip(token: string, content: string, start: number, stop: number): string {
  const characters = [...token];
  let [begin, end] = [0, characters.length];
  while (begin < Math.min(start, characters.length) && characters[begin] === content) begin++;
  while (end > begin && characters.length - end < stop && characters[end - 1] === content) end--;
  return characters.slice(begin, end).join("");
}

/** Takes a character off the two ends of a text that arrives in pieces. */
function stripPieces(content: string, start: number, stop: number): Stage {
  let left = start;
  let held = "";
  return {
    push(piece) {
      let rest = held + piece;
      while (left > 0 && rest !== "") {
        if (!rest.startsWith(content)) left = 0;
        else {
          rest = rest.slice(content.length);
          left--;
        }
      }
      let end = rest.length;
      while (rest.slice(0, end).endsWith(content) && (rest.length - end) / content.length < stop) {
        end -= content.length;
      }
      held = rest.slice(end);
      return [rest.slice(0, end)];
    },
    end: () => NONE,
  };
}

/** One character. */
const oneCharacter: Rule<string> = {
  wanted: "one character",
  holds: (value) => typeof value === "string" && /^[^]$/v.test(value),
};

/** Every decoder that is known, by the name that the file has for it. */
export const DECODERS: PartTable<Decoder> = {
  BPEDecoder: definePart(object({ suffix: text }), ({ suffix }) => bytePair(suffix)),
  ByteFallback: definePart(object({}), () => byteFallback),
  ByteLevel: definePart(byteLevelRule, byteLevel),
  CTC: definePart(object({ pad_token: text, word_delimiter_token: text, cleanup: boolean }), ctc),
  Fuse: definePart(object({}), () => fuse),
  Metaspace: definePart(metaspaceRule, (part) => {
    const opens = schemeOf(part) !== "never";
    return each((token, index) =>
      token.replaceAll(part.replacement, index === 0 && opens ? "" : " ")
    );
  }),
  Replace: definePart(object({ pattern: patternRule, content: text }), (part) => {
    const [what, { content }] = [pattern(part.pattern), part];
    const wanted = "String" in part.pattern ? part.pattern.String : "";
    return {
      ...each((token) => replaceAll(token, what, content)),
      ...wanted !== "" && { pieces: () => replaceInPieces(wanted, content) },
    };
  }),
  Sequence: definePart(
    object({ decoders: listOf(anyPart) }),
    ({ decoders }, make) => sequence(decoders.map(make)),
  ),
  Strip: definePart(
    object({ content: oneCharacter, start: countOrNone, stop: countOrNone }),
    ({ content, start, stop }) => ({
      ...each((token) => strip(token, content, start, stop)),
      pieces: () => stripPieces(content, start, stop),
    }),
  ),
  WordPiece: definePart(
    object({ prefix: text, cleanup: optional(boolean) }),
    ({ prefix, cleanup }) => wordPiece(prefix, cleanup ?? true),
  ),
};

/** What a file without a decoder does: tokens with a blank between. */
export const SPACED: Decoder = each((token, index) => index === 0 ? token : ` ${token}`);
