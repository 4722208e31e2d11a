/**
 * From labelled data to what linear probes are asked: tags of words, and classes of texts.
 *
 * @module
 */
import { holdOut } from "../../data/hold_out.ts";
import { orderLabels } from "../../data/labels/label_order.ts";
import type { ClassText } from "../../data/labels/brown_genres.ts";
import { randomOf, shuffle } from "../../data/random.ts";
import { type TaggedSentence, tagsOf } from "../../data/tags/tagged_sentences.ts";
import { tagNumbers } from "../../data/tags/tag_sequences.ts";
import { wordSequences } from "../../data/tags/word_places.ts";
import { encodePair } from "../../tokenizers/bert_encoder.ts";
import { VitrailError } from "../../errors.ts";
import type { PlacedSequence } from "./features.ts";
import type { ProbeExamples, ProbeQuestion } from "./layers.ts";
import type { ProbeSubject } from "../subject.ts";

/** A question, and the names in it. */
export interface NamedQuestion extends ProbeQuestion {
  /** Names of labels by their numbers. */
  labels: readonly string[];
  /** What an example is, in the plural. */
  unit: "words" | "texts";
  /** Whether a row is an activation, or the mean over those of a text. */
  pooling: "places" | "mean";
}

/** How much data is used, and how. */
export interface QuestionOptions {
  /** Examples to train on, about; default 30,000 words or 4,000 texts. */
  examples?: number;
  /** Examples to judge by, about; a third as many if absent. */
  heldOut?: number;
  /** Part of the documents that examples held out are from; default 0.2. */
  fraction?: number;
  /** The token of a word that is looked at; default `first`. */
  piece?: "first" | "last";
  /** Decides which sentences are drawn. */
  seed?: number;
}

/**
 * Tags of words. Whole documents are held out, and of both sides whole sentences are drawn. The type of a
 * word, for the control task, is the word in small letters.
 *
 * @throws {VitrailError} if there is one tag only, or one document
 */
export async function tagQuestion(
  subject: ProbeSubject,
  sentences: readonly TaggedSentence[],
  options: QuestionOptions = {},
): Promise<NamedQuestion> {
  const { examples = 30_000, fraction = 0.2, piece, seed = 0 } = options;
  const { tokenizer, family, model: { config: { contextLength } } } = subject;
  const labels = tagsOf(sentences);
  const side = (all: readonly TaggedSentence[], count: number): ProbeExamples => {
    const chosen = drawn(all, { count, sizeOf: ({ tokens }) => tokens.length, seed });
    const words = chosen.map(({ tokens }) => tokens);
    const numbers = tagNumbers(chosen, labels);
    const sequences = wordSequences(words, { tokenizer, family, contextLength, piece })
      .sort((a, b) => a.ids.length - b.ids.length);
    const each = <T>(of: (sentence: number, word: number) => T): T[] =>
      sequences.flatMap(({ sentence, word, places }) =>
        Array.from(places, (_, i) => of(sentence, word + i))
      );
    return {
      sequences,
      labels: Int32Array.from(each((s, w) => numbers[s][w])),
      types: each((s, w) => words[s][w].toLowerCase()),
    };
  };
  const { heldOut } = options;
  return await question(sentences, {
    asked: { labels, unit: "words", pooling: "places" },
    draw: { examples, heldOut, fraction },
    side,
  });
}

/**
 * Classes of texts, of which the probe sees the mean activation. A text that is longer than the model's
 * context loses its end. The type of a text, for the control task, is its first word in small letters.
 *
 * @throws {VitrailError} if there is one class only, or one document
 */
export async function classQuestion(
  subject: ProbeSubject,
  texts: readonly ClassText[],
  options: Omit<QuestionOptions, "piece"> = {},
): Promise<NamedQuestion> {
  const { examples = 4_000, fraction = 0.2, seed = 0 } = options;
  const labels = orderLabels(texts.map(({ label }) => label));
  if (labels.length < 2) {
    throw new VitrailError(
      `Cannot probe for classes: every text is ${labels[0] ?? "missing"}; wanted two at least`,
    );
  }
  const numbers = new Map(labels.map((label, i) => [label, i]));
  const side = (all: readonly ClassText[], count: number): ProbeExamples => {
    const chosen = drawn(all, { count, sizeOf: () => 1, seed })
      .map((text) => ({ ...text, sequence: textSequence(subject, text.text) }))
      .sort((a, b) => a.sequence.ids.length - b.sequence.ids.length);
    return {
      sequences: chosen.map(({ sequence }) => sequence),
      labels: Int32Array.from(chosen, ({ label }) => numbers.get(label)!),
      types: chosen.map(({ text }) => text.trim().split(/\s+/, 1)[0].toLowerCase()),
    };
  };
  const { heldOut } = options;
  return await question(texts, {
    asked: { labels, unit: "texts", pooling: "mean" },
    draw: { examples, heldOut, fraction },
    side,
  });
}

/** Text as ids, all places asked but for BERT's special tokens. */
function textSequence({ tokenizer, family, model }: ProbeSubject, text: string): PlacedSequence {
  const { contextLength } = model.config;
  const special = family === "bert" ? 1 : 0;
  const ids = family === "bert"
    ? encodePair(tokenizer, text, undefined, { maxLength: contextLength }).ids
    : tokenizer.encode(text).subarray(0, contextLength);
  const count = Math.max(1, ids.length - 2 * special);
  return { ids, places: Uint32Array.from({ length: count }, (_, i) => i + special) };
}

/** Whole examples in a random order, until their sizes reach `count`. */
function drawn<T>(
  all: readonly T[],
  { count, sizeOf, seed }: { count: number; sizeOf: (one: T) => number; seed: number },
): T[] {
  const order = Uint32Array.from(all.keys());
  shuffle(order, randomOf(seed, all.length));
  const found: T[] = [];
  let size = 0;
  for (const i of order) {
    if (size >= count) break;
    found.push(all[i]);
    size += sizeOf(all[i]);
  }
  return found;
}

/** A question about data of which whole documents are held out. */
async function question<T extends { group: string }>(
  data: readonly T[],
  { asked, draw, side }: {
    asked: Pick<NamedQuestion, "labels" | "unit" | "pooling">;
    draw: Required<Pick<QuestionOptions, "examples" | "fraction">> & { heldOut?: number };
    side: (data: readonly T[], count: number) => ProbeExamples;
  },
): Promise<NamedQuestion> {
  const sides = await holdOut(data, draw.fraction);
  const train = side(sides.train, draw.examples);
  const heldOut = side(sides.validation, draw.heldOut ?? Math.ceil(draw.examples / 3));
  for (const [name, { labels }] of [["train on", train], ["hold out", heldOut]] as const) {
    if (labels.length > 0) continue;
    throw new VitrailError(
      `Cannot probe: there are no ${asked.unit} to ${name}; give more documents`,
    );
  }
  return { train, heldOut, classes: asked.labels.length, ...asked };
}
