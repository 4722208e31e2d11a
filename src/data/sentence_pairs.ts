/**
 * Sequences for pre-training BERT: pairs of runs of sentences, of which half follow one another.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import { below, type Random, randomOf } from "./random.ts";
import type { SentenceCorpus } from "./sentence_corpus.ts";

/** How sequences are drawn. */
export interface PairOptions {
  /** Tokens of a sequence at most, special ones included. */
  sequence: number;
  /** Pairs of segments; otherwise one segment each. Default true. */
  pairs?: boolean;
  /** Part of the sequences that are kept short, of any length; default 0.1, as BERT's. */
  shortProbability?: number;
  /** Seed of the draws. */
  seed?: number;
  /** Number of the pass through the text: each draws other pairs. */
  epoch?: number;
}

/** Sequences of one epoch, in the order of the text. */
export interface PairPlan {
  /** Number of sequences. */
  count: number;
  /** (count, 4): begin and end of the first segment and of the second, as places in `ids`. */
  ranges: Uint32Array;
  /** (count): 0 where the second segment follows the first, 1 where it is from elsewhere. */
  labels: Uint8Array;
  /** Tokens that were cut off because a sequence had no room for them. */
  cut: number;
  /** Documents of a single sentence, which begin no pair. */
  lone: number;
}

/** Keys of this file's random numbers. */
const PAIRS = 0x9a19;

/**
 * Draws the sequences of an epoch (Devlin et al. 2019, section 3.1 and appendix A.2).
 *
 * Sentences are taken until a sequence is full. A random place cuts them into two segments; then,
 * with a chance of one half, the second is replaced by as much text from a random place of another
 * document, and the sentences that were replaced come again in the next sequence. What is too long
 * loses tokens at its far ends: the first segment at its beginning, the second at its end, so that
 * the seam between them is whole. Nothing but the text tells the two kinds apart: both second
 * segments begin with any sentence of a document but its first.
 *
 * Where there is one document only, the other place is in the same one.
 *
 * @throws {VitrailError} if the text gives no pair, or a sequence is too short for one
 */
export function drawPairs(corpus: SentenceCorpus, options: PairOptions): PairPlan {
  const { sequence, pairs = true, shortProbability = 0.1, seed = 0, epoch = 0 } = options;
  const room = sequence - (pairs ? 3 : 2);
  if (room < 2) {
    throw new VitrailError(
      `Cannot draw sequences of ${sequence} tokens: wanted at least ${sequence - room + 2}, ` +
        "as the special tokens take room too",
    );
  }
  const random = randomOf(seed, PAIRS, epoch);
  const { sentences, documents } = corpus;
  const ranges: number[] = [];
  const labels: number[] = [];
  let [cut, lone] = [0, 0];
  const add = (a: [number, number], b: [number, number], label: number): void => {
    let excess = a[1] - a[0] + b[1] - b[0] - room;
    for (; excess > 0; excess--, cut++) {
      if (pairs && a[1] - a[0] > b[1] - b[0]) a[0]++;
      else if (pairs) b[1]--;
      else a[1]--;
    }
    ranges.push(...a, ...b);
    labels.push(label);
  };
  for (let d = 0; d + 1 < documents.length; d++) {
    const [from, to] = [documents[d], documents[d + 1]];
    const least = pairs ? 2 : 1;
    if (to - from < least) lone++;
    if (to - from < least) continue;
    for (let at = from; at < to;) {
      // A last sentence alone is taken together with the one before it.
      const begin = Math.min(at, to - least);
      const target = random() < shortProbability ? 2 + below(random, room - 1) : room;
      let end = begin + least;
      while (end < to && sentences[end] - sentences[begin] < target) end++;
      if (!pairs) {
        add([sentences[begin], sentences[end]], [0, 0], 0);
        at = end;
        continue;
      }
      const seam = begin + 1 + below(random, end - begin - 1);
      const first: [number, number] = [sentences[begin], sentences[seam]];
      if (random() < 0.5) {
        add(first, [sentences[seam], sentences[end]], 0);
        at = end;
        continue;
      }
      const other = elsewhere(corpus, { random, document: d, begin, end });
      const size = target - (first[1] - first[0]);
      let last = other.sentence + 1;
      while (last < other.end && sentences[last] - sentences[other.sentence] < size) last++;
      add(first, [sentences[other.sentence], sentences[last]], 1);
      at = Math.max(seam, at + 1);
    }
  }
  if (labels.length === 0) {
    throw new VitrailError(
      "Cannot draw pairs of sentences: every document has only one; give documents of several " +
        "sentences, or train without next sentences",
    );
  }
  return {
    count: labels.length,
    ranges: Uint32Array.from(ranges),
    labels: Uint8Array.from(labels),
    cut,
    lone,
  };
}

/** A sentence that could follow another, and the end of its document. */
function elsewhere(
  { documents, sentences }: SentenceCorpus,
  options: { random: Random; document: number; begin: number; end: number },
): { sentence: number; end: number } {
  const { random, document, begin, end } = options;
  const all = sentences.length - 1;
  const pick = (sentence: number, wanted: (found: number) => boolean) => {
    const found = documentOf(documents, sentence);
    const opens = sentence === documents[found] && documents[found + 1] - sentence > 1;
    return !opens && wanted(found) ? { sentence, end: documents[found + 1] } : undefined;
  };
  for (let draws = 0; draws < 20; draws++) {
    const picked = pick(below(random, all), (found) => found !== document);
    if (picked) return picked;
  }
  // One document holds all of the text, or nearly: the next best place is found in order.
  const start = below(random, all);
  for (const far of [false, true]) {
    for (let i = 0; i < all; i++) {
      const sentence = (start + i) % all;
      const near = sentence >= begin && sentence <= end;
      const picked = pick(sentence, (found) => far ? !near : found !== document);
      if (picked) return picked;
    }
  }
  throw new VitrailError(
    `Cannot draw a sentence that does not follow: the text has ${all} sentences in ` +
      `${documents.length - 1} document; give more text, or train without next sentences`,
  );
}

/** The document that holds a sentence: the last that begins at it or before. */
function documentOf(documents: Uint32Array, sentence: number): number {
  let [low, high] = [0, documents.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (documents[middle] <= sentence) low = middle;
    else high = middle;
  }
  return low;
}
