/**
 * Looking inside models: what `mod.ts` shows of this room.
 *
 * @module
 */
export { type Activation, ActivationCache } from "./activation_cache.ts";
export { type HookNames, matchHooks } from "./hook_names.ts";
export {
  klDivergence,
  logit,
  logitDifference,
  logProbability,
  type Metric,
  type MetricPlace,
  probability,
} from "./metrics.ts";
export { modelLogits, type ProbedModel, type ProbeInput } from "./probed_model.ts";
export {
  type CacheOptions,
  type GradientResult,
  type HookList,
  runWithCache,
  runWithGradients,
  runWithHooks,
} from "./run_with_hooks.ts";
export { loadSubject, type ProbedText, ProbeSubject } from "./subject.ts";
export {
  collectFeatures,
  type FeatureOptions,
  type PlacedSequence,
  residualPoints,
} from "./layer_features.ts";
export {
  LinearProbe,
  predictLabels,
  type ProbeTask,
  type ProbeTraining,
  trainLinearProbes,
} from "./linear_probe.ts";
export {
  type LayerResult,
  type ProbeExamples,
  probeLayers,
  type ProbeLayersOptions,
  type ProbeQuestion,
} from "./probe_layers.ts";
