/**
 * The weights of a model directory, in one safetensors file or spread over several, under the names that
 * `transformers` has for them today.
 *
 * @module
 */

import { VitrailError } from "../errors.ts";
import { readJsonObject } from "./json_file.ts";
import { quoteName, quoteValue, showPath } from "./messages.ts";
import { ADAPTER_WEIGHTS } from "./peft.ts";
import { otherWeights } from "./other_weights.ts";
import { openSafetensors, type SafetensorsFile } from "./safetensors_reader.ts";
import type { TensorInfo } from "./safetensors_header.ts";

/**
 * Spellings of names, and what they are today: what `torch.compile` and `DistributedDataParallel` put
 * before each, and the norms of TensorFlow's BERTs.
 */
const RENAMED: readonly [RegExp, string][] = [
  [/^(?:_orig_mod\.|module\.)+/, ""],
  [/LayerNorm\.gamma$/, "LayerNorm.weight"],
  [/LayerNorm\.beta$/, "LayerNorm.bias"],
];

/**
 * Opens the weights of a Hugging Face model directory: `model.safetensors`, or else the files that
 * `model.safetensors.index.json` names.
 *
 * @returns all tensors as though they were in one file, under today's names: an old spelling is left where
 * its tensor has another one too; `metadata` is that of the first file
 * @throws {VitrailError} when neither file is there (the message names weights that are, and how to convert
 * them), when a shard is missing or damaged, or when a shard lacks a tensor that the index places in it
 *
 * @example
 * ```ts
 * import { openModelWeights } from "./sharded_safetensors.ts";
 * import { writeSafetensors } from "./safetensors_writer.ts";
 *
 * const directory = Deno.makeTempDirSync();
 * await writeSafetensors(`${directory}/model.safetensors`, [
 *   { name: "wte.weight", shape: [29, 3], dtype: "F32", data: new Float32Array(87) },
 * ]);
 * using weights = openModelWeights(directory);
 * console.log(weights.read("wte.weight").length); // 87
 * ```
 */
export function openModelWeights(directory: string): SafetensorsFile {
  const single = `${directory}/model.safetensors`;
  const indexPath = `${directory}/model.safetensors.index.json`;
  if (exists(single)) return renamed(openSafetensors(single));
  if (!exists(indexPath)) {
    const other = otherWeights(directory);
    if (other === undefined) return openSafetensors(single);
    throw new VitrailError(`Cannot open ${showPath(directory)} as a model: ${other}`);
  }
  const fault = (reason: string): VitrailError =>
    new VitrailError(`Cannot read ${indexPath}: ${reason}`);
  const { weight_map: weightMap } = readJsonObject(indexPath);
  if (typeof weightMap !== "object" || weightMap === null || Array.isArray(weightMap)) {
    throw fault(`weight_map is ${quoteValue(weightMap)}, wanted file names by tensor name`);
  }
  const shards = new Map<string, SafetensorsFile>();
  const places = new Map<string, Place>();
  try {
    for (const [name, fileName] of Object.entries(weightMap)) {
      // Only plain names: an index must not lead out of its directory.
      if (typeof fileName !== "string" || !/^[^/\\]+\.safetensors$/.test(fileName)) {
        throw fault(
          `tensor ${quoteName(name)} is in ${quoteValue(fileName)}, ` +
            "wanted the name of a .safetensors file beside the index",
        );
      }
      let file = shards.get(fileName);
      if (file === undefined) {
        file = openSafetensors(`${directory}/${fileName}`);
        shards.set(fileName, file);
      }
      if (!file.has(name)) throw fault(`no tensor ${quoteName(name)} in ${quoteName(fileName)}`);
      places.set(name, { file, name });
    }
  } catch (error) {
    for (const shard of shards.values()) shard.close();
    throw error;
  }
  return new PlacedTensors(withNewNames(places), fault);
}

/** A file under today's names: itself, if it has no others. */
function renamed(file: SafetensorsFile): SafetensorsFile {
  const places = new Map(file.names.map((name) => [name, { file, name }]));
  const now = withNewNames(places);
  if ([...now.keys()].every((name) => places.has(name))) return file;
  return new PlacedTensors(now, (reason) => new VitrailError(`Cannot read the model: ${reason}`));
}

function withNewNames(places: ReadonlyMap<string, Place>): Map<string, Place> {
  return new Map(
    Array.from(places, ([name, place]) => {
      const now = RENAMED.reduce((n, [old, today]) => n.replace(old, today), name);
      return [places.has(now) ? name : now, place];
    }),
  );
}

/**
 * Opens the weights of an adapter's directory.
 *
 * @throws {VitrailError} when they are not there, in words as of {@linkcode openModelWeights}, or damaged
 */
export function openAdapterWeights(directory: string): SafetensorsFile {
  const path = `${directory}/${ADAPTER_WEIGHTS}`;
  const other = exists(path) ? undefined : otherWeights(directory, ADAPTER_WEIGHTS);
  if (other === undefined) return openSafetensors(path);
  throw new VitrailError(`Cannot open ${showPath(directory)} as an adapter: ${other}`);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    // Anything else, such as a missing permission, is told by the attempt to open it.
    return true;
  }
}

/** Where a tensor is, and under which name. */
interface Place {
  file: SafetensorsFile;
  name: string;
}

class PlacedTensors implements SafetensorsFile {
  readonly names: readonly string[];
  readonly metadata: Record<string, string>;
  readonly #places: ReadonlyMap<string, Place>;
  readonly #fault: (reason: string) => VitrailError;

  constructor(places: ReadonlyMap<string, Place>, fault: (reason: string) => VitrailError) {
    this.#places = places;
    this.#fault = fault;
    this.names = Object.freeze([...places.keys()]);
    this.metadata = places.values().next().value?.file.metadata ?? {};
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  info(name: string): TensorInfo {
    const place = this.#place(name);
    return place.file.info(place.name);
  }

  read(name: string): Float32Array<ArrayBuffer> {
    const place = this.#place(name);
    return place.file.read(place.name);
  }

  readRaw(name: string): Uint8Array<ArrayBuffer> {
    const place = this.#place(name);
    return place.file.readRaw(place.name);
  }

  close(): void {
    for (const file of new Set([...this.#places.values()].map((place) => place.file))) file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #place(name: string): Place {
    const place = this.#places.get(name);
    if (place === undefined) {
      throw this.#fault(`no tensor ${quoteName(name)} among its ${this.names.length}`);
    }
    return place;
  }
}
