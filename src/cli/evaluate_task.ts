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
import type { EvaluateFlags, Found } from "./evaluate_command.ts";
import { scoresText as answerText } from "./finetune_answer.ts";
import { summary } from "./finetune_classify.ts";
import { scoresText as tagText } from "./finetune_tag.ts";

/** A bar that begins when it is known how much there is to do. */
function progress(
  unit: string,
): { onProgress: (done: number, total: number) => void } & Disposable {
  let bar: ProgressBar | undefined;
  return {
    onProgress(done, total) {
      bar ??= new ProgressBar({ total, label: "evaluate", unit });
      bar.update(done, {});
    },
    [Symbol.dispose]: () => bar?.finish(),
  };
}

/** Accuracy, macro F1, confusion and calibration; or what is told of several labels or of numbers. */
export async function evaluateClassifier(device: Device, flags: EvaluateFlags): Promise<Found> {
  const { data, batch, sequence: limit } = flags;
  const classifier = await loadTextClassifier(device, flags.model, flags);
  const { labels, labelKind: kind, contextLength } = classifier.model;
  const { examples, empty } = await readLabelledTexts(data, { ...flags, kind, known: labels });
  if (empty > 0) console.error(`Left out ${empty} texts of ${data} that are empty`);
  using bar = progress("text");
  const { figures, truncated, targets } = await classifier.evaluate(examples, {
    batch,
    limit,
    onProgress: bar.onProgress,
  });
  if (truncated > 0) {
    const most = Math.min(limit ?? Infinity, contextLength);
    console.error(`${truncated} texts are longer than ${most} tokens: cut there`);
  }
  return { figures: { ...figures, truncated, empty }, text: summary(figures, targets, labels) };
}

/** Accuracy by the word, and precision, recall and F1 by the entity. */
export async function evaluateTagger(device: Device, flags: EvaluateFlags): Promise<Found> {
  const tagger = await loadTagger(device, flags.model, flags);
  const sentences = await readTaggedSentences(flags.data, flags);
  using bar = progress("sentence");
  const figures = await tagger.evaluate(sentences, {
    batch: flags.batch,
    onProgress: bar.onProgress,
  });
  return { figures, text: `${tagText(figures)} (${figures.words} words)` };
}

/** Exact match and F1. */
export async function evaluateAnswerer(device: Device, flags: EvaluateFlags): Promise<Found> {
  const answerer = await loadQuestionAnswerer(device, flags.model, flags);
  const questions = await readQuestionAnswers(flags.data);
  const { batch, stride, longest, threshold, sequence: contextLength } = flags;
  using bar = progress("window");
  const figures = await answerer.evaluate(questions, {
    batch,
    stride,
    longest,
    threshold,
    contextLength,
    onProgress: bar.onProgress,
  });
  return { figures, text: `${answerText(figures)} (${figures.questions} questions)` };
}
