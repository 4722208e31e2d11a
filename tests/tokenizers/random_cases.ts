/** What Python's `tokenizers` makes of texts, and where a tokenizer of ours differs. @module */

import { VitrailError } from "../../src/errors.ts";
import { sequenceTemplate } from "../../src/tokenizers/sequence_template.ts";
import type { JsonTokenizer } from "../../src/tokenizers/tokenizer.ts";

interface Row {
  text: string;
  /** The library's own error. */
  refused?: string;
  ids: number[];
  /** In characters. */
  offsets?: [number, number][];
  words?: number[];
  /** Absent if decoding panics. */
  decoded?: string | null;
  /** With special tokens. */
  whole?: string | null;
}

/** One tokenizer, as `scripts/reference/tokenizers/make_random.py` writes it. */
export interface RandomCase {
  // deno-lint-ignore no-explicit-any
  json: any;
  rows: Row[];
  pairs: { a: string; b: string; refused?: string; ids: number[]; segments: number[] }[];
  decodes: { ids: number[]; decoded: string | null; whole: string | null }[];
}

/** Everything in which a tokenizer differs, in words. */
export function differencesOf(tokenizer: JsonTokenizer, made: RandomCase): string[] {
  const found: string[] = [];
  const check = (what: string, text: unknown, ours: () => unknown, wanted: unknown) => {
    let got: unknown;
    try {
      got = ours();
    } catch (fault) {
      // What the library cannot encode either is refused in our own words.
      if (fault instanceof VitrailError && wanted === undefined) return;
      got = `${fault}`;
    }
    const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
    if (wanted !== undefined && a !== b) {
      const cut = (s: string) => s.length > 100 ? s.slice(0, 100) + "…" : s;
      found.push(`${what} of ${cut(JSON.stringify(text))}: got ${cut(a)}, wanted ${cut(b)}`);
    }
  };
  for (const { text, refused, ids, offsets, words, decoded, whole } of made.rows) {
    if (refused !== undefined) {
      check("ids", text, () => Array.from(tokenizer.encode(text)), undefined);
      continue;
    }
    check("ids", text, () => Array.from(tokenizer.encode(text)), ids);
    if (offsets && hasPlainOffsets(made.json)) {
      check("piece ids", text, () => tokenizer.pieces(text).ids, ids);
      check("offsets", text, () => tokenizer.pieces(text).offsets, inUnits(text, offsets));
      check("words", text, () => tokenizer.pieces(text).words, words);
    }
    checkDecoding(ids, decoded, whole);
  }
  for (const { ids, decoded, whole } of made.decodes) checkDecoding(ids, decoded, whole);
  for (const { a, b, refused, ids, segments } of made.pairs) {
    if (refused !== undefined) continue;
    const template = sequenceTemplate(tokenizer);
    if (!template) continue;
    check("pair", [a, b], () => {
      const parts = template.pair.map((part) => ({
        ids: "ids" in part ? part.ids : Array.from(tokenizer.encode([a, b][part.text])),
        segment: part.segment,
      }));
      return [
        parts.flatMap(({ ids }) => ids),
        parts.flatMap(({ ids, segment }) => ids.map(() => segment)),
      ];
    }, [ids, segments]);
  }
  function checkDecoding(ids: number[], decoded?: string | null, whole?: string | null) {
    check("text", ids, () => tokenizer.decode(ids), decoded ?? undefined);
    check("whole text", ids, () => {
      return tokenizer.decode(ids, { skipSpecialTokens: false });
    }, whole ?? undefined);
    check("stream", ids, () => streamed(tokenizer, ids), tokenizer.decode(ids));
  }
  return found;
}

/**
 * Whether the library's offsets are places in the text: with these parts it counts the bytes of tokens
 * that stand for other text, or trims what is unknown as another part has rewritten it.
 */
function hasPlainOffsets({ model, post_processor }: RandomCase["json"]): boolean {
  if (model.type === "BPE") return model.unk_token !== null && !model.byte_fallback;
  return model.type !== "Unigram" || !post_processor?.trim_offsets;
}

/** The text of a stream, id by id; each piece is whole characters. */
function streamed(tokenizer: JsonTokenizer, ids: number[]): string {
  const stream = tokenizer.stream();
  const pieces = [...ids.map((id) => stream.push([id])), stream.end()];
  if (!pieces.every((piece) => piece.isWellFormed())) throw new Error(JSON.stringify(pieces));
  return pieces.join("");
}

/** Offsets in characters as offsets in UTF-16 units. */
function inUnits(text: string, offsets: [number, number][]): [number, number][] {
  const units = [0];
  for (const character of text) units.push(units.at(-1)! + character.length);
  return offsets.map(([begin, end]) => [units[begin], units[end]]);
}
