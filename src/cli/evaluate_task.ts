/**
 * How good a model is at the task that it was fine-tuned for.
 *
 * @module
 */
import { readQuestionAnswers } from "../data/answers/question_answers.ts";
import { readLabelledTexts } from "../data/labels/labelled_texts.ts";
import { readTaggedSentences } from "../data/tags/tagged_sentences.ts";
import type { Device } from "../gpu/device.ts";
import { loadQuestionAnswerer } from "../inference/answer.ts";
import { loadTagger } from "../inference/tag.ts";
import { loadTextClassifier } from "../inference/text_classifier.ts";
import { ProgressBar } from "../training/progress.ts";
import type { EvaluateFlags, Found } from "./evaluate_flags.ts";
import { scoresText as answerText, tellCutQuestions } from "./finetune_answer.ts";
import { summary } from "./finetune_classify.ts";
import { scoresText as tagText, tellCutWords } from "./finetune_tag.ts";
import { tellEmpty, tellLikelyPairs, tellLong } from "./given_texts.ts";

/** Shows a bar while something is measured; it begins when it is known how much there is to do. */
async function measured<Result>(
  unit: string,
  measure: (onProgress: (done: number, total: number) => void) => Promise<Result>,
): Promise<Result> {
  let bar: ProgressBar | undefined;
  try {
    return await measure((done, total) => {
      bar ??= new ProgressBar({ total, label: "evaluate", unit });
      bar.update(done, {});
    });
  } finally {
    bar?.finish();
  }
}

/** Accuracy, macro F1, confusion and calibration; or what is told of several labels or of numbers. */
export async function evaluateClassifier(device: Device, flags: EvaluateFlags): Promise<Found> {
  const { data, batch, sequence: limit, longTexts } = flags;
  const classifier = await loadTextClassifier(device, flags.model, flags);
  const { labels, labelKind: kind, contextLength, pairFields } = classifier.model;
  const { labelField, textField = pairFields } = flags;
  const fields = { labelField, textField };
  const { examples, empty } = await readLabelledTexts(data, { ...fields, kind, known: labels });
  tellEmpty(empty, data);
  if (classifier.likelyPairs && examples.some(({ pair }) => pair === undefined)) {
    tellLikelyPairs(labels);
  }
  const { figures, truncated, targets } = await measured(
    "text",
    (onProgress) => classifier.evaluate(examples, { batch, limit, longTexts, onProgress }),
  );
  tellLong(truncated, { limit: Math.min(limit ?? Infinity, contextLength), longTexts });
  return { figures: { ...figures, truncated, empty }, text: summary(figures, targets, labels) };
}

/** Accuracy by the word, and precision, recall and F1 by the entity. */
export async function evaluateTagger(device: Device, flags: EvaluateFlags): Promise<Found> {
  const tagger = await loadTagger(device, flags.model, flags);
  const sentences = await readTaggedSentences(flags.data, flags);
  const { batch, sequence: contextLength } = flags;
  const figures = await measured(
    "sentence",
    (onProgress) =>
      tagger.evaluate(sentences, { batch, contextLength, onCut: tellCutWords, onProgress }),
  );
  return { figures, text: `${tagText(figures)} (${figures.words} words)` };
}

/** Exact match and F1. */
export async function evaluateAnswerer(device: Device, flags: EvaluateFlags): Promise<Found> {
  const answerer = await loadQuestionAnswerer(device, flags.model, flags);
  const questions = await readQuestionAnswers(flags.data, flags);
  const { batch, stride, longest, threshold, sequence: contextLength } = flags;
  const options = { batch, stride, longest, threshold, contextLength, onCut: tellCutQuestions };
  const figures = await measured(
    "window",
    (onProgress) => answerer.evaluate(questions, { ...options, onProgress }),
  );
  return { figures, text: `${answerText(figures)} (${figures.questions} questions)` };
}
