/** The weights of a model directory, in one safetensors file or spread over several. @module */

import { VitrailError } from "../errors.ts";
import { readJsonObject } from "./json_file.ts";
import { quoteName, quoteValue, showPath } from "./messages.ts";
import { ADAPTER_WEIGHTS } from "./peft.ts";
import { openSafetensors, type SafetensorsFile } from "./safetensors_reader.ts";
import type { TensorInfo } from "./safetensors_header.ts";

/**
 * Opens the weights of a Hugging Face model directory: `model.safetensors`, or else the files that
 * `model.safetensors.index.json` names.
 *
 * @returns all tensors as though they were in one file; `metadata` is that of the first file
 * @throws {VitrailError} when neither file is there, or only an adapter's is, when a shard is missing or damaged, or when a
 * shard lacks a tensor that the index places in it
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
  if (!exists(single) && exists(`${directory}/${ADAPTER_WEIGHTS}`)) {
    throw new VitrailError(
      `Cannot open ${
        showPath(directory)
      } as a model: it holds a LoRA adapter; give the model that it ` +
        "is for as --model, and this directory as --adapter",
    );
  }
  if (exists(single) || !exists(indexPath)) return openSafetensors(single);

  const fault = (reason: string): VitrailError =>
    new VitrailError(`Cannot read ${indexPath}: ${reason}`);
  const { weight_map: weightMap } = readJsonObject(indexPath);
  if (typeof weightMap !== "object" || weightMap === null || Array.isArray(weightMap)) {
    throw fault(`weight_map is ${quoteValue(weightMap)}, wanted file names by tensor name`);
  }
  const shards = new Map<string, SafetensorsFile>();
  const placement = new Map<string, SafetensorsFile>();
  try {
    for (const [name, fileName] of Object.entries(weightMap)) {
      // Only plain names: an index must not lead out of its directory.
      if (typeof fileName !== "string" || !/^[^/\\]+\.safetensors$/.test(fileName)) {
        throw fault(
          `tensor ${quoteName(name)} is in ${quoteValue(fileName)}, ` +
            "wanted the name of a .safetensors file beside the index",
        );
      }
      let shard = shards.get(fileName);
      if (shard === undefined) {
        shard = openSafetensors(`${directory}/${fileName}`);
        shards.set(fileName, shard);
      }
      if (!shard.has(name)) throw fault(`no tensor ${quoteName(name)} in ${quoteName(fileName)}`);
      placement.set(name, shard);
    }
  } catch (error) {
    for (const shard of shards.values()) shard.close();
    throw error;
  }
  return new ShardedFile(placement, fault);
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

class ShardedFile implements SafetensorsFile {
  readonly names: readonly string[];
  readonly metadata: Record<string, string>;
  readonly #placement: ReadonlyMap<string, SafetensorsFile>;
  readonly #fault: (reason: string) => VitrailError;

  constructor(
    placement: ReadonlyMap<string, SafetensorsFile>,
    fault: (reason: string) => VitrailError,
  ) {
    this.#placement = placement;
    this.#fault = fault;
    this.names = Object.freeze([...placement.keys()]);
    this.metadata = placement.values().next().value?.metadata ?? {};
  }

  has(name: string): boolean {
    return this.#placement.has(name);
  }

  info(name: string): TensorInfo {
    return this.#shard(name).info(name);
  }

  read(name: string): Float32Array<ArrayBuffer> {
    return this.#shard(name).read(name);
  }

  readRaw(name: string): Uint8Array<ArrayBuffer> {
    return this.#shard(name).readRaw(name);
  }

  close(): void {
    for (const shard of this.#placement.values()) shard.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #shard(name: string): SafetensorsFile {
    const shard = this.#placement.get(name);
    if (shard === undefined) {
      throw this.#fault(`no tensor ${quoteName(name)} among its ${this.names.length}`);
    }
    return shard;
  }
}
