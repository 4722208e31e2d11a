/**
 * GPT-2's alphabet: a printable character for each of the 256 bytes (Radford et al. 2019, section 2.2).
 *
 * @module
 */

function makeAlphabet(): string[] {
  const printable = (b: number): boolean =>
    (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
  let spare = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : spare++));
}

/** The character of each byte. */
export const BYTE_TO_CHARACTER: readonly string[] = makeAlphabet();

/** The byte of each character. */
export const CHARACTER_TO_BYTE: ReadonlyMap<string, number> = new Map(
  BYTE_TO_CHARACTER.map((character, byte) => [character, byte]),
);

/** How GPT-2 cuts text into words before it merges bytes; white space is Unicode's, as in Rust. */
export const GPT2_WORDS =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
