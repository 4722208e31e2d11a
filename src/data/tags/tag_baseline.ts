/**
 * What tags are worth that are looked up: the tag that each word had most often.
 *
 * @module
 */
import type { TaggedSentence } from "./tagged_sentences.ts";

/** Counts of tags, and the one that is most frequent; of equals the first. */
class Counts {
  readonly #counts = new Map<string, number>();

  add(tag: string): void {
    this.#counts.set(tag, (this.#counts.get(tag) ?? 0) + 1);
  }

  get most(): string {
    let [most, best] = ["", 0];
    for (const [tag, count] of this.#counts) if (count > best) [most, best] = [tag, count];
    return most;
  }
}

/**
 * Learns the most frequent tag of each word in small letters; a word that was not seen has the tag that
 * is most frequent of all.
 *
 * @param train what is counted
 * @param heldOut what is tagged
 * @returns a tag for each word of each sentence
 */
export function mostFrequentTags(
  train: readonly TaggedSentence[],
  heldOut: readonly TaggedSentence[],
): string[][] {
  const words = new Map<string, Counts>();
  const all = new Counts();
  for (const { tokens, tags } of train) {
    tokens.forEach((token, i) => {
      const word = token.toLowerCase();
      let counts = words.get(word);
      if (!counts) words.set(word, counts = new Counts());
      counts.add(tags[i]);
      all.add(tags[i]);
    });
  }
  const known = new Map([...words].map(([word, counts]) => [word, counts.most]));
  const usual = all.most;
  return heldOut.map(({ tokens }) => tokens.map((t) => known.get(t.toLowerCase()) ?? usual));
}
