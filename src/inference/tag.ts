/**
 * Tags for the words of sentences and texts.
 *
 * @module
 */
import { computeFinite } from "../autograd/not_finite.ts";
import type { Run } from "../autograd/run.ts";
import { byLength, padSequences } from "../data/length_batches.ts";
import { splitSentences } from "../data/sources/sentences.ts";
import { scoreTags, type TagScores } from "../data/tags/tag_scores.ts";
import { tagNumbers, tagSequences } from "../data/tags/tag_sequences.ts";
import type { TaggedSentence } from "../data/tags/tagged_sentences.ts";
import { splitWords } from "../data/words.ts";
import { VitrailError } from "../errors.ts";
import { checkOptions, count, countOrAll } from "../formats/option_rules.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { checkedModel, loadAdaptedBert } from "../models/adapted_models.ts";
import type { Bert } from "../models/bert.ts";
import { tagLogits } from "../models/bert_tasks.ts";
import { handOver } from "../models/hand_over.ts";
import { checkFit } from "../tokenizers/fitting.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
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
  /** Sentences at once; default 16. */
  batch?: number;
  /** Tags of each word to tell, the likeliest first; default 1. */
  topK?: number;
  /** Ids of a sequence, at most; the model's context by default. */
  contextLength?: number;
  /** Told how many sentences, or parts of them, are done, of how many. */
  onProgress?: (done: number, total: number) => void;
  /** Told how many words alone are longer than the context and lost their ends, if any did. */
  onCut?: (words: number) => void;
}

/** Batches between two reads, each of which waits for the device. */
const READ_TOGETHER = 16;

/** A model that tags words, and its tokenizer. */
export class Tagger implements Disposable {
  /** The model. */
  readonly model: Bert;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  /** All tags, in the order of the model's output. */
  readonly tags: readonly string[];

  /**
   * `loadTagger` is the usual way in.
   *
   * @throws {VitrailError} if the model has no head for tokens
   */
  constructor(model: Bert, tokenizer: Tokenizer) {
    const { settings } = model.heads;
    if (settings.kind !== "token-classification") {
      throw new VitrailError(
        `Cannot tag with this BERT: its head is for ${settings.kind}; fine-tune it to tag first`,
      );
    }
    checkFit(tokenizer, model.config);
    this.model = model;
    this.tokenizer = tokenizer;
    this.tags = settings.labels;
  }

  /** Gives the memory of the model back: its use is an error from then on. */
  [Symbol.dispose](): void {
    this.model[Symbol.dispose]();
  }

  /**
   * Tags sentences whose words are known. A sentence that is longer than the model's context is divided
   * between words: every word is tagged.
   *
   * @param sentences words of each
   * @returns for each sentence a tag for each word
   * @throws {VitrailError} if the tokenizer is none of BERT's
   *
   * @example
   * ```ts
   * import { loadTagger, openDevice } from "../../mod.ts";
   *
   * async function print(directory: string, sentences: string[][]) {
   *   const device = await openDevice();
   *   const tagger = await loadTagger(device, directory);
   *   for (const words of await tagger.tagWords(sentences)) {
   *     console.log(words.map(({ word, tag }) => `${word}/${tag}`).join(" "));
   *   }
   *   device.destroy();
   * }
   * ```
   */
  async tagWords(
    sentences: readonly (readonly string[])[],
    options: TagOptions = {},
  ): Promise<TaggedWord[][]> {
    const { model, tokenizer, tags } = this;
    const { batch = 16, topK = 1 } = options;
    const most = model.config.contextLength;
    const { contextLength: given = most } = options;
    checkOptions("Cannot tag words", { batch, topK, contextLength: given }, {
      batch: count,
      topK: countOrAll,
      contextLength: count,
    });
    const contextLength = Math.min(given, most);
    const { sequences, cutWords } = tagSequences(sentences, { tokenizer, contextLength });
    if (cutWords > 0) options.onCut?.(cutWords);
    const found: TaggedWord[][] = sentences.map(() => []);
    const batches = byLength(sequences.map(({ ids }) => ids.length), batch);
    let done = 0;
    options.onProgress?.(done, sequences.length);
    for (let from = 0; from < batches.length; from += READ_TOGETHER) {
      const group = batches.slice(from, from + READ_TOGETHER).map((numbers) => {
        const chosen = Array.from(numbers, (n) => sequences[n]);
        return { chosen, padded: padSequences(chosen, model.config) };
      });
      const logitsOf = (
        run: Run,
        { shape, ids, mask }: ReturnType<typeof padSequences>,
      ): Tensor =>
        tagLogits(run, model, {
          ids: model.ids(ids, shape),
          mask: mask && model.device.upload(Float32Array.from(mask), shape),
        });
      const read = await computeFinite(
        model,
        "Cannot tag the sentences",
        group.map(({ padded }) => (run) => [logitsOf(run, padded)]),
      );
      group.forEach(({ chosen, padded: { shape: [, time] } }, g) => {
        chosen.forEach(({ firsts, sentence, word }, b) => {
          firsts.forEach((place, i) => {
            const row = (b * time + place) * tags.length;
            const scores = softmaxOf([...read[g][0].subarray(row, row + tags.length)]);
            const best = likeliest(scores, topK).map((n) => ({ tag: tags[n], score: scores[n] }));
            found[sentence][word + i] = {
              word: sentences[sentence][word + i],
              ...best[0],
              ...topK > 1 ? { tags: best } : {},
            };
          });
        });
        done += chosen.length;
      });
      options.onProgress?.(done, sequences.length);
    }
    return found;
  }

  /**
   * How many of the tags that are known are found, by the word and by the entity.
   *
   * @throws {VitrailError} at a tag that the model does not know, or as `tagWords`
   */
  async evaluate(
    sentences: readonly TaggedSentence[],
    options: Omit<TagOptions, "topK"> = {},
  ): Promise<TagScores> {
    tagNumbers(sentences, this.tags);
    const tagged = await this.tagWords(sentences.map(({ tokens }) => tokens), options);
    return scoreTags(
      sentences.map(({ tags }) => tags),
      tagged.map((words) => words.map(({ tag }) => tag)),
      { tags: this.tags },
    );
  }

  /**
   * Tags texts: each is cut into sentences, and these into words with punctuation apart.
   *
   * @returns for each text its sentences, for each of these its words, with their places in the text
   * @throws {VitrailError} if a text has no word
   */
  async tagTexts(
    texts: readonly string[],
    options: TagOptions = {},
  ): Promise<TaggedWord[][][]> {
    const cut = texts.map((text, i) => {
      const sentences = sentencesOf(text);
      if (sentences.length > 0) return sentences;
      throw new VitrailError(`Cannot tag text ${i + 1}: it has no word; give a text with words`);
    });
    const sentences = cut.flat();
    const words = sentences.map((sentence) => sentence.map((word) => word.text));
    const tagged = (await this.tagWords(words, options)).map((sentence, s) =>
      sentence.map((word, w) => ({ ...word, begin: sentences[s][w].begin }))
    );
    let from = 0;
    return cut.map(({ length }) => tagged.slice(from, from += length));
  }
}

/**
 * Opens the directory of a BERT that was fine-tuned to tag.
 *
 * @param options.adapter directory of a LoRA adapter, which brings its head to any BERT of its size
 * @throws {VitrailError} if a file is missing or broken, or the model is for something else
 */
export async function loadTagger(
  device: Device,
  directory: string,
  options: { adapter?: string } = {},
): Promise<Tagger> {
  const found = checkedModel({ model: directory, adapter: options.adapter }, "bert");
  const tokenizer = await loadTokenizer(found.model);
  const { model } = loadAdaptedBert(device, found.model, found.adapter);
  return handOver(model, () => new Tagger(model, tokenizer));
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
