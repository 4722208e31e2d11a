/**
 * Looking inside models: what `mod.ts` shows of this room.
 *
 * @module
 */
export { type Activation, ActivationCache } from "./activation_cache.ts";
export {
  ablate,
  type AblationOptions,
  type AblationResult,
  type Substitute,
} from "./patching/ablation.ts";
export {
  type Attribution,
  gradientTimesInput,
  type IntegratedGradients,
  integratedGradients,
  type IntegratedGradientsOptions,
} from "./attribution/attribution.ts";
export { attributionPatching } from "./patching/attribution_patching.ts";
export type { Baseline } from "./attribution/baselines.ts";
export {
  type HeadScores,
  headScores,
  type PatternScores,
  type ScoredText,
  scorePattern,
} from "./attention/head_scores.ts";
export { type HookNames, matchHooks } from "./hook_names.ts";
export {
  checkSameLength,
  judge,
  type Judged,
  type JudgeOptions,
  type JudgeQuestion,
  type MetricName,
  metricNames,
} from "./judge.ts";
export { meanActivations, type MeanOptions } from "./patching/mean_activations.ts";
export {
  klDivergence,
  logit,
  logitDifference,
  logProbability,
  meanLoss,
  type Metric,
  type MetricPlace,
  probability,
  spanScore,
} from "./metrics.ts";
export {
  activationPatching,
  type PatchingMap,
  patchingMap,
  type PatchingOptions,
  type PatchingPair,
  type PatchingResult,
  patchingSweep,
} from "./patching/patching.ts";
export {
  directOnly,
  pathPatching,
  type PathPatchingOptions,
  readersBehind,
} from "./patching/path_patching.ts";
export { embeddingHook, modelLogits, type ProbedModel, type ProbeInput } from "./probed_model.ts";
export {
  type CacheOptions,
  type GradientResult,
  type HookList,
  runWithCache,
  runWithGradients,
  runWithHooks,
} from "./run_with_hooks.ts";
export { type Points, type Quadrature, quadrature } from "./attribution/quadrature.ts";
export type { Site } from "./patching/sites.ts";
export { loadSubject, type ProbedText, ProbeSubject } from "./subject.ts";
export { attentionMaps, type HeadId, headMap, headName, type HeadPlace } from "./attention/maps.ts";
export { attentionRollout, type Rollout } from "./attention/rollout.ts";
export {
  attributeLogit,
  type AttributionOptions,
  type Contribution,
  type LogitAttribution,
} from "./lens/logit_attribution.ts";
export { type LensCell, type LensOptions, type LensRow, logitLens } from "./lens/logit_lens.ts";
export { type StreamPoint, streamPoints } from "./lens/residual_stream.ts";
export { loadTunedLens, TunedLens } from "./lens/tuned_lens.ts";
export {
  type LensBatch,
  lensDivergence,
  type LensTrainingOptions,
  trainTunedLens,
} from "./lens/tuned_lens_training.ts";
export {
  type HeadPart,
  headParts,
  type PlacePart,
  placeParts,
  type Sweep,
  sweepHeads,
  sweepOf,
  sweepPlaces,
} from "./patching/sweeps.ts";
export {
  collectFeatures,
  type FeatureOptions,
  type PlacedSequence,
  residualPoints,
} from "./linear/features.ts";
export {
  LinearProbe,
  predictLabels,
  type ProbeTask,
  type ProbeTraining,
  trainLinearProbes,
} from "./linear/linear_probe.ts";
export {
  type LayerResult,
  type ProbeExamples,
  probeLayers,
  type ProbeLayersOptions,
  type ProbeQuestion,
} from "./linear/layers.ts";
export {
  type LinearProbeResult,
  probeLinear,
  type ProbeLinearOptions,
  type SideCounts,
} from "./linear/probe.ts";
export {
  classQuestion,
  type NamedQuestion,
  type QuestionOptions,
  tagQuestion,
} from "./linear/questions.ts";
export { describeNeurons, type Neuron, type NeuronOptions } from "./neurons/neurons.ts";
export { type TokenSides, type TokenWeight, tokenWeights } from "./token_weights.ts";
export {
  examineSae,
  middleHook,
  type SaeFindings,
  splitWindows,
  trainOnModel,
  type WindowSplit,
} from "./sae/probe.ts";
export { RowBuffer, type RowBufferOptions, type RowSource } from "./sae/row_buffer.ts";
export { type SaeReport, type SaeTrainingOptions, trainSparseAutoencoder } from "./sae/train.ts";
export { measureFit, type SaeFit, spliced, type SplicedLosses, splicedLosses } from "./sae/fit.ts";
export {
  describeFeatures,
  type Feature,
  type FeatureExample,
  type SaeFeatureOptions,
} from "./sae/features.ts";
export { activationsAt } from "./sae/activations.ts";
export { SparseAutoencoder, type SparseAutoencoderConfig } from "./sae/sparse_autoencoder.ts";
export { type LanguageBatch, type TokenWindowOptions, TokenWindows } from "./token_windows.ts";
export { BIAS_NOTICE, type BiasFindings, type BiasOptions, probeBias } from "./bias/probe.ts";
export {
  effectSize,
  type PermutationOptions,
  type PermutationResult,
  permutationTest,
  signFlipTest,
} from "./bias/permutation.ts";
export {
  type PairPreference,
  type SentencePair,
  sentencePreference,
} from "./bias/sentence_pairs.ts";
export { templateAssociation } from "./bias/templates.ts";
export { type Association, associationOf, embeddingAssociation, wordVectors } from "./bias/weat.ts";
export {
  parseTests,
  TEMPLATE_TESTS,
  type TemplateTest,
  WEAT_TESTS,
  type WordSet,
  type WordTest,
} from "./bias/word_sets.ts";
export {
  examineInduction,
  type HeadAblation,
  type HeadPaths,
  type InductionEvidence,
} from "./induction/evidence.ts";
export {
  inductionSequences,
  type SequenceLosses,
  type SequenceOptions,
} from "./induction/sequences.ts";
export {
  type InductionHistory,
  type InductionModel,
  type InductionOptions,
  trainInductionModel,
} from "./induction/train.ts";
