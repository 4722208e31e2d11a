/**
 * GELU in the product's own kernel: both results of every variant against the float64 reference.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import { gelu, type GeluKind } from "../../src/kernels/gelu.ts";
import { matmul, type MatmulVariant } from "../../src/kernels/matmul.ts";
import { fits, MATMUL_VARIANTS } from "../../src/kernels/matmul_variants.ts";
import { assertClose, numbers } from "../compare.ts";
import { gelu as geluReference } from "../reference/gelu.ts";
import { matmul as reference } from "../reference/matmul.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

/** Rows, columns and inner dimension, with ragged edges and without. */
const SHAPES = [[87, 197, 13], [87, 48, 12]] as const;
const KINDS = ["erf", "tanh"] as const;

/** One product with bias and GELU, checked; `keeps` asks for what GELU is applied to. */
async function check(
  device: Device,
  [m, n, k]: readonly [number, number, number],
  options: { kind: GeluKind; variant?: MatmulVariant; keeps?: boolean; transposeB?: boolean },
): Promise<void> {
  using _scope = device.scope();
  const { kind, variant, keeps = true, transposeB = false } = options;
  // Sums from about -12 to 12: both tails of GELU, and its bend.
  const [a, b] = [numbers(m * k, 1), numbers(k * n, 2).map((v) => 2 * v)];
  const bias = numbers(n, 3).map((v) => 3 * v);
  const [as, bs] = [upload(device, a, [m, k]), upload(device, b, transposeB ? [n, k] : [k, n])];
  const row = upload(device, bias);
  poison(device, [m, n], [m, n]);
  const before = keeps ? device.tensor([m, n]) : undefined;
  const out = matmul(as, bs, { variant, transposeB, bias: row, gelu: { kind, before } });
  const sums = reference(a, b, { m, n, k, transposeB, bias });
  const label = `${variant ?? "chosen"} ${m}×${n}×${k} ${JSON.stringify(options)}`;
  assert.deepEqual(out.shape, [m, n]);
  const found = await out.read();
  assertClose(found, geluReference(sums, kind), { bound: 1e-6, label });
  // Where GELU is next to nothing, a relative error of all of them would not see it.
  assertEach(found, geluReference(sums, kind), { absolute: 1e-5, relative: 1e-5, label });
  if (before) assertClose(await before.read(), sums, { bound: 1e-6, label: `${label} before` });
}

const launches = await openDevices();
const [, device] = launches[0];
const WHOLE = MATMUL_VARIANTS.filter((name) =>
  fits(name, {
    m: 1,
    n: 1,
    k: 1,
    transposeA: false,
    transposeB: false,
    accumulate: false,
    hasBias: true,
    gelu: "erf",
  })
);

for (const variant of ["row", "shared", "texels"] as const) {
  Deno.test(`matmul ${variant} with GELU: both kinds, ragged and even, with what comes before`, async () => {
    for (const shape of SHAPES) {
      for (const kind of KINDS) await check(device, shape, { kind, variant });
    }
  });

  Deno.test(`matmul ${variant} with GELU: alone, and of a transposed weight`, async () => {
    // A ragged tile on a processor has a pipeline that takes a while.
    for (const shape of SHAPES) await check(device, shape, { kind: "tanh", variant, keeps: false });
    await check(device, SHAPES[1], { kind: "erf", variant, transposeB: true });
  });

  Deno.test(`matmul ${variant} with GELU: added to what is there, as two kernels have it, twice`, async () => {
    using _scope = device.scope();
    const [a, b] = [
      upload(device, numbers(29 * 13, 1), [29, 13]),
      upload(device, numbers(13 * 48, 2), [13, 48]),
    ];
    const into = () => upload(device, numbers(29 * 48, 3), [29, 48]);
    const sum = matmul(a, b, { variant, out: into(), accumulate: true });
    const made = () => {
      const before = device.tensor([29, 48]);
      const options = {
        variant,
        out: into(),
        accumulate: true,
        gelu: { kind: "erf", before },
      } as const;
      return [matmul(a, b, options), before];
    };
    const [apart, own, fused, before] = await device.read(gelu(sum, "erf"), sum, ...made());
    assertEach(fused, apart, { absolute: 1e-7, relative: 1e-6, label: "GELU of the sum" });
    assert.deepEqual(before, own);
    await assertSameBytes(device, made);
  });
}

for (const variant of WHOLE.filter((name) => !["row", "shared", "texels"].includes(name))) {
  Deno.test(`matmul ${variant} with GELU: more than one tile, ragged`, async () => {
    await check(device, [37, 131, 13], { kind: "tanh", variant });
  });
}

for (const [name, device] of launches) {
  Deno.test(`matmul with GELU, ${name}: what is chosen is right`, async () => {
    for (const shape of [[3, 48, 12], [29, 197, 13]] as const) {
      await check(device, shape, { kind: "tanh" });
    }
  });
}
