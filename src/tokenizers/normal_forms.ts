/**
 * Unicode's normal forms as the Rust library has them: those of Unicode 9, and where each character
 * comes from.
 *
 * @module
 */
import { CLASSES } from "./character_classes.ts";
import { type Rewrite, type Rewritten, substitute } from "./rewrite.ts";

/** The names of the normal forms. */
export type NormalForm = "NFC" | "NFD" | "NFKC" | "NFKD";

/** Nothing in it changes in any normal form. */
// deno-lint-ignore no-control-regex -- ASCII is what is looked for
const ASCII = /^[\x00-\x7f]*$/;
/** Where something may change: marks join the character before them, whatever it is. */
// deno-lint-ignore no-control-regex -- ASCII is what is looked for
const CHANGEABLE = /[\x00-\x7f]?[^\x00-\x7f]+/g;

/** Puts a text into a normal form. */
export function normalForm(form: NormalForm): Rewrite {
  const inert = new RegExp(form.includes("K") ? CLASSES.inertCompatible : CLASSES.inert, "gv");
  const isInert = new RegExp(inert.source, "v");
  const normal = (text: string): string => {
    // What came after Unicode 9 stays as it is, and nothing composes across it.
    let out = "";
    let begin = 0;
    for (const { index, 0: found } of text.matchAll(inert)) {
      out += text.slice(begin, index).normalize(form) + found;
      begin = index + found.length;
    }
    return out + text.slice(begin).normalize(form);
  };
  return (text, { track }) => {
    if (ASCII.test(text)) return { text };
    const out = normal(text);
    if (!track || out === text) return { text: out };
    return substitute(
      text,
      CHANGEABLE,
      (part) => trace(part, normal(part), { form, isInert }),
      { track },
    );
  };
}

/**
 * Where the characters of a normal form come from. The library counts, for every character, how
 * many of the text it consumes: the first part of a decomposition consumes one and the others none;
 * a composed character consumes what its parts do.
 */
function trace(
  text: string,
  out: string,
  { form, isInert }: { form: NormalForm; isInert: RegExp },
): Rewritten {
  const whole = form.includes("K") ? "NFKD" : "NFD";
  const apart = (character: string, into: "NFD" | "NFKD") =>
    isInert.test(character) ? [character] : [...character.normalize(into)];
  const parts: { part: string; consumes: number; used: boolean }[] = [];
  for (const character of text) {
    apart(character, whole).forEach((part, i) =>
      parts.push({ part, consumes: i === 0 ? 1 : 0, used: false })
    );
  }
  const begins: number[] = [];
  let unit = 0;
  for (const character of text) {
    begins.push(unit);
    unit += character.length;
  }
  const from = new Int32Array(out.length);
  let [open, consumed, at] = [0, 0, 0];
  for (const character of out) {
    let consumes = 0;
    const own = form.endsWith("C") ? apart(character, "NFD") : [character];
    for (const wanted of own) {
      let next = open;
      while (next < parts.length && (parts[next].used || parts[next].part !== wanted)) next++;
      if (next === parts.length) continue;
      parts[next].used = true;
      consumes += parts[next].consumes;
      while (open < parts.length && parts[open].used) open++;
    }
    // What consumes nothing stands with what was consumed before it.
    const origin = begins[consumes > 0 ? consumed : consumed - 1] ?? -1;
    for (let i = 0; i < character.length; i++) from[at++] = origin;
    consumed += consumes;
  }
  return { text: out, from };
}
