/**
 * Changes of a text that remember where each character comes from.
 *
 * @module
 */

/** A changed text. Positions count UTF-16 units, as `slice` does. */
export interface Rewritten {
  text: string;
  /**
   * For each position, the position of the text before that it comes from; -1 for what stands before
   * all of it. Absent if every position stayed where it was, or if it was not asked for.
   */
  from?: Int32Array;
}

/** Changes a text. */
export type Rewrite = (
  text: string,
  /** `track`: whether `from` is wanted; `first`: whether the text is the beginning of the whole. */
  options: { track: boolean; first: boolean },
) => Rewritten;

/**
 * Replaces what a global pattern finds.
 *
 * @param fresh what stands there instead; as a {@linkcode Rewritten}, with its own origins
 * @param options.anchor where what is new comes from: the `first` or the `last` position of what it
 * replaces
 */
export function substitute(
  text: string,
  pattern: RegExp,
  fresh: string | ((found: string) => string | Rewritten),
  { track, anchor = "first" }: { track: boolean; anchor?: "first" | "last" },
): Rewritten {
  const make = (found: string): Rewritten => {
    const made = typeof fresh === "string" ? fresh : fresh(found);
    return typeof made === "string" ? { text: made } : made;
  };
  if (!track) return { text: text.replace(pattern, (found) => make(found).text) };
  const parts: string[] = [];
  const changes: { begin: number; end: number; made: Rewritten }[] = [];
  let at = 0;
  let length = text.length;
  for (const { index, 0: found } of text.matchAll(pattern)) {
    const made = make(found);
    parts.push(text.slice(at, index), made.text);
    at = index + found.length;
    changes.push({ begin: index, end: at, made });
    length += made.text.length - found.length;
  }
  if (changes.length === 0) return { text };
  parts.push(text.slice(at));
  const from = new Int32Array(length);
  let [old, now] = [0, 0];
  for (const { begin, end, made } of changes) {
    while (old < begin) from[now++] = old++;
    const origin = anchor === "first" ? begin : end - 1;
    for (let i = 0; i < made.text.length; i++) {
      const own = made.from?.[i];
      from[now++] = own === undefined ? origin : own < 0 ? -1 : begin + own;
    }
    old = end;
  }
  while (now < length) from[now++] = old++;
  return { text: parts.join(""), from };
}

/** One change behind another. */
export function compose(rewrites: readonly Rewrite[]): Rewrite {
  if (rewrites.length === 1) return rewrites[0];
  return (text, options) => {
    let [now, origin]: [string, Int32Array | undefined] = [text, undefined];
    for (const rewrite of rewrites) {
      const next = rewrite(now, options);
      now = next.text;
      origin = follow(next.from, origin);
    }
    return { text: now, from: origin };
  };
}

/** Where positions come from after two changes; absent if neither moved any. */
export function follow(
  later: Int32Array | undefined,
  earlier: Int32Array | undefined,
): Int32Array | undefined {
  if (!later || !earlier) return later ?? earlier;
  return later.map((position) => position < 0 ? -1 : earlier[position]);
}
