/**
 * What `vitrail evaluate` is told, and what each of its measurements tells.
 *
 * @module
 */
import type { QuestionFields } from "../data/answers/question_answers.ts";
import type { LongTexts } from "../data/padded_sequences.ts";
import type { SentenceRule } from "../data/sources/sentences.ts";

/** Values of the flags. */
export interface EvaluateFlags extends QuestionFields {
  /** The model. */
  model: string;
  /** A LoRA adapter of it. */
  adapter?: string;
  /** What it is measured on. */
  data: string;
  /** Sequences at once. */
  batch: number;
  /** Tokens of a sequence at most. */
  sequence?: number;
  /** What a classifier does with longer texts. */
  longTexts: LongTexts;
  /** Field of the text, or both fields of pairs; what the model was trained on, or `text`, if absent. */
  textField?: string;
  /** Field of the label. */
  labelField: string;
  /** Column of the words. */
  tokenColumn?: number;
  /** Column of the tags. */
  tagColumn?: number;
  /** Tokens from one window to the next. */
  stride?: number;
  /** Tokens of an answer at most. */
  longest: number;
  /** No answer where its logit is above the best span's by this. */
  threshold?: number;
  /** Where sentences end. */
  sentences?: SentenceRule;
  /** How messages read. */
  template: string;
  /** Part of the tokens that is masked. */
  masking: number;
  /** What a GPT's weights are kept in. */
  weights?: string;
  /** Weights that share a scale. */
  group?: string;
  /** Print JSON. */
  json: boolean;
  /** Use the winners of a tuner. */
  tune: boolean;
}

/** Figures, and how they read. */
export interface Found {
  /** All of them, for `--json`. */
  figures: object;
  /** In words. */
  text: string;
}
