/** Weights of a model directory, in one file or several. @module */

import assert from "node:assert/strict";
import { openModelWeights, writeSafetensors } from "../../src/formats/safetensors.ts";
import { assertThrowsFault, fixture, temporaryDirectory } from "./files.ts";

async function writeShards(directory: string): Promise<Record<string, string>> {
  const first = "model-00001-of-00002.safetensors";
  const second = "model-00002-of-00002.safetensors";
  await writeSafetensors(`${directory}/${first}`, [
    { name: "a", shape: [3], dtype: "F32", data: new Float32Array([1, 2, 3]) },
    { name: "b", shape: [2], dtype: "F32", data: new Float32Array([4, 5]) },
  ], { metadata: { format: "pt" } });
  await writeSafetensors(`${directory}/${second}`, [
    { name: "c", shape: [1, 1], dtype: "U32", data: new Uint32Array([197]) },
  ]);
  return { c: second, a: first, b: first };
}

function writeIndex(directory: string, weightMap: unknown): void {
  const text = JSON.stringify({ metadata: { total_size: 24 }, weight_map: weightMap });
  Deno.writeTextFileSync(`${directory}/model.safetensors.index.json`, text);
}

Deno.test("a directory with one file, from transformers", () => {
  using weights = openModelWeights(fixture("gpt2_plain"));
  assert.equal(weights.names.length, 16);
  assert.equal(weights.has("lm_head.weight"), false);
  assert.deepEqual([...weights.info("transformer.h.0.attn.c_attn.weight").shape], [6, 18]);
  assert.deepEqual([...weights.read("transformer.ln_f.weight")], [1, 1, 1, 1, 1, 1]);
});

Deno.test("a directory with two shards reads as one", async () => {
  using directory = temporaryDirectory();
  writeIndex(directory.path, await writeShards(directory.path));
  using weights = openModelWeights(directory.path);
  assert.deepEqual([...weights.names].sort(), ["a", "b", "c"]);
  assert.deepEqual([...weights.read("a")], [1, 2, 3]);
  assert.deepEqual([...weights.read("b")], [4, 5]);
  assert.deepEqual([...weights.readRaw("c")], [197, 0, 0, 0]);
  assert.deepEqual(weights.info("c"), { dtype: "U32", shape: [1, 1], byteLength: 4 });
  assertThrowsFault(() => weights.read("d"), 'no tensor "d" among its 3');
  weights.close();
  assertThrowsFault(() => weights.read("a"), "it is closed");
});

Deno.test("an index that does not fit its directory is refused, and no file stays open", {
  sanitizeResources: true,
}, async () => {
  using directory = temporaryDirectory();
  const { path } = directory;
  assertThrowsFault(() => openModelWeights(path), `Cannot read ${path}/model.safetensors: no such`);
  const map = await writeShards(path);
  for (
    const [change, words] of [
      [{ d: map.a }, 'no tensor "d" in "model-00001-of-00002.safetensors"'],
      [{ d: "other.safetensors" }, "other.safetensors: no such file"],
      [{ d: "../secret.safetensors" }, "wanted the name of a .safetensors file beside"],
      [{ d: "..\\secret.safetensors" }, "wanted the name of a .safetensors file beside"],
      [{ d: "pytorch_model.bin" }, "wanted the name of a .safetensors file beside"],
      [{ d: 3 }, 'tensor "d" is in 3'],
    ] as const
  ) {
    writeIndex(path, { ...map, ...change });
    assertThrowsFault(() => openModelWeights(path), words);
  }
  writeIndex(path, ["a"]);
  assertThrowsFault(() => openModelWeights(path), 'weight_map is ["a"]');
});
