/**
 * Sequences for pre-training BERT: pairs of runs of sentences, of which half follow one another.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { checkOptions, count, countOrNone, part, seedRule } from "../../formats/option_rules.ts";
import { below, type Random, randomOf, shuffle } from "../random.ts";
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

/** A run of sentences with the seam between its segments. */
interface Chunk {
  first: [number, number];
  second: [number, number];
  document: number;
}

/**
 * Draws the sequences of an epoch (Devlin et al. 2019, section 3.1 and appendix A.2).
 *
 * Sentences are taken until a sequence is about full, and a random seam cuts them into two segments. Half of
 * these pairs, drawn by lot, then give their second segments to one another, so that each gets one of
 * another document and of about the length of its own. Thus nothing but the text tells the two kinds
 * apart (not the lengths, not how a segment begins or ends), and the whole text is read once. What is
 * too long loses tokens at its far ends: the first segment at its beginning, the second at its end.
 *
 * Where one document holds all of the text, or nearly, another place in it stands in.
 *
 * @throws {VitrailError} if the text gives no pair, or a sequence is too short for one
 */
export function drawPairs(corpus: SentenceCorpus, options: PairOptions): PairPlan {
  const { sequence, pairs = true, seed = 0, epoch = 0, shortProbability = 0.1 } = options;
  checkOptions("Cannot draw sequences", { sequence, seed, epoch, shortProbability }, {
    sequence: count,
    seed: seedRule,
    epoch: countOrNone,
    shortProbability: part,
  });
  const room = sequence - (pairs ? 3 : 2);
  if (room < 2) {
    throw new VitrailError(
      `Cannot draw sequences of ${sequence} tokens: wanted at least ${sequence - room + 2}, ` +
        "as the special tokens take room too",
    );
  }
  const random = randomOf(seed, PAIRS, epoch);
  const { chunks, lone } = cutChunks(corpus, { ...options, random, room });
  if (chunks.length === 0) {
    throw new VitrailError(
      "Cannot draw pairs of sentences: every document has only one; give documents of several " +
        "sentences, or train without next sentences",
    );
  }
  const labels = new Uint8Array(chunks.length);
  const seconds = chunks.map(({ second }) => second);
  if (pairs) {
    labels.forEach((_, i) => labels[i] = random() < 0.5 ? 0 : 1);
    for (const [i, j] of exchange(chunks, labels, random)) {
      if (i === j) labels[i] = 0; // nobody to exchange with
      else seconds[i] = chunks[j].second;
    }
  }
  const ranges = new Uint32Array(4 * chunks.length);
  let cut = 0;
  chunks.forEach(({ first }, i) => {
    let [[begin, end], [from, to]] = [first, seconds[i]];
    for (let excess = end - begin + to - from - room; excess > 0; excess--, cut++) {
      if (!pairs) end--;
      else if (end - begin > to - from) begin++;
      else to--;
    }
    ranges.set([begin, end, from, to], 4 * i);
  });
  return { count: chunks.length, ranges, labels, cut, lone };
}

/** Runs of sentences that fill a sequence, all of the text once. */
function cutChunks(
  { sentences, documents }: SentenceCorpus,
  options: PairOptions & { random: Random; room: number },
): { chunks: Chunk[]; lone: number } {
  const { pairs = true, shortProbability = 0.1, random, room } = options;
  const least = pairs ? 2 : 1;
  const chunks: Chunk[] = [];
  let lone = 0;
  for (let document = 0; document + 1 < documents.length; document++) {
    const [from, to] = [documents[document], documents[document + 1]];
    if (to - from < least) lone++;
    if (to - from < least) continue;
    for (let at = from; at < to;) {
      // A last sentence alone is taken together with the one before it.
      const begin = Math.min(at, to - least);
      const target = random() < shortProbability ? 2 + below(random, room - 1) : room;
      let end = begin + least;
      // A sentence is taken while more than half of it fits: little is cut, and little stays empty.
      const middle = (): number => (sentences[end] + sentences[end + 1]) / 2;
      while (end < to && middle() - sentences[begin] < target) end++;
      const seam = pairs ? begin + 1 + below(random, end - begin - 1) : end;
      chunks.push({
        first: [sentences[begin], sentences[seam]],
        second: [sentences[seam], sentences[end]],
        document,
      });
      at = end;
    }
  }
  return { chunks, lone };
}

/** Chunks of like length that exchange their second segments among one another. */
const CIRCLE = 16;

/** For each chunk whose label is 1, the chunk whose second segment it gets; itself if there is none. */
function exchange(chunks: Chunk[], labels: Uint8Array, random: Random): Map<number, number> {
  const drawn = Uint32Array.from(labels.keys().filter((i) => labels[i] === 1));
  shuffle(drawn, random);
  const length = (i: number): number => chunks[i].second[1] - chunks[i].second[0];
  drawn.sort((a, b) => length(a) - length(b));
  const gets = new Map<number, number>();
  for (let at = 0; at < drawn.length;) {
    const rest = drawn.length - at;
    const circle = drawn.slice(at, at + (rest < 2 * CIRCLE ? rest : CIRCLE));
    shuffle(circle, random);
    circle.forEach((i, k) => gets.set(i, circle[(k + 1) % circle.length]));
    at += circle.length;
  }
  const far = (i: number, j: number): boolean => chunks[i].document !== chunks[j].document;
  for (const [place, i] of drawn.entries()) {
    if (far(i, gets.get(i)!)) continue;
    // Nearest in length first: these two pass on to one another what they got.
    for (let step = 1; step < 2 * CIRCLE; step++) {
      const other = drawn[place + (step % 2 ? 1 : -1) * Math.ceil(step / 2)];
      if (other === undefined) continue;
      const [mine, theirs] = [gets.get(i)!, gets.get(other)!];
      if (!far(i, theirs) || !far(other, mine)) continue;
      gets.set(i, theirs).set(other, mine);
      break;
    }
  }
  return gets;
}
