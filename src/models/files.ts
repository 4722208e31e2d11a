/**
 * Model directories, which are Hugging Face's: read into a model, and written.
 *
 * @module
 */
import type { Parameter } from "../autograd/parameter.ts";
import type { GptConfig } from "../formats/gpt_config.ts";
import { readBertConfig, stageBertConfig } from "../formats/huggingface_bert.ts";
import type { BertHeadsSettings } from "../formats/huggingface_bert.ts";
import { stageGenerationConfig } from "../formats/generation_config.ts";
import { readConfig, stageConfig } from "../formats/huggingface_gpt2.ts";
import type { PackedFormat } from "../formats/quantized_matrix.ts";
import { openModelWeights, type TensorToWrite, writeSafetensors } from "../formats/safetensors.ts";
import type { Device } from "../gpu/device.ts";
import { sizeOf, type Tensor } from "../gpu/tensor.ts";
import { Bert } from "./bert.ts";
import { Gpt } from "./gpt.ts";
import { sinusoids } from "./initialize.ts";
import { packedMetadata, packedTensors, packingOf } from "./packed_files.ts";
import { quantizing } from "./quantize.ts";
import { bertHead, gptHead } from "./tied_weights.ts";
import { freshWeights, storedName, storedWeights, type WeightSource } from "./weights.ts";

/** Bytes that are read back with one wait: every wait costs 11 ms under Deno. */
const READ_TOGETHER = 1 << 25;

/**
 * Opens a GPT-2 directory of ours or of Hugging Face, with weights as its file has them: in f32, or in
 * integers if it was quantized. With `weights` they are quantized while they are read.
 *
 * Where config.json ties the head to the embedding and the file has another head, the file's is taken, as
 * `transformers` does, and `warn` is called; it prints to the console unless it is given. With `untie` a
 * tied head becomes a tensor of its own, which an adapter may replace.
 *
 * @throws {VitrailError} if a file is missing or damaged, or if what was quantized is to be so again
 */
export function loadGpt(
  device: Device,
  directory: string,
  options: {
    weights?: PackedFormat;
    group?: number;
    untie?: boolean;
    warn?: (message: string) => void;
    /** Told after each tensor how many numbers are read, of how many in the file. */
    onProgress?: (done: number, total: number) => void;
  } = {},
): Gpt {
  const { weights, group, untie, warn = warnOnConsole, onProgress } = options;
  const given = readConfig(directory);
  using file = openModelWeights(directory);
  const { tieWeights, names } = gptHead(file, given.tieWeights, { warn, untie });
  const config = { ...given, tieWeights };
  const stored = storedWeights(file, names.prefix, names);
  const total = file.names.reduce((sum, name) => sum + sizeOf(file.info(name).shape), 0);
  let done = 0;
  const told: WeightSource = (name, shape, initial) => {
    const data = stored(name, shape, initial);
    onProgress?.(Math.min(total, done += sizeOf(shape)), total);
    return data;
  };
  told.packed = stored.packed;
  return new Gpt(device, config, weights ? quantizing(told, { weights, group }) : told);
}

/** Where a library says what its caller may want to know: the caller may give something else. */
export function warnOnConsole(message: string): void {
  console.warn(`warning: ${message}`);
}

/**
 * Writes model.safetensors, config.json and generation_config.json, each whole or not at all. They take
 * their names in that order, and the first of them when all are written: a save that fails, on a device
 * that is gone or a disk that is full, leaves the directory as it was.
 *
 * @throws {VitrailError} if one of them cannot be written
 */
export async function saveGpt(model: Gpt, directory: string): Promise<void> {
  const { config, quantized } = model;
  using staged = stageConfig(directory, config, { packing: packingOf(quantized) });
  using generation = stageGenerationConfig(directory, config);
  const tensors = tensorsToWrite(model.device, model.parameters.flatMap(inFile));
  tensors.push(...neutralTensors(config), ...quantized.flatMap(packedTensors));
  const metadata = { format: "pt", ...packedMetadata(quantized) };
  await writeSafetensors(`${directory}/model.safetensors`, tensors, { metadata });
  for (const file of [staged, generation]) file.commit();
}

/**
 * What other programs ask for and we have not. They add a learned table: they get the fixed one, or
 * zeros, under its name. They have MLPs: where we have none, they get one that adds nothing.
 */
export function neutralTensors(config: GptConfig): TensorToWrite[] {
  return [...fixedPositions(config), ...silentMlps(config)];
}

function fixedPositions({ positions, contextLength, channels }: GptConfig): TensorToWrite[] {
  if (positions === "learned") return [];
  const data = positions === "sinusoidal"
    ? sinusoids(contextLength, channels)
    : new Float32Array(contextLength * channels);
  const shape = [contextLength, channels];
  return [{ name: "transformer.wpe.weight", shape, dtype: "F32", data }];
}

function silentMlps({ mlpChannels, layers, channels: C }: GptConfig): TensorToWrite[] {
  if (mlpChannels > 0) return [];
  const shapes: [string, number[]][] = [
    ["ln_2.weight", [C]],
    ["ln_2.bias", [C]],
    ["mlp.c_fc.weight", [C, 1]],
    ["mlp.c_fc.bias", [1]],
    ["mlp.c_proj.weight", [1, C]],
    ["mlp.c_proj.bias", [C]],
  ];
  return Array.from({ length: layers }, (_, i) =>
    shapes.map(([name, shape]): TensorToWrite => ({
      name: `transformer.h.${i}.${name}`,
      shape,
      dtype: "F32",
      data: new Float32Array(sizeOf(shape)),
    }))).flat();
}

/**
 * Opens a BERT directory of ours or of Hugging Face. With `heads`, another head than the directory's
 * may be asked for: what the file lacks begins afresh from `seed`. A `contextLength` beyond the
 * directory's repeats its positions, from where training goes on faster than from fresh ones (Beltagy
 * et al. 2020, arXiv:2004.05150, section 5). `dropout` takes the place of the directory's, everywhere:
 * what learns long from much text needs none, and what learns a task from little does. `warn` is called
 * as {@linkcode loadGpt} does.
 */
export function loadBert(
  device: Device,
  directory: string,
  options: {
    heads?: BertHeadsSettings;
    seed?: number;
    contextLength?: number;
    dropout?: number;
    untie?: boolean;
    warn?: (message: string) => void;
  } = {},
): Bert {
  const { config: own, heads } = readBertConfig(directory);
  const { untie, warn = warnOnConsole } = options;
  const contextLength = Math.max(own.contextLength, options.contextLength ?? 0);
  const { dropout } = options;
  using file = openModelWeights(directory);
  const { tieWeights, names } = bertHead(file, own.tieWeights, { warn, untie });
  const config = {
    ...own,
    contextLength,
    tieWeights,
    ...(dropout === undefined ? {} : { hiddenDropout: dropout, attentionDropout: dropout }),
  };
  const weights = storedWeights(file, names.prefix, names);
  const stored: WeightSource = (name, shape, initial) => {
    if (!name.endsWith(".position_embeddings.weight")) return weights(name, shape, initial);
    const known = weights(name, [own.contextLength, own.channels], initial);
    return Float32Array.from({ length: sizeOf(shape) }, (_, i) => known[i % known.length]);
  };
  if (!options.heads) {
    // Masked language modelling does without a pooler: what is left of such a model has none.
    const pooler = storedName(file, "bert.pooler.dense.weight", names) !== undefined;
    const found = heads.kind === "none" ? { ...heads, pooler } : heads;
    return new Bert(device, config, { heads: found, source: stored });
  }
  const fresh = freshWeights(options.seed ?? 0);
  return new Bert(device, config, {
    heads: options.heads,
    source: (name, shape, initial) => {
      const inEncoder = name.startsWith("bert.embeddings.") || name.startsWith("bert.encoder.");
      const found = storedName(file, name, names);
      const known = found !== undefined && file.info(found).shape.join() === shape.join();
      return (inEncoder || known ? stored : fresh)(name, shape, initial);
    },
  });
}

/**
 * Writes model.safetensors and config.json, as {@linkcode saveGpt} does.
 *
 * @throws {VitrailError} if one of them cannot be written
 */
export async function saveBert(model: Bert, directory: string): Promise<void> {
  const { config, heads: { settings: heads } } = model;
  using staged = stageBertConfig(directory, { config, heads });
  const named = model.parameters.flatMap(inFile);
  // `transformers` has the head's bias twice, and takes the decoder's where the two are not tied.
  const bias = named.find(({ name }) => name === "cls.predictions.bias");
  if (bias && !model.config.tieWeights) {
    named.push({ ...bias, name: "cls.predictions.decoder.bias" });
  }
  const tensors = tensorsToWrite(model.device, named);
  await writeSafetensors(`${directory}/model.safetensors`, tensors, { metadata: { format: "pt" } });
  staged.commit();
}

/** A tensor, or one of equal slices of it, under the name that its file gives it. */
interface Named {
  name: string;
  tensor: Tensor;
  slice?: { index: number; of: number };
}

/** A parameter as its file has it: whole, or in parts. */
export function inFile(p: Parameter): Named[] {
  if (!p.parts) return [{ name: p.name, tensor: p }];
  return p.parts.map((name, index) => ({
    name,
    tensor: p,
    slice: { index, of: p.parts!.length },
  }));
}

/** Tensors for the writer, which asks for them in the order of their names; neighbours are read together. */
export function tensorsToWrite(device: Device, tensors: Named[]): TensorToWrite[] {
  const sorted = tensors.toSorted((a, b) => a.name < b.name ? -1 : 1);
  const found: TensorToWrite[] = [];
  for (let from = 0; from < sorted.length;) {
    let [to, bytes] = [from, 0];
    while (to < sorted.length && (to === from || bytes <= READ_TOGETHER)) {
      bytes += sorted[to++].tensor.size * 4;
    }
    const group = sorted.slice(from, to);
    let values: Promise<(Float32Array | undefined)[]> | undefined;
    group.forEach(({ name, tensor, slice }, i) => {
      const [rows, ...rest] = tensor.shape;
      const data = async (): Promise<Float32Array> => {
        values ??= device.read(...group.map((g) => g.tensor)) as Promise<Float32Array[]>;
        const all = await values;
        const whole = all[i]!;
        all[i] = undefined; // written once, and then no longer held
        if (!slice) return whole;
        const size = whole.length / slice.of;
        return whole.subarray(slice.index * size, (slice.index + 1) * size);
      };
      found.push({ name, shape: [rows / (slice?.of ?? 1), ...rest], dtype: "F32", data });
    });
    from = to;
  }
  return found;
}
