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
export { type DType, type HostTensor, type NumericArray, Tensor } from "./src/gpu/tensor.ts";
export { BufferPool, type MemoryReport } from "./src/gpu/buffers.ts";
export type {
  Lender,
  MemoryBlock,
  MemoryKind,
  Owned,
  PooledBuffer,
  ResourceOwner,
} from "./src/gpu/pooled_buffer.ts";
export type { CurrentScope, Scope } from "./src/gpu/scope.ts";
export { Commands } from "./src/gpu/commands.ts";
export type { Bindable, DispatchArguments } from "./src/gpu/dispatch.ts";
export type { LaterRead, ReadSource } from "./src/gpu/later_read.ts";
export { type Binding, type EntryPoint, Kernel, type UniformMember } from "./src/gpu/kernel.ts";
export { type Overrides, type Pipeline, PipelineCache } from "./src/gpu/pipelines.ts";
export {
  type OwnTexture,
  type ScratchTexture,
  ScratchTextures,
  type TexelFormat,
} from "./src/gpu/textures.ts";
export { type NotedCall, type Trial, type Tunable, VariantTable } from "./src/gpu/variants.ts";

// Which variants of kernels are fast on this adapter.
export * from "./src/tuning/mod.ts";

// Forward passes, hooks and gradients.
export { type HalfPrecision, type Hook, Run, type RunOptions } from "./src/autograd/run.ts";
export { Parameter, type ParameterHome } from "./src/autograd/parameter.ts";
export { type Backward, Gradients, type GradientTarget, Tape } from "./src/autograd/tape.ts";
export type { Loss } from "./src/autograd/ops/cross_entropy.ts";
export type { DropoutKey } from "./src/kernels/dropout.ts";
export type { GeluKind } from "./src/kernels/gelu.ts";

// Models and their files.
export { Gpt, GptCache } from "./src/models/gpt.ts";
export { hookPoints } from "./src/models/hook_points.ts";
export type { Decoder, DecoderSize, PromptLengths } from "./src/models/gpt_decoder.ts";
export type { CacheFormat } from "./src/kernels/attention_decode.ts";
export { loadGpt, saveGpt } from "./src/models/files.ts";
export { quantizeGpt, type QuantizeOptions } from "./src/models/quantize.ts";
export { QuantizedWeight } from "./src/autograd/quantized_weight.ts";
export type { QuantizedMatrix } from "./src/kernels/quantized.ts";
export type { PackedFormat, PackedMatrix, Packing } from "./src/formats/quantized_matrix.ts";
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
export type { TiedNames } from "./src/models/tied_weights.ts";
export type { ActivationKind } from "./src/kernels/activation.ts";
export type { ActivationName } from "./src/formats/activations.ts";
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
export { generate, generateSequences, type Prompts } from "./src/generation/generate.ts";
export type { BeamOptions, GenerateOptions } from "./src/generation/generate_options.ts";
export type { GeneratedSequence } from "./src/generation/chooser.ts";
export {
  type WriteOptions,
  writeText,
  writeTexts,
  type WriteTextsOptions,
  type WrittenText,
} from "./src/generation/write.ts";
export {
  classifyAndWrite,
  type LabelFinder,
  type PipelineOptions,
  type PipelineParts,
  type PipelineResult,
} from "./src/generation/pipeline.ts";
export type { SampleSettings } from "./src/kernels/sample.ts";

// Text, and what is made of it.
export * from "./src/data/mod.ts";
export {
  type DecodeOptions,
  loadTokenizer,
  type StreamOptions,
  type Tokenizer,
} from "./src/tokenizers/tokenizer.ts";
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
export type { Pieces } from "./src/tokenizers/pipeline.ts";
export type { SequenceTemplate, TemplatePart } from "./src/tokenizers/sequence_template.ts";
export { trainCharacterTokenizer } from "./src/tokenizers/train_characters.ts";

// Fine-tuning of language models.
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
export type { PairFields } from "./src/formats/huggingface_labels.ts";
export { loadBert, saveBert } from "./src/models/files.ts";

// Tagging and answering.
export { tokenClassification } from "./src/training/token_classification.ts";
export { loadTagger, type TaggedWord, Tagger, type TagOptions } from "./src/inference/tag.ts";
export { questionAnswering } from "./src/training/question_answering.ts";
export {
  type Answer,
  type Answered,
  type AnswerOptions,
  loadQuestionAnswerer,
  QuestionAnswerer,
} from "./src/inference/answer.ts";

// Pre-training of BERT, and its use.
export { attentionMask } from "./src/models/attention_mask.ts";
export {
  type LabelledLoss,
  type LossTerm as NamedLossTerm,
  preTrain,
} from "./src/models/bert_tasks.ts";
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
export * from "./src/profiling/mod.ts";

// Looking inside.
export * from "./src/probes/mod.ts";
