/**
 * Brown's part-of-speech tags, and the 12 universal ones that they are mapped to.
 *
 * @module
 */

/** The universal part-of-speech tags (Petrov, Das & McDonald 2012, arXiv:1104.2086). */
export const UNIVERSAL_TAGS: readonly string[] = [
  ".",
  "ADJ",
  "ADP",
  "ADV",
  "CONJ",
  "DET",
  "NOUN",
  "NUM",
  "PRON",
  "PRT",
  "VERB",
  "X",
];

/** The simple tags of Brown's manual (Francis & Kucera 1979) by the universal tag they belong to. */
const SIMPLE: Record<string, string> = {
  ".": "' '' `` ( ) , -- . :",
  "ADJ": "ap jj jjr jjs jjt od",
  "ADP": "cs in",
  "ADV": "* ql qlp rb rbr rbt rn wql wrb",
  "CONJ": "cc",
  "DET": "abx at dt dt$ dti dts dtx pp$ wdt wp$",
  "NOUN": "cd$ nn nn$ nns nns$ np np$ nps nps$ nr nr$ nrs pn pn$",
  "NUM": "cd",
  "PRON": "pp$$ ppl ppls ppo pps ppss wpo wps",
  "PRT": "abl abn ap$ ex jj$ rb$ rp to uh",
  "VERB": "be bed bedz beg bem ben ber bez do dod doz hv hvd hvg hvn hvz md vb vbd vbg vbn vbz",
  "X": "nil",
};

const UNIVERSAL = new Map(
  Object.entries(SIMPLE).flatMap(([tag, names]) => names.split(" ").map((name) => [name, tag])),
);

/** Two words that became one: what the whole is, where it is no particle. */
const JOINED: Record<string, string> = {
  "ap+ap": "ADJ",
  "do+ppss": "X",
  "jj+jj": "ADJ",
  "jjr+cs": "ADJ",
  "nn+in": "NOUN",
  "nn+nn": "NOUN",
  "rb+cs": "ADV",
  "rbr+cs": "ADV",
  "wdt+ber+pp": "X",
  "wdt+do+pps": "X",
};

/**
 * The universal tag of one of Brown's, in small letters. The mapping follows the published one, which
 * lists all 472 combinations; these are its rules:
 *
 * - `fw-`, a foreign word, is X
 * - `-tl`, `-hl`, `-nc` (in a title, a headline, cited) change nothing, nor does a negation, `*`
 * - of joined words, a verb that comes first makes a verb (`vb+to`, gotta), and a preposition an ADP;
 *   another word with a verb after it is a particle, PRT (`pps+bez`, it's)
 *
 * @returns nothing if it is no tag of Brown's
 */
export function universalTag(brown: string): string | undefined {
  if (brown.startsWith("fw-")) return "X";
  // Six tags in a million are cut short: -t of -tl, -n of -nc.
  const bare = brown.replace(/(?<=.)(-(tl?|hl|nc?))+$/, "");
  const simple = UNIVERSAL.get(bare) ?? UNIVERSAL.get(bare.replace(/(?<=.)\*$/, ""));
  if (simple !== undefined) return simple;
  const parts = bare.split("+").map((part) => part.replace(/(?<=.)\*$/, ""));
  if (parts.length < 2) return undefined;
  if (Object.hasOwn(JOINED, bare)) return JOINED[bare];
  if (parts.some((part) => !UNIVERSAL.has(part))) return undefined;
  const first = UNIVERSAL.get(parts[0])!;
  return ["VERB", "ADP"].includes(first) ? first : "PRT";
}
