/**
 * A classifier with random weights, and a tokenizer learnt from its texts.
 *
 * @module
 */
import { createBertConfig } from "../formats/bert_config.ts";
import { createGptConfig } from "../formats/gpt_config.ts";
import type { LabelKind } from "../formats/huggingface_bert.ts";
import type { PairFields } from "../formats/huggingface_labels.ts";
import type { Device } from "../gpu/device.ts";
import { Bert } from "../models/bert.ts";
import { GptClassifier } from "../models/gpt_classifier.ts";
import {
  bertSequenceClassifier,
  gptSequenceClassifier,
  type SequenceClassifier,
} from "../models/sequence_classifier.ts";
import { freshWeights } from "../models/weights.ts";
import { separatingPairs } from "../tokenizers/sequence_template.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { trainBytePairTokenizer } from "../tokenizers/train_bpe.ts";
import { trainWordPieceTokenizer } from "../tokenizers/train_word_piece.ts";
import { ProgressBar } from "../training/progress.ts";
import { BERT_PRESETS, initializerRange, SCRATCH_DROPOUT } from "./bert_presets.ts";
import type { TokenizerSizes } from "./finetune_plan.ts";
import { checkChoice } from "./choices.ts";
import { type Preset, PRESETS } from "./presets.ts";

/** What decides a model from scratch. */
export interface ScratchFlags {
  /** Its family. */
  family: "bert" | "gpt2";
  /** Its sizes by name, as {@linkcode scratchSizes} knows them. */
  preset: string;
  /** Its context; the preset's if absent. */
  sequence?: number;
  /** Dropout everywhere; {@linkcode SCRATCH_DROPOUT} if absent. */
  dropout?: number;
  /** V of a new tokenizer. */
  vocabulary: number;
  /** Seed of its weights. */
  seed: number;
}

/**
 * Sizes of a family by name.
 *
 * @throws {VitrailError} if there is no such name
 */
export function scratchSizes({ family, preset }: Pick<ScratchFlags, "family" | "preset">): Preset {
  const presets = family === "bert" ? BERT_PRESETS : PRESETS;
  checkChoice("preset", preset, Object.keys(presets));
  return presets[preset];
}

/**
 * WordPiece for a BERT, byte-level BPE for a GPT.
 *
 * @param options.characters how much of each text is learnt from; all of it if absent
 * @param options.pairs whether texts are read in pairs: a GPT's have the end of a text between them
 */
export async function scratchTokenizer(
  texts: string[],
  options: Pick<ScratchFlags, "family" | "vocabulary"> & { characters?: number; pairs?: boolean },
): Promise<Tokenizer> {
  const { family, vocabulary, characters = Infinity, pairs = false } = options;
  using bar = new ProgressBar({ total: vocabulary, label: "tokenizer", unit: "token" });
  const learn = family === "bert" ? trainWordPieceTokenizer : trainBytePairTokenizer;
  const tokenizer = await learn(texts.map((text) => text.slice(0, characters)), {
    vocabularySize: vocabulary,
    onProgress: (done) => bar.update(done, {}),
  });
  return pairs && family === "gpt2" ? separatingPairs(tokenizer) : tokenizer;
}

/** A model with random weights for these labels. */
export function scratchClassifier(
  device: Device,
  tokenizer: TokenizerSizes,
  { family, preset, sequence, dropout = SCRATCH_DROPOUT, seed, ...labelled }: ScratchFlags & {
    labels: string[];
    labelKind: LabelKind;
    pairFields?: PairFields;
  },
): SequenceClassifier {
  const { layers, heads, channels, sequence: usual } = scratchSizes({ family, preset });
  const size = {
    vocabularySize: tokenizer.vocabularySize,
    contextLength: sequence ?? usual,
    channels,
    layers,
    heads,
  };
  const { labels, labelKind, pairFields } = labelled;
  const source = freshWeights(seed);
  if (family === "bert") {
    const config = createBertConfig(size, {
      padId: tokenizer.tokenToId("[PAD]") ?? 0,
      hiddenDropout: dropout,
      attentionDropout: dropout,
      initializerRange: initializerRange(channels),
    });
    const head = { kind: "sequence-classification" as const, labels, labelKind, pairFields };
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
  const settings = { labels, labelKind, pairFields, padId: endOfText ?? 0, source };
  return gptSequenceClassifier(new GptClassifier(device, config, settings));
}
