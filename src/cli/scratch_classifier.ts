/**
 * A classifier with random weights, and a tokenizer learnt from its texts.
 *
 * @module
 */
import { createBertConfig } from "../formats/bert_config.ts";
import { createGptConfig } from "../formats/gpt_config.ts";
import type { LabelKind } from "../formats/huggingface_bert.ts";
import type { Device } from "../gpu/device.ts";
import { Bert } from "../models/bert.ts";
import { GptClassifier } from "../models/gpt_classifier.ts";
import {
  bertSequenceClassifier,
  gptSequenceClassifier,
  type SequenceClassifier,
} from "../models/sequence_classifier.ts";
import { freshWeights } from "../models/weights.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { trainBytePairTokenizer } from "../tokenizers/train_bpe.ts";
import { trainWordPieceTokenizer } from "../tokenizers/train_word_piece.ts";
import { ProgressBar } from "../training/progress.ts";
import { PRESETS } from "./presets.ts";

/** What decides a model from scratch. */
export interface ScratchFlags {
  /** Its family. */
  family: "bert" | "gpt2";
  /** Its sizes by name. */
  preset: string;
  /** Its context; twice the preset's if absent, as many tokens as a short mail has. */
  sequence?: number;
  /** Dropout everywhere. */
  dropout: number;
  /** V of a new tokenizer. */
  vocabulary: number;
  /** Seed of its weights. */
  seed: number;
}

/** Characters of a text that a tokenizer learns from, for each token of the context. */
const CHARACTERS = 8;

/** WordPiece for a BERT, byte-level BPE for a GPT, learnt from what the model will see of each text. */
export async function scratchTokenizer(
  texts: string[],
  { family, vocabulary, preset, sequence = 2 * PRESETS[preset].sequence }: ScratchFlags,
): Promise<Tokenizer> {
  using bar = new ProgressBar({ total: vocabulary, label: "tokenizer", unit: "token" });
  const learn = family === "bert" ? trainWordPieceTokenizer : trainBytePairTokenizer;
  return await learn(texts.map((text) => text.slice(0, CHARACTERS * sequence)), {
    vocabularySize: vocabulary,
    onProgress: (done) => bar.update(done, {}),
  });
}

/** A model with random weights for these labels. */
export function scratchClassifier(
  device: Device,
  tokenizer: Tokenizer,
  { family, preset, sequence, dropout, seed, labels, labelKind }: ScratchFlags & {
    labels: string[];
    labelKind: LabelKind;
  },
): SequenceClassifier {
  const { layers, heads, channels, sequence: usual } = PRESETS[preset];
  const size = {
    vocabularySize: tokenizer.vocabularySize,
    contextLength: sequence ?? 2 * usual,
    channels,
    layers,
    heads,
  };
  const source = freshWeights(seed);
  if (family === "bert") {
    const config = createBertConfig(size, {
      padId: tokenizer.tokenToId("[PAD]") ?? 0,
      hiddenDropout: dropout,
      attentionDropout: dropout,
    });
    const head = { kind: "sequence-classification" as const, labels, labelKind };
    return bertSequenceClassifier(new Bert(device, config, { heads: head, source }));
  }
  const { endOfText } = tokenizer;
  const config = createGptConfig(size, {
    embeddingDropout: dropout,
    attentionDropout: dropout,
    residualDropout: dropout,
    beginOfTextId: endOfText,
    endOfTextId: endOfText,
  });
  const settings = { labels, labelKind, padId: endOfText ?? 0, source };
  return gptSequenceClassifier(new GptClassifier(device, config, settings));
}
