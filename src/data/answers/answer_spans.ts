/**
 * From logits to an answer: the best valid span over all windows of a context.
 *
 * @module
 */
import type { AnswerWindow } from "./answer_windows.ts";

/** A span of a context. */
export interface AnswerSpan {
  /** Place of its first character, in UTF-16 units. */
  begin: number;
  /** Place behind its last character. */
  end: number;
  /** Logit of its first token as a begin, plus that of its last as an end. */
  logit: number;
}

/** What the windows of one question say together. */
export interface BestSpans {
  /** The best spans, the best first, each once. */
  spans: AnswerSpan[];
  /** The lowest logit of no answer that a window gives: its begin and end at [CLS]. */
  none: number;
}

/** Which spans are valid. */
export interface SpanOptions {
  /** Spans to tell; default 20. */
  best?: number;
  /** Tokens of an answer, at most; default 30. */
  longest?: number;
}

/** What a model says about a window: logits of each of its places, special tokens included. */
export interface WindowLogits {
  /** The window: where its part of the context is. */
  window: Pick<AnswerWindow, "contextBegin" | "offsets">;
  /** Logits of its places as an answer's first token, at least as many as it has ids. */
  begins: ArrayLike<number>;
  /** As its last. */
  ends: ArrayLike<number>;
}

/**
 * Finds the best spans (Devlin et al. 2019, sections 4.2 and 4.3): both ends in the context, the begin
 * not behind the end, not longer than `longest`. A span in several windows has its highest logit.
 *
 * All spans are looked at, not only those of the likeliest begins and ends.
 */
export function bestSpans(windows: readonly WindowLogits[], options: SpanOptions = {}): BestSpans {
  const { best = 20, longest = 30 } = options;
  let spans: AnswerSpan[] = [];
  let none = Infinity;
  let least = -Infinity;
  for (const { window, begins, ends } of windows) {
    const { contextBegin, offsets } = window;
    none = Math.min(none, begins[0] + ends[0]);
    for (let first = 0; first < offsets.length; first++) {
      const last = Math.min(offsets.length, first + longest);
      for (let end = first; end < last; end++) {
        const logit = begins[contextBegin + first] + ends[contextBegin + end];
        if (!(logit > least)) continue;
        spans.push({ begin: offsets[first][0], end: offsets[end][1], logit });
        if (spans.length < 8 * best) continue;
        spans = kept(spans, best);
        if (spans.length === best) least = spans[best - 1].logit;
      }
    }
  }
  return { spans: kept(spans, best), none };
}

/** The best of these, each once; of equals the first in the context. */
function kept(spans: AnswerSpan[], best: number): AnswerSpan[] {
  const seen = new Set<string>();
  return spans.toSorted((a, b) => b.logit - a.logit || a.begin - b.begin || a.end - b.end)
    .filter(({ begin, end }) => {
      const key = `${begin} ${end}`;
      return !seen.has(key) && seen.add(key);
    }).slice(0, best);
}
