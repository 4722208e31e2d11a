/**
 * LoRA adapters of a model: added, saved alone as PEFT saves them, loaded, merged.
 *
 * @module
 */
import { Parameter } from "../autograd/parameter.ts";
import { QuantizedWeight } from "../autograd/quantized_weight.ts";
import { VitrailError } from "../errors.ts";
import { checkOptions, count, finite, probability, seedRule } from "../formats/option_rules.ts";
import {
  ADAPTER_WEIGHTS,
  alphaOf,
  PEFT_PREFIX,
  type PeftConfig,
  readPeftConfig,
  stagePeftConfig,
} from "../formats/peft.ts";
import { showPath } from "../formats/messages.ts";
import {
  openAdapterWeights,
  type SafetensorsFile,
  writeSafetensors,
} from "../formats/safetensors.ts";
import type { Device } from "../gpu/device.ts";
import { sizeOf } from "../gpu/tensor.ts";
import type { Linear } from "../nn/linear.ts";
import { Lora } from "../nn/lora.ts";
import { matchesName } from "../nn/names.ts";
import { inFile, tensorsToWrite } from "./files.ts";
import { sameTensor, type TiedNames } from "./tied_weights.ts";
import { freshWeights, type WeightSource } from "./weights.ts";

/** A model whose linear layers can be adapted: Gpt or Bert. */
export interface Adaptable {
  /** Where it lives. */
  readonly device: Device;
  /** Its own parameters. */
  readonly parameters: Parameter[];
  /** Its weights in fewer bits, through which an adapter's gradient passes. */
  readonly quantized?: readonly QuantizedWeight[];
  /** The layers that can be adapted. */
  readonly linears: readonly Linear[];
  /** Names of the token embedding and of a head that is the same tensor, if the model ties them. */
  readonly tied?: TiedNames;
}

/** How a model is adapted. */
export interface LoraSettings {
  /** r; 8 if absent. */
  rank?: number;
  /** What is added is multiplied by alpha/r; 2·r if absent. */
  alpha?: number;
  /** Dropout on what an adapted layer reads; 0 if absent. */
  dropout?: number;
  /** Ends of the names of layers, such as `c_attn`, `attn.c_proj` or `query`; `*` for any letters. */
  targets: readonly string[];
  /** Layers that are trained whole and saved with the adapter, such as `classifier`. */
  trainedWhole?: readonly string[];
  /** Seed of A. */
  seed?: number;
}

/**
 * What was added to a model. It lives as long as the model; once it is merged or taken off, its memory can
 * be given back by itself: dispose of it.
 */
export interface LoraAdapter extends Disposable {
  /** Its settings. */
  readonly config: PeftConfig;
  /** What each adapted layer, or part of a layer, got. */
  readonly layers: readonly Lora[];
  /** All that is trained: A and B of every layer, and layers that are trained whole. */
  readonly parameters: Parameter[];
  /** Parameters of the model that were frozen before, and will be again without it. */
  readonly frozenBefore: readonly Parameter[];
}

/** A layer, or one part of a packed one, under the name that its file gives it. */
interface Place {
  name: string;
  linear: Linear;
  offset: number;
  columns: number;
  inputs: number;
}

/**
 * Freezes a model and adds adaptations to its layers. A is normal with the variance of PEFT's uniform
 * numbers, 1/(3·in); B is zero, so that the model computes at first what it computed before.
 *
 * Train `adapter.parameters`, or a task over them: the model's own take no gradient kernel and no
 * optimizer state.
 *
 * @throws {VitrailError} if a target or a layer to train whole names nothing, the rank is no whole
 * number, or the model has an adapter already
 *
 * @example
 * ```ts
 * import { addLora, createGptConfig, Gpt, openDevice } from "../../mod.ts";
 *
 * const device = await openDevice();
 * const size = { vocabularySize: 10, contextLength: 16, channels: 8, layers: 2, heads: 2 };
 * const model = new Gpt(device, createGptConfig(size));
 * const adapter = addLora(model, { rank: 2, targets: ["c_attn"] });
 * console.log(adapter.parameters.map((p) => p.shape)); // [[2, 8], [24, 2], [2, 8], [24, 2]]
 * device.destroy();
 * ```
 */
export function addLora(model: Adaptable, settings: LoraSettings): LoraAdapter {
  const { rank = 8, targets, trainedWhole = [], dropout = 0, seed = 0 } = settings;
  const { alpha = 2 * rank } = settings;
  checkOptions("Cannot add LoRA", { rank, alpha, dropout, seed }, {
    rank: count,
    alpha: finite,
    dropout: probability,
    seed: seedRule,
  });
  const places = placesOf(model);
  const chosen = new Set<Place>();
  for (const target of targets) {
    const found = places.filter(({ name }) => matchesName(name, target, "end"));
    if (found.length === 0) throw noSuchLayer(target, places);
    found.forEach((place) => chosen.add(place));
  }
  const inWhole = (name: string): boolean =>
    trainedWhole.some((pattern) => matchesName(name, pattern, "anywhere"));
  // As PEFT does: what is trained whole needs no adaptation.
  for (const place of chosen) if (inWhole(place.name)) chosen.delete(place);
  if (chosen.size === 0) throw new VitrailError("Cannot add LoRA: give at least one target");
  const config: PeftConfig = {
    rank,
    alpha,
    alphas: {},
    dropout,
    // PEFT knows no `*` in its lists: the layers are named one by one then.
    targets: targets.some((t) => t.includes("*"))
      ? Array.from(chosen, ({ name }) => name)
      : [...targets],
    trainedWhole: [...trainedWhole],
    rankStabilized: false,
    fanInFanOut: !places[0].linear.transposed,
  };
  const whole = trainedWhole.flatMap((pattern) => {
    const found = model.parameters.filter((p) => matchesName(p.name, pattern, "anywhere"));
    if (found.length > 0) return found;
    throw new VitrailError(`Cannot train ${pattern} whole: no parameter has that in its name`);
  });
  const source = freshWeights(seed);
  return attach(model, { config, places: [...chosen], source, whole });
}

/**
 * Adds an adapter that was saved by us or by PEFT.
 *
 * @throws {VitrailError} if its files are missing or damaged, or it belongs to another model
 */
export function loadAdapter(model: Adaptable, directory: string): LoraAdapter {
  const { device } = model;
  const config = readPeftConfig(directory);
  using file = openAdapterWeights(directory);
  const names = new Set(
    file.names.filter((n) => /\.lora_[AB]\.weight$/.test(n)).map((n) =>
      n.slice(0, -".lora_A.weight".length)
    ),
  );
  const byKey = new Map(placesOf(model).map((place) => [place.name, place]));
  const refuse = (reason: string): VitrailError =>
    new VitrailError(`Cannot load the adapter in ${showPath(directory)}: ${reason}`);
  const embedded = file.names.find((n) => /\.lora_embedding_[AB]$/.test(n));
  if (embedded !== undefined) {
    const adapted = withoutPrefix(embedded.replace(/\.lora_embedding_[AB]$/, ""));
    throw refuse(`its target_modules name the embedding ${adapted}, which is not supported`);
  }
  if (names.size === 0) throw refuse("its file holds no LoRA weights");
  if (model.tied && replacesHalf(file, model.tied)) {
    throw refuse(
      "its modules_to_save replace one half of tied weights, " +
        `${model.tied.token} or ${model.tied.head}, which are one tensor in this model; open the two ` +
        "together, with loadAdaptedGpt or loadAdaptedBert",
    );
  }
  const places = Array.from(names, (key) => {
    const short = withoutPrefix(key);
    // An adapter of a model without its head has names without the model's first component.
    const place = [short, `transformer.${short}`, `bert.${short}`]
      .map((name) => byKey.get(name)).find((found) => found !== undefined);
    if (!place) throw refuse(`it adapts ${short} (target_modules), which this model does not have`);
    return { ...place, key };
  });
  const keys = new Map(places.map(({ name, key }) => [PEFT_PREFIX + name, key]));
  const source: WeightSource = (name) => {
    const at = name.search(/\.lora_[AB]\.weight$/);
    const stored = keys.get(name.slice(0, at)) + name.slice(at);
    if (!file.has(stored)) throw refuse(`its file has no ${stored}`);
    return file.read(stored);
  };
  const ranks = new Map(places.map(({ name, key }) => {
    const [down, up] = ["A", "B"].map((m) => `${key}.lora_${m}.weight`).map((stored) => {
      if (!file.has(stored)) throw refuse(`its file has no ${stored}`);
      return file.info(stored).shape;
    });
    const { inputs, columns } = byKey.get(name)!;
    if (down[1] !== inputs || up[0] !== columns || down[0] !== up[1] || down.length !== 2) {
      throw refuse(
        `${name} has A (${down.join(", ")}) and B (${up.join(", ")}), ` +
          `wanted (r, ${inputs}) and (${columns}, r): it belongs to another model`,
      );
    }
    return [name, down[0]];
  }));
  // PEFT's list of layers trained whole names those of every model: the file has this one's.
  const known = new Set<string>();
  const stored = model.parameters.flatMap((p) => {
    const slices = storedSlices(p, file, refuse);
    slices.forEach(({ names }) => names.forEach((name) => known.add(name)));
    return slices;
  });
  if (model.tied) known.add(PEFT_PREFIX + model.tied.head); // the same as the embedding, which was read
  const rest = file.names.find((name) => !/\.lora_[AB]\.weight$/.test(name) && !known.has(name));
  if (rest !== undefined) {
    throw refuse(`its modules_to_save hold ${withoutPrefix(rest)}, which this model does not have`);
  }
  const whole = [...new Set(stored.map(({ parameter }) => parameter))];
  const adapter = attach(model, { config, places, source, ranks, whole });
  for (const { parameter, offset, values } of stored) {
    device.commands.write(parameter.buffer, values, 4 * offset);
  }
  return adapter;
}

function withoutPrefix(name: string): string {
  return name.startsWith(PEFT_PREFIX) ? name.slice(PEFT_PREFIX.length) : name;
}

/** Whether an adapter's file has one of two tied tensors, or two that differ: a model that ties them has one. */
export function replacesHalf(file: SafetensorsFile, { token, head }: TiedNames): boolean {
  const [first, second] = [token, head].map((name) => PEFT_PREFIX + name);
  if (!file.has(first) && !file.has(second)) return false;
  return !file.has(first) || !file.has(second) || !sameTensor(file, first, second);
}

/** What an adapter's file has of a parameter: all of it, or some of the parts that other files hold alone. */
interface StoredSlice {
  parameter: Parameter;
  /** Numbers of the parameter before it. */
  offset: number;
  values: Float32Array<ArrayBuffer>;
  /** Names in the file of which it is made. */
  names: string[];
}

/** Names that a parameter may have in an adapter's file besides its own. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  // A head that is trained whole has its bias twice.
  "cls.predictions.bias": "cls.predictions.decoder.bias",
};

function storedSlices(
  parameter: Parameter,
  file: SafetensorsFile,
  refuse: (reason: string) => VitrailError,
): StoredSlice[] {
  const parts = inFile(parameter);
  const [rows, ...rest] = parameter.shape;
  const wanted = [rows / parts.length, ...rest].join(", ");
  return parts.flatMap(({ name }, i) => {
    const names = [OTHER_NAMES[name], name].filter((n) => n !== undefined)
      .map((n) => PEFT_PREFIX + n).filter((n) => file.has(n));
    if (names.length === 0) return [];
    const found = file.info(names[0]).shape.join(", ");
    if (found !== wanted) throw refuse(`${names[0]} has shape (${found}), wanted (${wanted})`);
    const offset = i * parameter.size / parts.length;
    return [{ parameter, offset, values: file.read(names[0]), names }];
  });
}

/** Freezes the model and adds layers whose weights come from `source`. */
function attach(
  model: Adaptable,
  { config, places, source, whole, ranks }: {
    config: PeftConfig;
    places: Place[];
    source: WeightSource;
    whole: Parameter[];
    ranks?: Map<string, number>;
  },
): LoraAdapter {
  if (model.linears.some(({ adaptations }) => adaptations.length > 0)) {
    throw new VitrailError("Cannot add an adapter: the model has one; merge or remove it first");
  }
  const { device } = model;
  using owned = new DisposableStack();
  const made: Parameter[] = [];
  const make = (name: string, shape: number[], deviation: number): Parameter => {
    const initial = deviation > 0 ? { deviation } : { constant: 0 };
    const data = source(`${PEFT_PREFIX}${name}.weight`, shape, initial);
    const value = device.pool.persistent(() => device.upload(data, shape));
    made.push(owned.use(new Parameter(`${PEFT_PREFIX}${name}.weight`, value)));
    return made.at(-1)!;
  };
  const layers = places.map(({ name, offset, columns, inputs }) => {
    const rank = ranks?.get(name) ?? config.rank;
    return new Lora(name, {
      down: make(`${name}.lora_A`, [rank, inputs], 1 / Math.sqrt(3 * inputs)),
      up: make(`${name}.lora_B`, [columns, rank], 0),
      scale: alphaOf(config, name) / (config.rankStabilized ? Math.sqrt(rank) : rank),
      offset,
      dropout: config.dropout,
    });
  });
  owned.move(); // to the model
  places.forEach(({ linear }, i) => linear.adaptations = [...linear.adaptations, layers[i]]);
  const frozenBefore = model.parameters.filter((p) => p.frozen);
  for (const p of model.parameters) p.frozen = !whole.includes(p);
  for (const weight of model.quantized ?? []) weight.frozen = true;
  const parameters = [...made, ...new Set(whole)];
  const dispose = (): void => made.forEach((p) => p[Symbol.dispose]());
  return { config, layers, parameters, frozenBefore, [Symbol.dispose]: dispose };
}

/** Every layer that can be adapted; a packed one is as many as its file has. */
function placesOf({ linears }: Adaptable): Place[] {
  return linears.flatMap((linear) => {
    const { weight, transposed } = linear;
    const [inputs, outputs] = transposed ? weight.shape.toReversed() : weight.shape;
    const names = (weight.parts ?? [weight.name]).map((n) => n.replace(/\.weight$/, ""));
    const columns = outputs / names.length;
    return names.map((name, i) => ({ name, linear, offset: i * columns, columns, inputs }));
  });
}

function noSuchLayer(target: string, places: Place[]): VitrailError {
  const ends = new Set(places.map(({ name }) => name.split(".").at(-1)!));
  return new VitrailError(
    `Cannot add LoRA to ${target}: no layer's name ends so; the model's layers are ` +
      [...ends].join(", "),
  );
}

/**
 * Writes adapter_model.safetensors and adapter_config.json, each whole or not at all. Both are written when
 * the first of them takes its name: a save that fails leaves the directory as it was.
 *
 * @throws {VitrailError} if one of them cannot be written
 */
export async function saveAdapter(
  adapter: LoraAdapter,
  directory: string,
  options: { base?: string; taskType?: string } = {},
): Promise<void> {
  const { config, parameters } = adapter;
  using staged = stagePeftConfig(directory, {
    ...config,
    base: options.base ?? config.base,
    taskType: options.taskType ?? config.taskType,
  });
  const named = parameters.flatMap(inFile).map(({ name, ...rest }) => ({
    name: name.startsWith(PEFT_PREFIX) ? name : PEFT_PREFIX + name,
    ...rest,
  }));
  const tensors = tensorsToWrite(parameters[0].device, named);
  await writeSafetensors(`${directory}/${ADAPTER_WEIGHTS}`, tensors, {
    metadata: { format: "pt" },
  });
  staged.commit();
}

/** Adds the adapter to the model's weights and takes it off: the model is a plain one again. */
export function mergeAdapter(model: Adaptable, adapter: LoraAdapter): void {
  const merges = model.linears.flatMap((linear) => {
    const { weight, adaptations } = linear;
    const own = adaptations.filter((lora) => adapter.layers.includes(lora));
    // All are looked at before the first weight is changed.
    if (own.length > 0 && weight instanceof QuantizedWeight) {
      throw new VitrailError(
        `Cannot merge an adapter into ${weight.name}: it is kept in ${weight.matrix.format}; ` +
          "merge it into the model in f32",
      );
    }
    return own.map((lora) => () => lora.mergeInto(weight as Parameter, linear));
  });
  for (const merge of merges) merge();
  removeAdapter(model, adapter);
}

/** Takes an adapter off a model, and its freezing with it; layers trained whole stay as they are. */
export function removeAdapter(model: Adaptable, adapter: LoraAdapter): void {
  for (const linear of model.linears) {
    linear.adaptations = linear.adaptations.filter((lora) => !adapter.layers.includes(lora));
  }
  for (const p of model.parameters) p.frozen = adapter.frozenBefore.includes(p);
  for (const weight of model.quantized ?? []) weight.frozen = false;
}

/** Numbers that an adapter trains, and of which its file consists. */
export function adapterSize(adapter: LoraAdapter): number {
  return adapter.parameters.reduce((sum, p) => sum + sizeOf(p.shape), 0);
}
