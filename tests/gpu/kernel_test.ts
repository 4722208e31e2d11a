/**
 * What the host reads from every shader, and the same shader with its types changed to f16.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import { Kernel } from "../../src/gpu/kernel.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const folder = new URL("../../shaders/", import.meta.url);
const shaders = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".wgsl"));
const read = (name: string) => new Kernel(name, Deno.readTextFileSync(new URL(name, folder)));

/** The aliases of a shader that may be f16. */
function aliasesOf({ source }: Kernel): string[] {
  return [...source.matchAll(/^alias (\w+) = f32;$/gm)].map(([, name]) => name);
}

const entriesOf = ({ source }: Kernel): string[] =>
  [...source.matchAll(/^@compute[^\n]*\nfn (\w+)/gm)].map(([, name]) => name);

Deno.test("every shader is the same one with f16 in the place of each of its aliases", async () => {
  const served: string[] = [];
  for (const { name } of shaders) {
    const kernel = read(name);
    assert.equal(kernel.sourceWith([]), kernel.source);
    const aliases = aliasesOf(kernel);
    if (aliases.length === 0) continue;
    served.push(name);
    const source = kernel.sourceWith(aliases);
    assert.equal(source.split("\n").length, kernel.source.split("\n").length, name);
    // The reflection that binds it, and the compiler that runs it.
    const half = new Kernel(name, source);
    assert.ok(entriesOf(kernel).length > 0, name);
    for (const entry of entriesOf(kernel)) {
      const plain = ({ bindings, uniform }: ReturnType<Kernel["entry"]>) => ({
        uniform,
        bindings: bindings.map(({ name, index, kind }) => ({ name, index, kind })),
      });
      assert.deepEqual(plain(half.entry(entry)), plain(kernel.entry(entry)), `${name}.${entry}`);
    }
    device.raw.createShaderModule({ code: source });
  }
  await device.finish();
  assert.ok(served.includes("layer_norm.wgsl") && served.includes("attention.wgsl"));
});

Deno.test("a variable in storage knows its alias, whether it holds numbers or fours of them", () => {
  const aliases = (name: string, entry: string) =>
    Object.fromEntries(
      read(name).entry(entry).bindings.filter(({ alias }) => alias).map((b) => [b.name, b.alias]),
    );
  assert.deepEqual(aliases("layer_norm.wgsl", "forward"), { x: "real", out: "real" });
  assert.deepEqual(aliases("layer_norm.wgsl", "forward_odd"), { x_odd: "real", out_odd: "real" });
  const operands = { a: "operand", b: "operand", out: "real", before: "real" };
  assert.deepEqual(aliases("matmul_shared.wgsl", "forward"), operands);
  assert.deepEqual(aliases("adamw.wgsl", "update"), {});
  // One alias alone changes nothing else.
  const source = read("matmul_shared.wgsl").sourceWith(["operand"]);
  assert.match(source, /^enable f16; \/\/ out = /);
  assert.match(source, /^alias operand = f16;\nalias real = f32;$/m);
});

Deno.test("a texture that is written takes halves without the adapter's f16", () => {
  const kernel = read("attention_decode.wgsl");
  const source = kernel.sourceWith(["new_keys"]);
  const format = (name: string) =>
    source.match(`var ${name}: texture_storage_2d<(\\w+), write>`)?.[1];
  assert.deepEqual(["new_keys", "new_values"].map(format), ["rgba16float", "rgba32float"]);
  assert.equal(source.replace("rgba16float", "rgba32float"), kernel.source);
});

Deno.test("a shader that is wrong in f16 is refused", async () => {
  const wrong = new Kernel(
    "wrong",
    "alias real = f32;\n" +
      "@group(0) @binding(0) var<storage, read_write> x: array<real>;\n" +
      "@compute @workgroup_size(1)\nfn forward() { x[0] = x[0] + vec4f(1.0).x; }\n",
  );
  device.raw.pushErrorScope("validation");
  device.raw.createShaderModule({ code: wrong.sourceWith(["real"]) });
  const error = await device.raw.popErrorScope();
  assert.ok(error, "f16 + f32 compiled");
});
