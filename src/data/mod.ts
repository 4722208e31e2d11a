/**
 * Text, labels, tags and questions, and the batches that are made of them: what `mod.ts` shows of this
 * room.
 *
 * @module
 */
export {
  fillTemplate,
  type PromptTemplates,
  type PromptValues,
  readPromptTemplates,
  templateFor,
} from "./completions/prompt_templates.ts";
export { type RepeatedBatch, repeatedBatch, type RepeatedOptions } from "./repeated_sequences.ts";
export { type Document, type DocumentOptions, readDocuments } from "./sources/documents.ts";
export {
  type Dataset,
  type DatasetIndex,
  type Encoder,
  openDataset,
  type StreamIndex,
  tokenizeCorpus,
  type TokenizeOptions,
} from "./tokens/shards.ts";
export type { Shard, TokenStream } from "./tokens/token_stream.ts";
export type { Side } from "./split.ts";
export {
  BatchSampler,
  type BatchSize,
  sequentialBatches,
  type TokenBatch,
  type Tokens,
} from "./tokens/batches.ts";
export {
  CHAT_TEMPLATE,
  chatPieces,
  type Example,
  type Message,
  parseExample,
  type Piece,
  readExamples,
} from "./completions/completions.ts";
export {
  type CompletionBatch,
  completionBatch,
  type EncodedExample,
  type EncodedExamples,
  encodeExamples,
  encodeTurns,
} from "./completions/completion_batches.ts";
export {
  readTaggedSentences,
  type TaggedSentence,
  type TaggedSentenceOptions,
  tagsOf,
} from "./tags/tagged_sentences.ts";
export { holdOut } from "./hold_out.ts";
export {
  type TagBatch,
  tagBatch,
  tagNumbers,
  type TagSequence,
  type TagSequences,
  tagSequences,
} from "./tags/tag_sequences.ts";
export { LengthSampler, type Sequence, type SequenceBatch } from "./length_batches.ts";
export { type EntityScore, scoreTags, type TagScores } from "./tags/tag_scores.ts";
export { mostFrequentTags } from "./tags/tag_baseline.ts";
export { type ControlLabels, controlLabels, type TypedLabels } from "./tags/control_tags.ts";
export { type WordPlaceOptions, type WordSequence, wordSequences } from "./tags/word_places.ts";
export {
  type AnswerText,
  parseQuestionAnswers,
  type Question,
  type QuestionAnswers,
  type QuestionAnswersOptions,
  type QuestionFields,
  readQuestionAnswers,
  readQuestions,
} from "./answers/question_answers.ts";
export {
  type AnswerBatch,
  answerBatch,
  type AnswerWindow,
  type AnswerWindows,
  answerWindows,
  type WindowOptions,
} from "./answers/answer_windows.ts";
export { type AnswerScores, scoreAnswers } from "./answers/answer_scores.ts";
export type { SpanOptions } from "./answers/answer_spans.ts";
export { type SentenceRule, splitSentences } from "./sources/sentences.ts";
export {
  encodeSentences,
  type SentenceCorpora,
  type SentenceCorpus,
  type SentenceCorpusOptions,
} from "./pretraining/sentence_corpus.ts";
export { drawPairs, type PairOptions, type PairPlan } from "./pretraining/sentence_pairs.ts";
export { Masking, type MaskOptions, type MaskVocabulary } from "./pretraining/masking.ts";
export { maskVocabularyOf } from "./pretraining/mask_vocabulary.ts";
export type { Random } from "./random.ts";
export {
  type EpochFigures,
  type PretrainingBatch,
  type PretrainingOptions,
  PretrainingSampler,
} from "./pretraining/pretraining_batches.ts";
export {
  type LabelledText,
  type LabelledTextOptions,
  type LabelledTexts,
  readLabelledTexts,
} from "./labels/labelled_texts.ts";
export { readTextInputs, readTexts, type TextOptions } from "./sources/texts.ts";
export type { TextField } from "./sources/field_records.ts";
export { BROWN_GENRES, brownPassages, type ClassText } from "./labels/brown_genres.ts";

export { type LabelledSplit, stratifiedSplit } from "./labels/stratified_split.ts";
export {
  byLength,
  type EncodedTexts,
  encodeTexts,
  type LongTexts,
  padBatch,
  type PaddedBatch,
  type SequenceFormat,
  sequenceFormat,
  type TextInput,
} from "./padded_sequences.ts";
export {
  type LabelledBatch,
  labelledBatch,
  LabelledSampler,
  type LabelledSequences,
  labelTargets,
} from "./labels/labelled_batches.ts";
export {
  calibrationError,
  type ClassFigures,
  type ClassificationFigures,
  figuresText,
  measureLabels,
  type MultipleLabelFigures,
  multipleLabelFigures,
  type Noted,
  type NumberFigures,
  numberFigures,
  type SingleLabelFigures,
  singleLabelFigures,
} from "./labels/label_scores.ts";
