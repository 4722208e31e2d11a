/**
 * Running a model while somebody looks on, or interferes.
 *
 * @module
 */
import { type Hook, Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { hookPoints } from "../models/hook_points.ts";
import { type Activation, ActivationCache } from "./activation_cache.ts";
import { type HookNames, matchHooks } from "./hook_names.ts";
import type { Metric } from "./metrics.ts";
import { modelLogits, type ProbedModel, type ProbeInput } from "./probed_model.ts";

/** Hooks and where they go; several at one point are called in this order, each with what the last left. */
export type HookList = readonly (readonly [names: HookNames, hook: Hook])[];

/** What is looked at, and changed. */
export interface CacheOptions {
  /** Hook points to keep; all if absent. */
  names?: HookNames;
  /** Interventions, made before anything is kept. */
  hooks?: HookList;
}

/**
 * Logits of a pass in which hooks may put other tensors in the place of activations. They belong to the
 * caller's scope.
 *
 * @throws {VitrailError} if a name meets no hook point, or the model has no head
 *
 * @example
 * ```ts
 * import { type Gpt, runWithHooks } from "../../mod.ts";
 *
 * function withoutFirstMlp(model: Gpt) {
 *   const ids = model.ids([1, 2, 3]);
 *   return runWithHooks(model, { ids }, {
 *     hooks: [["blocks.0.hook_mlp_out", (x) => x.device.zeros(x.shape)]],
 *   });
 * }
 * ```
 */
export function runWithHooks(
  model: ProbedModel,
  input: ProbeInput,
  options: { hooks: HookList },
): Tensor {
  using scope = model.device.scope();
  const hooks = resolve(options.hooks, hookPoints(model));
  return scope.keep(modelLogits(new Run(model.device, { hooks }), model, input));
}

/**
 * Logits, and copies of what passed the hook points. The logits belong to the caller's scope, the cache
 * to the caller: dispose it.
 *
 * @throws {VitrailError} if a name meets no hook point, or the model has no head
 *
 * @example
 * ```ts
 * import { type Gpt, runWithCache } from "../../mod.ts";
 *
 * async function patterns(model: Gpt) {
 *   const input = { ids: model.ids([1, 2, 3]) };
 *   const { cache } = runWithCache(model, input, { names: "blocks.*.attn.hook_pattern" });
 *   using _cache = cache;
 *   return await cache.read();
 * }
 * ```
 */
export function runWithCache(
  model: ProbedModel,
  input: ProbeInput,
  options: CacheOptions = {},
): { logits: Tensor; cache: ActivationCache } {
  const all = hookPoints(model);
  using scope = model.device.scope();
  using owned = new DisposableStack();
  const cache = owned.use(new ActivationCache(model.device));
  const keep: [HookNames, Hook] = [
    matchHooks(options.names ?? all, all),
    (x, name) => cache.set(name, x),
  ];
  const hooks = resolve([...options.hooks ?? [], keep], all);
  const logits = scope.keep(modelLogits(new Run(model.device, { hooks }), model, input));
  owned.move(); // to the caller
  return { logits, cache };
}

/** What a pass with gradients finds. */
export interface GradientResult {
  /** The metric of each sequence. */
  values: number[];
  /** The logits, on the host. */
  logits: Activation;
  /** Activations at the chosen hook points. */
  cache: ActivationCache;
  /** The gradient of each sequence's metric with respect to its own activations there. */
  gradients: ActivationCache;
}

/**
 * Runs forward, judges the logits by a metric, and runs back: activations, and the metric's gradients
 * with respect to them. Parameters get none. Dispose both caches.
 *
 * @throws {VitrailError} if a name meets no hook point, or the model has no head
 */
export async function runWithGradients(
  model: ProbedModel,
  input: ProbeInput,
  options: CacheOptions & { metric: Metric },
): Promise<GradientResult> {
  const { device } = model;
  const all = hookPoints(model);
  using scope = device.detachedScope();
  using owned = new DisposableStack();
  const watched = new Map<string, Tensor>();
  const cache = owned.use(new ActivationCache(device));
  const gradients = owned.use(new ActivationCache(device));
  const watch: [HookNames, Hook] = [matchHooks(options.names ?? all, all), (x, name) => {
    cache.set(name, x);
    watched.set(name, x);
    run.tape!.watch(x);
    run.tape!.keep(x);
  }];
  const hooks = resolve([...options.hooks ?? [], watch], all);
  const run: Run = new Run(device, { hooks, record: "activations" });
  const tensor = scope.run(() => modelLogits(run, model, input));
  const [data] = await device.read(tensor) as Float32Array[];
  const logits = { data, shape: tensor.shape };
  const slopes = options.metric.gradient(logits) as Float32Array<ArrayBuffer>;
  const values = options.metric.values(logits);
  scope.run(() => {
    const found = run.tape!.backward(tensor, device.upload(slopes, tensor.shape));
    for (const [name, x] of watched) {
      gradients.set(name, found.get(x) ?? device.zeros(x.shape));
    }
  });
  owned.move(); // to the caller
  return { values, logits, cache, gradients };
}

/** One hook a name, which calls all that were asked for there. */
function resolve(list: HookList, all: readonly string[]): Map<string, Hook> {
  const byName = new Map<string, Hook>();
  for (const [names, hook] of list) {
    for (const name of matchHooks(names, all)) {
      const before = byName.get(name);
      byName.set(
        name,
        before
          ? (x, at) => {
            const between = before(x, at) ?? x;
            return hook(between, at) ?? between;
          }
          : hook,
      );
    }
  }
  return byName;
}
