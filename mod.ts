/**
 * Vitrail for programs: train, run and open up Transformers on WebGPU.
 *
 * @example
 * ```ts
 * import { createGptConfig, generate, Gpt, openDevice } from "./mod.ts";
 *
 * const device = await openDevice();
 * const config = createGptConfig({
 *   vocabularySize: 10,
 *   contextLength: 16,
 *   channels: 8,
 *   layers: 1,
 *   heads: 2,
 * });
 * const [ids] = await generate(new Gpt(device, config), [0, 1, 2], { maxNewTokens: 5 });
 * console.log(ids);
 * device.destroy();
 * ```
 *
 * @module
 */
export { VitrailError } from "./src/errors.ts";

// The ground: a device, its memory, its shaders.
export { Device, type DeviceOptions, openDevice } from "./src/gpu/device.ts";
export { type DType, type NumericArray, Tensor } from "./src/gpu/tensor.ts";
export {
  BufferPool,
  type MemoryKind,
  type MemoryReport,
  type PooledBuffer,
  Scope,
} from "./src/gpu/buffers.ts";
export { type Bindable, Commands, type DispatchArguments } from "./src/gpu/commands.ts";
export type { LaterRead, ReadSource } from "./src/gpu/later_read.ts";
export { type Binding, type EntryPoint, Kernel, type UniformMember } from "./src/gpu/kernel.ts";
export { type Overrides, type Pipeline, PipelineCache } from "./src/gpu/pipelines.ts";
export { type ScratchTexture, ScratchTextures, type TexelFormat } from "./src/gpu/textures.ts";

// Forward passes, hooks and gradients.
export { type HalfPrecision, type Hook, Run, type RunOptions } from "./src/autograd/run.ts";
export { Parameter, type ParameterHome } from "./src/autograd/parameter.ts";
export { type Backward, Gradients, type GradientTarget, Tape } from "./src/autograd/tape.ts";
export type { Loss } from "./src/autograd/ops/cross_entropy.ts";
export type { DropoutKey } from "./src/kernels/dropout.ts";

// Models and their files.
export { Gpt, GptCache } from "./src/models/gpt.ts";
export type { Decoder } from "./src/models/gpt_decoder.ts";
export { loadGpt, saveGpt } from "./src/models/files.ts";
export { type AttentionCache, LayerCache } from "./src/nn/cache.ts";
export {
  type Adaptable,
  adapterSize,
  addLora,
  loadAdapter,
  type LoraAdapter,
  type LoraSettings,
  mergeAdapter,
  removeAdapter,
  saveAdapter,
} from "./src/models/adapters.ts";
export {
  type Adapted,
  loadAdaptedBert,
  loadAdaptedClassifier,
  loadAdaptedGpt,
  type ModelTask,
  modelTask,
  trainedWhole,
} from "./src/models/adapted_models.ts";
export { Linear } from "./src/nn/linear.ts";
export { Lora, type LoraOptions } from "./src/nn/lora.ts";
export { freeze, matchesName, type NameReach } from "./src/nn/names.ts";
export type { PeftConfig } from "./src/formats/peft.ts";
export {
  freshWeights,
  type Initial,
  storedWeights,
  type WeightSource,
} from "./src/models/weights.ts";
export {
  createGptConfig,
  type GptActivation,
  type GptConfig,
  type GptPositions,
  type GptSize,
} from "./src/formats/gpt_config.ts";
export {
  openModelWeights,
  openSafetensors,
  type SafetensorsDtype,
  type SafetensorsFile,
  type TensorData,
  type TensorInfo,
  type TensorToWrite,
  type WritableDtype,
  writeSafetensors,
} from "./src/formats/safetensors.ts";

// Writing.
export { generate, type GenerateOptions } from "./src/generation/generate.ts";
export { type WriteOptions, writeText } from "./src/generation/write.ts";
export {
  classifyAndWrite,
  type LabelFinder,
  type PipelineOptions,
  type PipelineParts,
  type PipelineResult,
} from "./src/generation/pipeline.ts";
export {
  fillTemplate,
  type PromptTemplates,
  type PromptValues,
  readPromptTemplates,
  templateFor,
} from "./src/data/completions/prompt_templates.ts";
export type { SampleSettings } from "./src/kernels/sample.ts";

// Text.
export { loadTokenizer, type Tokenizer } from "./src/tokenizers/tokenizer.ts";
export type { DecodeStream } from "./src/tokenizers/decode_stream.ts";
export { trainBytePairTokenizer, type TrainTokenizerOptions } from "./src/tokenizers/train_bpe.ts";
export {
  type TrainWordPieceOptions,
  trainWordPieceTokenizer,
} from "./src/tokenizers/train_word_piece.ts";
export {
  type BertText,
  type EncodedPair,
  encodePair,
  type EncodePairOptions,
  encodePieces,
  joinPair,
} from "./src/tokenizers/bert_encoder.ts";
export type { Pieces } from "./src/tokenizers/word_piece.ts";
export { trainCharacterTokenizer } from "./src/tokenizers/train_characters.ts";
export {
  type Document,
  type DocumentOptions,
  readDocuments,
} from "./src/data/sources/documents.ts";
export {
  type Dataset,
  type DatasetIndex,
  type Encoder,
  openDataset,
  type StreamIndex,
  tokenizeCorpus,
  type TokenizeOptions,
} from "./src/data/tokens/shards.ts";
export type { Shard, TokenStream } from "./src/data/tokens/token_stream.ts";
export type { Side } from "./src/data/split.ts";
export {
  BatchSampler,
  type BatchSize,
  sequentialBatches,
  type TokenBatch,
  type Tokens,
} from "./src/data/tokens/batches.ts";

// Fine-tuning of language models.
export {
  CHAT_TEMPLATE,
  chatPieces,
  type Example,
  type Message,
  parseExample,
  type Piece,
  readExamples,
} from "./src/data/completions/completions.ts";
export {
  type CompletionBatch,
  completionBatch,
  type EncodedExample,
  type EncodedExamples,
  encodeExamples,
  encodeTurns,
} from "./src/data/completions/completion_batches.ts";
export { completing } from "./src/training/completion_task.ts";
export { adapted } from "./src/training/adapted_task.ts";

// BERT.
export { Bert, type BertInput } from "./src/models/bert.ts";
export { type BertHeads, Classifier, MaskedLanguageHead, Pooler } from "./src/models/bert_heads.ts";
export {
  type BertActivation,
  type BertConfig,
  type BertSize,
  createBertConfig,
} from "./src/formats/bert_config.ts";
export type { BertHeadsSettings, LabelKind } from "./src/formats/huggingface_bert.ts";
export { loadBert, saveBert } from "./src/models/files.ts";

// Tagging and answering.
export {
  readTaggedSentences,
  type TaggedSentence,
  type TaggedSentenceOptions,
  tagsOf,
} from "./src/data/tags/tagged_sentences.ts";
export { holdOut } from "./src/data/hold_out.ts";
export {
  type TagBatch,
  tagBatch,
  tagNumbers,
  type TagSequence,
  type TagSequences,
  tagSequences,
} from "./src/data/tags/tag_sequences.ts";
export { LengthSampler, type Sequence, type SequenceBatch } from "./src/data/length_batches.ts";
export { type EntityScore, scoreTags, type TagScores } from "./src/data/tags/tag_scores.ts";
export { mostFrequentTags } from "./src/data/tags/tag_baseline.ts";
export { tokenClassification } from "./src/training/token_classification.ts";
export { loadTagger, type TaggedWord, Tagger, type TagOptions } from "./src/inference/tag.ts";
export {
  type AnswerText,
  parseQuestionAnswers,
  type Question,
  type QuestionAnswers,
  readQuestionAnswers,
  readQuestions,
} from "./src/data/answers/question_answers.ts";
export {
  type AnswerBatch,
  answerBatch,
  type AnswerWindow,
  type AnswerWindows,
  answerWindows,
  type WindowOptions,
} from "./src/data/answers/answer_windows.ts";
export { type AnswerScores, scoreAnswers } from "./src/data/answers/answer_scores.ts";
export { questionAnswering } from "./src/training/question_answering.ts";
export {
  type Answer,
  type Answered,
  type AnswerOptions,
  loadQuestionAnswerer,
  QuestionAnswerer,
} from "./src/inference/answer.ts";
export type { SpanOptions } from "./src/data/answers/answer_spans.ts";

// Pre-training of BERT, and its use.
export { attentionMask } from "./src/models/attention_mask.ts";
export {
  type LabelledLoss,
  type LossTerm as NamedLossTerm,
  preTrain,
} from "./src/models/bert_tasks.ts";
export { type SentenceRule, splitSentences } from "./src/data/sources/sentences.ts";
export {
  encodeSentences,
  type SentenceCorpora,
  type SentenceCorpus,
  type SentenceCorpusOptions,
} from "./src/data/pretraining/sentence_corpus.ts";
export {
  drawPairs,
  type PairOptions,
  type PairPlan,
} from "./src/data/pretraining/sentence_pairs.ts";
export { Masking, type MaskOptions, type MaskVocabulary } from "./src/data/pretraining/masking.ts";
export { maskVocabularyOf } from "./src/data/pretraining/mask_vocabulary.ts";
export type { Random } from "./src/data/random.ts";
export {
  type EpochFigures,
  type PretrainingBatch,
  type PretrainingOptions,
  PretrainingSampler,
} from "./src/data/pretraining/pretraining_batches.ts";
export {
  bertPretraining,
  evaluatePretraining,
  type PretrainingAccuracy,
  pretrainingAccuracy,
  type PretrainingEvaluation,
} from "./src/training/bert_pretraining.ts";
export {
  type FilledMask,
  type FilledText,
  type FillMaskOptions,
  loadMaskFiller,
  MaskFiller,
  type MaskGuess,
} from "./src/inference/fill_mask.ts";

// Labels for whole texts, by BERT or GPT.
export {
  type LabelledText,
  type LabelledTextOptions,
  type LabelledTexts,
  readLabelledTexts,
} from "./src/data/labels/labelled_texts.ts";
export { readTexts } from "./src/data/sources/texts.ts";
export { type LabelledSplit, stratifiedSplit } from "./src/data/labels/stratified_split.ts";
export {
  byLength,
  type EncodedTexts,
  encodeTexts,
  padBatch,
  type PaddedBatch,
  type SequenceFormat,
  sequenceFormat,
} from "./src/data/padded_sequences.ts";
export {
  type LabelledBatch,
  labelledBatch,
  LabelledSampler,
  type LabelledSequences,
  labelTargets,
} from "./src/data/labels/labelled_batches.ts";
export {
  GptClassifier,
  loadGptClassifier,
  saveGptClassifier,
} from "./src/models/gpt_classifier.ts";
export type { GptClassifierSettings } from "./src/formats/huggingface_gpt2_classifier.ts";
export {
  bertSequenceClassifier,
  classificationLoss,
  gptSequenceClassifier,
  loadSequenceClassifier,
  type PaddedIds,
  type SequenceClassifier,
} from "./src/models/sequence_classifier.ts";
export {
  balancedWeights,
  HeldOutLogits,
  sequenceClassification,
} from "./src/training/sequence_classification.ts";
export {
  calibrationError,
  type ClassFigures,
  type ClassificationFigures,
  figuresText,
  measureLabels,
  type MultipleLabelFigures,
  multipleLabelFigures,
  type NumberFigures,
  numberFigures,
  type SingleLabelFigures,
  singleLabelFigures,
} from "./src/data/labels/label_scores.ts";
export {
  type ClassifiedText,
  type ClassifyOptions,
  loadTextClassifier,
  type ScoredLabel,
  scoresOf,
  TextClassifier,
} from "./src/inference/text_classifier.ts";

// Training.
export { AdamW, type AdamWOptions, type Moments } from "./src/optim/adamw.ts";
export type { LossScaleOptions } from "./src/optim/mixed_precision.ts";
export { layerwiseRates } from "./src/optim/layer_rates.ts";
export type { GradientNorm } from "./src/kernels/gradient_norm.ts";
export { type Batch, languageModelling, type LossTerm, type Task } from "./src/training/task.ts";
export { type StepFigures, Trainer, type TrainerOptions } from "./src/training/trainer.ts";
export { describeSkip, type Precision } from "./src/training/precision.ts";
export { train, type TrainIO, type TrainResult, type TrainSettings } from "./src/training/loop.ts";
export { evaluate, type Evaluation } from "./src/training/evaluate.ts";
export { loadCheckpoint, saveCheckpoint, type TrainingState } from "./src/training/checkpoint.ts";

// Where the time goes.
export {
  attachProfiler,
  type ProfiledEvent,
  Profiler,
  type Recording,
  type Stretch,
} from "./src/gpu/profiler.ts";
export type { BufferFill, Given } from "./src/profiling/own_shader.ts";
export { type KernelProfileOptions, profileKernels } from "./src/profiling/kernel_profile.ts";
export type { Case } from "./src/profiling/cases/operands.ts";
export { profilePage } from "./src/profiling/profile_page.ts";
export {
  profileShader,
  type ShaderOutput,
  type ShaderProfileOptions,
} from "./src/profiling/shader_profile.ts";
export {
  type Profiled,
  profileGenerate,
  profileStep,
  type WorkloadSizes,
} from "./src/profiling/workloads.ts";
export type { Work } from "./src/kernels/work.ts";
export { record, type TimedRecording, type Timing } from "./src/profiling/record.ts";
export { measureRoof, type Roof } from "./src/profiling/roof.ts";
export type { ShaderFacts } from "./src/profiling/shader_facts.ts";
export {
  type KernelRow,
  type Profile,
  summarize,
  type SummaryOptions,
} from "./src/profiling/summary.ts";
export {
  type BatchLimit,
  ghostWeights,
  largestBatch,
  type PlanOptions,
  planStep,
  type StepBuilder,
  type StepMemory,
  type StepPlan,
} from "./src/profiling/step_plan.ts";
export { profileTable } from "./src/profiling/table.ts";
export { type Trace, type TraceEvent, traceOf } from "./src/profiling/trace.ts";
