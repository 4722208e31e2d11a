/**
 * Classes of characters exactly as the Rust library has them. Its tables know the characters of
 * about 2015 in some places and of 2024 in others; JavaScript knows those of its own year.
 *
 * The lists here are what differs, found by asking the library about every code point;
 * `tests/tokenizers/character_classes_test.ts` asks again.
 *
 * @module
 */

/** Code points in hexadecimal, as a regular expression has them between brackets. */
const ranges = (hex: string): string =>
  hex.replace(/[0-9a-f]+/g, (point) => `\\u{${point}}`).replace(/\s+/g, "");

/** Marks that came later: the library keeps them. */
const YOUNG_MARKS = ranges(`
  7fd 897-89f 8ca-8e1 9fe afa-aff b55 c04 c3c d00 d3b-d3c d81 eba ece 180f 1885-1886 1abf-1ace
  1df6-1dfb a82c a8c5 a8ff a9bd 10d24-10d27 10d69-10d6d 10eab-10eac 10efc-10eff 10f46-10f50
  10f82-10f85 11070 11073-11074 110c2 111c9 111cf 1123e 11241 1133b 113bb-113c0 113ce 113d0
  113d2 113e1-113e2 11438-1143f 11442-11444 11446 1145e 1182f-11837 11839-1183a 1193b-1193c
  1193e 11943 119d4-119d7 119da-119db 119e0 11a01-11a0a 11a33-11a38 11a3b-11a3e 11a47
  11a51-11a56 11a59-11a5b 11a8a-11a96 11a98-11a99 11c30-11c36 11c38-11c3d 11c3f 11c92-11ca7
  11caa-11cb0 11cb2-11cb3 11cb5-11cb6 11d31-11d36 11d3a 11d3c-11d3d 11d3f-11d45 11d47
  11d90-11d91 11d95 11d97 11ef3-11ef4 11f00-11f01 11f36-11f3a 11f40 11f42 11f5a 13440
  13447-13455 1611e-16129 1612d-1612f 16f4f 16fe4 1cf00-1cf2d 1cf30-1cf46 1e000-1e006
  1e008-1e018 1e01b-1e021 1e023-1e024 1e026-1e02a 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef
  1e4ec-1e4ef 1e5ee-1e5ef 1e944-1e94a
`);

/** Punctuation that came later: the library takes it for letters. */
const YOUNG_PUNCTUATION = ranges(`
  61d 9fd a76 c77 c84 1b4e-1b4f 1b7d-1b7f 2e43-2e4f 2e52-2e5d 10d6e 10ead 10f55-10f59
  10f86-10f89 113d4-113d5 113d7-113d8 1144b-1144f 1145a-1145b 1145d 11660-1166c 116b9 1183b
  11944-11946 119e2 11a3f-11a46 11a9a-11a9c 11a9e-11aa2 11b00-11b09 11be1 11c41-11c45
  11c70-11c71 11ef7-11ef8 11f43-11f4f 11fff 12ff1-12ff2 16d6d-16d6f 16e97-16e9a 16fe2 1e5ff
  1e95e-1e95f
`);

/** Format characters that came later: the library keeps them. */
const YOUNG_FORMATS = ranges(`
  890-891 8e2 110cd 13430-1343f
`);

/** Composed characters that came later: no normal form takes them apart or puts them together. */
const YOUNG_COMPOSED = ranges(`
  105c9 105e4 11383 11385 1138e 11391 113c5 113c7-113c8 11938 16121-16128 16d68-16d6a
`);

/** Composed and combining parts of NFKC and NFKD that came later. */
const YOUNG_COMPATIBLE = ranges(`
  32ff a7f2-a7f4 ab69 10781-10785 10787-107b0 107b2-107ba 1ccd6-1ccf9 1e030-1e06d 1f16c
  1fbf0-1fbf9
`);

/** Marks of any kind that came after Unicode 9: normal forms and `StripAccents` ignore them. */
const YOUNG_COMBINING = ranges(`
  7fd 897-89f 8ca-8d3 9fe afa-aff b55 c04 c3c cf3 d00 d3b-d3c d81 eba ece 1715 180f 1abf-1ace
  1cf7 1df6-1dfa a82c a8ff 10d24-10d27 10d69-10d6d 10eab-10eac 10efc-10eff 10f46-10f50
  10f82-10f85 11070 11073-11074 110c2 11145-11146 111c9 111ce-111cf 11241 1133b 113b8-113c0
  113c2 113c5 113c7-113ca 113cc-113d0 113d2 113e1-113e2 1145e 1182c-1183a 11930-11935
  11937-11938 1193b-1193e 11940 11942-11943 119d1-119d7 119da-119e0 119e4 11a01-11a0a
  11a33-11a39 11a3b-11a3e 11a47 11a51-11a5b 11a8a-11a99 11d31-11d36 11d3a 11d3c-11d3d
  11d3f-11d45 11d47 11d8a-11d8e 11d90-11d91 11d93-11d97 11ef3-11ef6 11f00-11f01 11f03
  11f34-11f3a 11f3e-11f42 11f5a 13440 13447-13455 1611e-1612f 16f4f 16f7f-16f87 16fe4
  16ff0-16ff1 1cf00-1cf2d 1cf30-1cf46 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef
  1e5ee-1e5ef
`);

/**
 * Classes as they stand inside of a regular expression with the flag `v`, for each question that the
 * library asks of a character.
 */
export const CLASSES = {
  /** Left out of a text when BERT's normalizer cleans it. */
  control: String.raw`[[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]--[\t\n\r${YOUNG_FORMATS}]]`,
  /** Left out with the accents by BERT's normalizer; two that are no marks today were so then. */
  mark: String.raw`[[\p{Mn}\u1734\u{1171e}]--[${YOUNG_MARKS}]]`,
  /** Punctuation; two that are none today were so then. */
  punctuation: String
    .raw`[[\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e\p{P}\u166d\u{111c9}]--[${YOUNG_PUNCTUATION}]]`,
  /** Left out by `StripAccents`. */
  combining: String.raw`[[\p{M}\u1cf2\u1cf3]--[${YOUNG_COMBINING}]]`,
  /** Unknown to the library's normal forms, which leave such a character as it is. */
  inert: `[${YOUNG_COMBINING}${YOUNG_COMPOSED}\\u{16d63}\\u{16d67}]`,
  /** The same for NFKC and NFKD. */
  inertCompatible: `[${YOUNG_COMBINING}${YOUNG_COMPOSED}${YOUNG_COMPATIBLE}\\u{16d63}\\u{16d67}]`,
  /** Digits and other numbers, those of Unicode 17 among them. */
  numeric: String.raw`[\p{N}\u{11de0}-\u{11de9}\u{16ff4}-\u{16ff6}]`,
  /** A part of a word, as `\w` is in Rust. */
  word: String.raw`[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]`,
  /** White space, as Unicode has it: JavaScript's `\s` lacks U+0085 and has U+FEFF. */
  space: String.raw`\p{White_Space}`,
  /** CJK ideographs, each a word to BERT's normalizer. */
  chinese: ranges(
    "[4e00-9fff 3400-4dbf 20000-2a6df 2a700-2b81f 2b920-2ceaf f900-faff 2f800-2fa1f]",
  ),
};

/** Capital letters of Unicode 17, with their small ones. */
const LATE_CAPITALS: readonly (readonly [first: number, last: number, distance: number])[] = [
  [0xa7ce, 0xa7ce, 1],
  [0xa7d2, 0xa7d2, 1],
  [0xa7d4, 0xa7d4, 1],
  [0x16ea0, 0x16eb8, 0x1b],
];

const SPECIAL_CAPITALS = /[\u03a3\ua7ce\ua7d2\ua7d4\u{16ea0}-\u{16eb8}]/gu;

/** Small letters, one by one: a word's last sigma is no other than the rest. */
export function toLowerCase(text: string): string {
  return text.replace(SPECIAL_CAPITALS, (capital) => {
    if (capital === "\u03a3") return "\u03c3";
    const point = capital.codePointAt(0)!;
    const [, , distance] = LATE_CAPITALS.find(([first, last]) => point >= first && point <= last)!;
    return String.fromCodePoint(point + distance);
  }).toLowerCase();
}
