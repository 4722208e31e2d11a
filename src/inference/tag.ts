/**
 * Tags for the words of sentences and texts.
 *
 * @module
 */
import { Run } from "../autograd/run.ts";
import { byLength, padSequences } from "../data/length_batches.ts";
import { splitSentences } from "../data/sentences.ts";
import { tagSequences } from "../data/tag_sequences.ts";
import { splitWords } from "../data/words.ts";
import { VitrailError } from "../errors.ts";
import type { Bert } from "../models/bert.ts";
import { tagLogits } from "../models/bert_tasks.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { softmaxOf } from "./probabilities.ts";

/** A word and its tag. */
export interface TaggedWord {
  /** The word. */
  word: string;
  /** Its likeliest tag. */
  tag: string;
  /** The probability that the model gives it. */
  score: number;
  /** The likeliest tags with their probabilities, where more than one is asked for. */
  tags?: { tag: string; score: number }[];
  /** Place of its first character in the text, in UTF-16 units, where there is a text. */
  begin?: number;
}

/** How sentences are tagged. */
export interface TagOptions {
  /** The tokenizer that the model was trained with. */
  tokenizer: Tokenizer;
  /** Sentences at once; default 16. */
  batch?: number;
  /** Tags of each word to tell, the likeliest first; default 1. */
  topK?: number;
  /** Told how many sentences are done. */
  onProgress?: (sentences: number) => void;
}

/** Batches whose logits are read with one wait. */
const READ_TOGETHER = 16;

/**
 * Tags sentences whose words are known.
 *
 * A sentence that is longer than the model's context is divided between words, and every word is
 * tagged.
 *
 * @param sentences words of each
 * @returns for each sentence a tag for each word
 * @throws {VitrailError} if the model has no head for tokens, or the tokenizer is none of BERT's
 *
 * @example
 * ```ts no-eval
 * import { loadBert, loadTokenizer, openDevice, tagWords } from "./mod.ts";
 *
 * const model = loadBert(await openDevice(), "runs/tags");
 * const tokenizer = await loadTokenizer("runs/tags");
 * const [sentence] = await tagWords(model, [["Birds", "sing", "."]], { tokenizer });
 * console.log(sentence.map(({ word, tag }) => `${word}/${tag}`).join(" "));
 * ```
 */
export async function tagWords(
  model: Bert,
  sentences: readonly (readonly string[])[],
  options: TagOptions,
): Promise<TaggedWord[][]> {
  const { tokenizer, batch = 16, topK = 1 } = options;
  const { settings } = model.heads;
  if (settings.kind !== "token-classification") {
    throw new VitrailError(
      `Cannot tag with this BERT: its head is for ${settings.kind}; fine-tune it to tag first`,
    );
  }
  const { labels } = settings;
  const { sequences } = tagSequences(sentences, { tokenizer, ...model.config });
  const found: TaggedWord[][] = sentences.map(() => []);
  const batches = byLength(sequences.map(({ ids }) => ids.length), batch);
  let done = 0;
  for (let from = 0; from < batches.length; from += READ_TOGETHER) {
    using _scope = model.device.scope();
    const group = batches.slice(from, from + READ_TOGETHER).map((numbers) => {
      const chosen = Array.from(numbers, (n) => sequences[n]);
      const { shape, ids, mask } = padSequences(chosen, model.config);
      const logits = tagLogits(new Run(model.device), model, {
        ids: model.ids(ids, shape),
        mask: mask && model.device.upload(Float32Array.from(mask), shape),
      });
      return { chosen, time: shape[1], logits };
    });
    const read = await model.device.read(...group.map(({ logits }) => logits));
    group.forEach(({ chosen, time }, g) => {
      chosen.forEach(({ firsts, sentence, word }, b) => {
        firsts.forEach((place, i) => {
          const row = (b * time + place) * labels.length;
          const scores = softmaxOf([...read[g].subarray(row, row + labels.length)]);
          const best = likeliest(scores, topK).map((n) => ({ tag: labels[n], score: scores[n] }));
          found[sentence][word + i] = {
            word: sentences[sentence][word + i],
            ...best[0],
            ...topK > 1 ? { tags: best } : {},
          };
        });
      });
      done += chosen.length;
    });
    options.onProgress?.(done);
  }
  return found;
}

/**
 * Tags a text: cut into sentences, then into words with punctuation apart.
 *
 * @returns a list of words for each sentence, with their places in the text
 * @throws {VitrailError} as {@linkcode tagWords}, or if the text has no word
 */
export async function tagText(
  model: Bert,
  text: string,
  options: TagOptions,
): Promise<TaggedWord[][]> {
  const sentences = sentencesOf(text);
  if (sentences.length === 0) {
    throw new VitrailError("Cannot tag an empty text: give a text with a word in it");
  }
  const words = sentences.map((sentence) => sentence.map((word) => word.text));
  const tagged = await tagWords(model, words, options);
  return tagged.map((sentence, s) =>
    sentence.map((word, w) => ({ ...word, begin: sentences[s][w].begin }))
  );
}

/** Words of each sentence of a text. */
function sentencesOf(text: string): { text: string; begin: number }[][] {
  let from = 0;
  return splitSentences(text, "segmenter").map((sentence) =>
    splitWords(sentence).map((word) => {
      // Sentences come with their white space tidied: words are found again in the text itself.
      const begin = text.indexOf(word.text, from);
      from = begin + word.text.length;
      return { text: word.text, begin };
    })
  );
}

/** Places of the largest numbers, the largest first. */
function likeliest(scores: readonly number[], count: number): number[] {
  return [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b).slice(0, count);
}
