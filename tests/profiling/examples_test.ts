/**
 * The shaders of docs/profiling.md compute what they say, and the better one is the faster.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import { seededNumbers } from "../../src/profiling/cases/operands.ts";
import { resourcesOf } from "../../src/profiling/own_shader.ts";
import { profileShader } from "../../src/profiling/shader_profile.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const source = (name: string): string =>
  Deno.readTextFileSync(new URL(`../../docs/examples/${name}.wgsl`, import.meta.url));

/** Runs a product of (m, k) by (k, n) by one of the shaders. */
function product(name: string, [m, n, k]: number[], workgroups: [number, number]) {
  return profileShader(device, { name, source: source(name) }, {
    buffers: { a: { count: m * k }, b: { count: k * n }, out: { count: m * n } },
    uniforms: { m: [m], n: [n], k: [k] },
    flops: "2 * m * n * k",
    workgroups,
    roof: false,
    runs: 5,
  });
}

Deno.test("both products of matrices are the float64 reference's", async () => {
  const [m, n, k] = [28, 36, 20];
  for (const name of ["matmul_naive", "matmul_tiled"]) {
    const { outputs: [out] } = await product(name, [m, n, k], [5, 4]);
    // The seeds are the places of the bindings, as the parser tells them.
    const order = resourcesOf(source(name)).get("main")!.map((resource) => resource.name);
    const [a, b] = ["a", "b"].map((name, i) =>
      seededNumbers([m * k, k * n][i], order.indexOf(name) + 1)
    );
    const expected = Float64Array.from({ length: m * n }, (_, at) => {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += a[Math.floor(at / n) * k + i] * b[i * n + at % n];
      return sum;
    });
    const total = expected.reduce((sum, x) => sum + x, 0);
    assert.ok(Math.abs(out.sum - total) < 1e-4, `${name}: ${out.sum}, wanted ${total}`);
    out.first.forEach((x, i) => assert.ok(Math.abs(x - expected[i]) < 1e-5, `${name} at ${i}`));
  }
});

Deno.test("the tiled product takes less than half of the naive one's time", async () => {
  const sizes = [128, 128, 128];
  const times: Record<string, number[]> = { matmul_naive: [], matmul_tiled: [] };
  // By turns, and the least disturbed of each.
  for (let i = 0; i < 3; i++) {
    for (const [name, groups] of [["matmul_naive", 16], ["matmul_tiled", 4]] as const) {
      const { profile } = await product(name, sizes, [groups, groups]);
      times[name].push(profile.kernels[0].milliseconds!);
    }
  }
  const [naive, tiled] = Object.values(times).map((all) => Math.min(...all));
  assert.ok(tiled < naive / 2, `${tiled} ms against ${naive} ms`);
});
