/**
 * Imports point downward only, and the device has one door.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  checkEdge,
  checkSource,
  checkSpecifier,
  type Edge,
  edgesOf,
  findCircle,
  type ModuleInfo,
} from "../scripts/layering.ts";

const ROOT = new URL("../", import.meta.url);

function exists(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isFile;
  } catch {
    return false;
  }
}

/** Every TypeScript file below a folder. */
function* filesBelow(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(`${folder}/`, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* filesBelow(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

async function graphOf(entry: string): Promise<ModuleInfo> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-lock", "--no-npm", entry],
    cwd: ROOT,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

const entries = ["mod.ts", "cli.ts"].filter(exists);
const sources = [...entries, ...filesBelow("src")].sort();

/** The imports of files and of all that they reach. */
async function edgesFrom(paths: readonly string[]): Promise<Edge[]> {
  const edges: Edge[] = [];
  const seen = new Set<string>();
  // A file that no entry reaches yet is an entry of its own.
  for (const entry of paths) {
    if (seen.has(entry)) continue;
    const graph = await graphOf(entry);
    for (const { specifier } of graph.modules) seen.add(specifier.slice(ROOT.href.length));
    edges.push(...edgesOf(graph, ROOT.href));
  }
  return edges;
}

Deno.test("imports point downward only", async () => {
  const edges = await edgesFrom([...entries, ...sources]);
  assert.ok(edges.some((e) => e.to === "src/errors.ts"), "the graph holds the imports of src/");
  assert.deepEqual([...new Set(edges.map(checkEdge).filter(Boolean))], []);
});

Deno.test("no files import one another in a circle, not even types", async () => {
  const edges = await edgesFrom([
    ...entries,
    "bench/peers/all.ts",
    ...filesBelow("bench"),
    ...sources,
  ]);
  assert.ok(edges.some((e) => e.from === "bench/peers/matmul/task.ts"), "bench/ is among them");
  assert.equal(findCircle(edges), undefined);
});

Deno.test({
  name: "nothing that mod.ts reaches needs this repository's import map",
  ignore: !exists("mod.ts"),
  fn: async () => {
    const edges = edgesOf(await graphOf("mod.ts"), ROOT.href);
    assert.ok(edges.length > 0);
    assert.deepEqual(edges.map(checkSpecifier).filter(Boolean), []);
  },
});

Deno.test("only device.ts asks for a GPU and only commands.ts submits", () => {
  const faults = sources.flatMap((path) =>
    checkSource(path, Deno.readTextFileSync(new URL(path, ROOT)))
  );
  assert.deepEqual(faults, []);
});

const edge = (from: string, to: string): Edge => ({ from, to, specifier: to });

Deno.test("an import that points upward or sideways is a fault", () => {
  const faults = [
    ["src/kernels/matmul.ts", "src/autograd/tape.ts", "kernels lies below autograd"],
    ["src/models/gpt.ts", "src/cli/train.ts", "models lies below cli"],
    ["src/data/corpus.ts", "src/gpu/tensor.ts", "data lies below gpu"],
    ["src/errors.ts", "src/formats/json_file.ts", "errors lies below formats"],
    ["src/probes/lens.ts", "mod.ts", "probes lies below mod"],
    ["src/training/loop.ts", "src/generation/sample.ts", "lie on one level"],
    ["src/nn/linear.ts", "shaders/matmul.wgsl", "only kernels and gpu import shaders"],
    ["src/models/gpt.ts", "src/tokenizers/bpe.ts", "ids and never text"],
    ["src/misc/things.ts", "src/errors.ts", "src/misc/things.ts has no level"],
    ["src/nn/linear.ts", "tests/reference/linear.ts", "tests/reference/linear.ts has no level"],
  ];
  for (const [from, to, reason] of faults) {
    const fault = checkEdge(edge(from, to));
    assert.ok(fault?.startsWith(`${from} imports ${to}: `), `${from} may import ${to}`);
    assert.ok(fault?.includes(reason), `${fault}`);
  }
});

Deno.test("an import that points downward is none", () => {
  const rightful = [
    ["cli.ts", "src/cli/train.ts"],
    ["cli.ts", "npm:commander@14.0.0"],
    ["mod.ts", "src/models/gpt.ts"],
    ["src/training/loop.ts", "src/data/windows.ts"],
    ["src/autograd/ops/gelu.ts", "src/kernels/gelu.ts"],
    ["src/kernels/gelu.ts", "shaders/gelu.wgsl"],
    ["src/data/corpus.ts", "src/tokenizers/bpe.ts"],
    ["src/models/gpt.ts", "src/formats/safetensors.ts"],
    ["src/gpu/device.ts", "src/errors.ts"],
  ];
  for (const [from, to] of rightful) assert.equal(checkEdge(edge(from, to)), undefined);
});

Deno.test("a bare, floating or JSR specifier is a fault, a pinned one is none", () => {
  const check = (specifier: string) => checkSpecifier({ from: "mod.ts", to: "", specifier });
  for (
    const s of ["commander", "@std/assert", "npm:wgsl_reflect", "npm:a@^1.0.0", "jsr:@std/a@1"]
  ) {
    assert.match(check(s) ?? "", /does not travel/, s);
  }
  for (
    const s of ["./a.ts", "../a.wgsl", "node:fs", "npm:wgsl_reflect@1.6.0/w.js", "npm:@a/b@1.2.3"]
  ) {
    assert.equal(check(s), undefined, s);
  }
});

Deno.test("another door to the device is a fault, a comment about it is none", () => {
  const doors = [
    "const adapter = await navigator.gpu.requestAdapter();",
    "const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;",
    "const { gpu } = navigator;",
    'const gpu = navigator["gpu"];',
  ];
  for (const door of doors) assert.equal(checkSource("src/nn/linear.ts", door).length, 1, door);
  assert.equal(checkSource("src/nn/linear.ts", "raw.queue.submit([encoder.finish()]);").length, 1);
  assert.deepEqual(checkSource("src/gpu/device.ts", doors[0]), []);
  assert.deepEqual(checkSource("src/gpu/commands.ts", "queue.submit([])"), []);
  assert.deepEqual(checkSource("src/nn/a.ts", "/** navigator.gpu */\n  // queue.submit()"), []);
});

Deno.test("a graph becomes edges from the root, types among them", () => {
  const url = "file:///a/b%20c/";
  const info: ModuleInfo = {
    modules: [
      {
        specifier: `${url}src/nn/x.ts`,
        dependencies: [
          { specifier: "../errors.ts", code: { specifier: `${url}src/errors.ts` } },
          { specifier: "./y.ts", type: { specifier: `${url}src/nn/y.ts` } },
        ],
      },
      { specifier: "npm:/commander@14.0.0", dependencies: [{ specifier: "./z.js", code: {} }] },
    ],
  };
  assert.deepEqual(edgesOf(info, url), [
    { from: "src/nn/x.ts", to: "src/errors.ts", specifier: "../errors.ts" },
    { from: "src/nn/x.ts", to: "src/nn/y.ts", specifier: "./y.ts", typeOnly: true },
  ]);
});

Deno.test("a circle is told as the way around it; only in gpu/ may the device's type close one", () => {
  const a = edge("a.ts", "b.ts");
  const circle = [a, edge("b.ts", "c.ts"), edge("b.ts", "d.ts"), edge("d.ts", "b.ts")];
  assert.equal(findCircle(circle), "b.ts imports d.ts imports b.ts");
  assert.equal(findCircle([a, edge("a.ts", "c.ts"), edge("b.ts", "c.ts")]), undefined);
  const [makes, knows] = [
    edge("src/gpu/device.ts", "src/gpu/tensor.ts"),
    edge("src/gpu/tensor.ts", "src/gpu/device.ts"),
  ];
  assert.ok(findCircle([makes, knows]));
  assert.equal(findCircle([makes, { ...knows, typeOnly: true }]), undefined);
});
