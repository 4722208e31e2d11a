/**
 * Every matmul variant against its float64 reference, on shapes around the edges of tiles.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Device } from "../../src/gpu/device.ts";
import { matmul, type MatmulVariant } from "../../src/kernels/matmul.ts";
import { fits, MATMUL_VARIANTS } from "../../src/kernels/matmul_variants.ts";
import { assertClose, numbers } from "../compare.ts";
import { linearBackward } from "../reference/linear.ts";
import { matmul as reference, type MatmulShape } from "../reference/matmul.ts";
import { assertSameBytes } from "./checks.ts";
import { openDevices, poison, upload } from "./devices.ts";

/** Rows, columns and inner dimension: odd ones, and each side of tiles of 4, 16, 32, 64 and 128. */
const SHAPES = [
  [1, 1, 1],
  [3, 5, 1],
  [2, 130, 7],
  [29, 197, 37],
  [87, 36, 108],
  [65, 64, 34],
  [17, 129, 16],
  [16, 1031, 5],
];

/** What a kernel adds to the product. */
interface Extras {
  bias: boolean;
  accumulate: boolean;
}

/** One product on the device, checked. */
async function check(
  device: Device,
  shape: MatmulShape,
  { bias, accumulate, variant }: Extras & { variant?: MatmulVariant },
): Promise<void> {
  using _scope = device.scope();
  const { m, n, k, transposeA, transposeB } = shape;
  const [a, b, row] = [numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3)];
  const before = numbers(m * n, 4);
  const as = upload(device, a, transposeA ? [k, m] : [m, k]);
  const bs = upload(device, b, transposeB ? [n, k] : [k, n]);
  const biasTensor = bias ? upload(device, row) : undefined;
  const into = accumulate ? upload(device, before, [m, n]) : undefined;
  poison(device, [m, n]);
  const options = { transposeA, transposeB, variant, accumulate, bias: biasTensor, out: into };
  const out = matmul(as, bs, options);
  assert.deepEqual(out.shape, [m, n]);
  const expected = reference(a, b, {
    ...shape,
    bias: bias ? row : undefined,
    before: accumulate ? before : undefined,
  });
  const label = `${variant ?? "chosen"} ${JSON.stringify({ ...shape, bias, accumulate })}`;
  assertClose(await out.read(), expected, { bound: 1e-6, label });
}

const launches = await openDevices();
const [, device] = launches[0];

/** One of each kind is tried on all shapes; what differs in its tile only, on an odd and an even one. */
const KINDS: MatmulVariant[] = ["row", "shared", "texels"];

for (const variant of MATMUL_VARIANTS.filter((variant) => !KINDS.includes(variant))) {
  Deno.test(`matmul ${variant}: odd and even, more than one tile and part`, async () => {
    // Transposes are read alike by every tile, and each takes a pipeline that takes a while.
    for (
      const shape of [
        { m: 29, n: 197, k: 37, transposeA: false, transposeB: true },
        { m: 87, n: 36, k: 108, transposeA: true, transposeB: false },
      ]
    ) {
      // Divided products add no bias.
      const bias = fits(variant, { ...shape, accumulate: true, hasBias: true });
      await check(device, shape, { bias, accumulate: true, variant });
    }
  });
}

for (const variant of KINDS) {
  Deno.test(`matmul ${variant}: every transpose, with bias and accumulating`, async () => {
    for (const [m, n, k] of SHAPES) {
      for (const transposeB of [false, true]) {
        // The row variant knows no transposed a.
        for (const transposeA of variant === "row" ? [false] : [false, true]) {
          // A tile on a processor has a pipeline for each raggedness, and each takes a while.
          const common = [2, 29, 87].includes(m) || (transposeB && !transposeA);
          if (variant === "texels" && !common) continue;
          const shape = { m, n, k, transposeA, transposeB };
          await check(device, shape, { bias: true, accumulate: true, variant });
        }
      }
    }
  });

  Deno.test(`matmul ${variant}: nothing added, whatever out held before`, async () => {
    for (const [m, n, k] of SHAPES.slice(3, 5)) {
      await check(device, { m, n, k, transposeB: true }, {
        bias: false,
        accumulate: false,
        variant,
      });
    }
    const [m, n, k] = SHAPES[3];
    await check(device, { m, n, k }, { bias: true, accumulate: false, variant });
  });

  Deno.test(`matmul ${variant}: same bytes twice`, async () => {
    using _scope = device.scope();
    const [a, b] = [upload(device, numbers(29 * 37, 1), [29, 37]), numbers(37 * 197, 2)];
    const bs = upload(device, b, [197, 37]);
    await assertSameBytes(device, () => [matmul(a, bs, { transposeB: true, variant })]);
  });

  Deno.test(`matmul ${variant}: a long inner dimension loses no more than f32 must`, async () => {
    for (const k of [4096, 4099]) {
      const shape = { m: 3, n: 36, k, transposeB: true };
      await check(device, shape, { bias: false, accumulate: false, variant });
    }
  });
}

for (const [name, device] of launches) {
  Deno.test(`matmul, ${name}: what is chosen for each shape is right`, async () => {
    const shapes: MatmulShape[] = [
      { m: 1, n: 197, k: 36, transposeB: true }, // logits of one token
      { m: 4, n: 36, k: 29 },
      { m: 5, n: 36, k: 29 },
      { m: 3, n: 5, k: 29, transposeA: true },
      { m: 300, n: 260, k: 65 },
      { m: 257, n: 33, k: 259, transposeB: true },
    ];
    for (const shape of shapes) await check(device, shape, { bias: false, accumulate: false });
  });

  Deno.test(`matmul, ${name}: leading dimensions are rows, forward and in both gradients`, async () => {
    for (const transposed of [false, true]) {
      using _scope = device.scope();
      const [rows, inputs, outputs] = [3 * 29, 36, 197];
      const [x, w, d] = [
        numbers(rows * inputs, 1),
        numbers(inputs * outputs, 2),
        numbers(rows * outputs, 3),
      ];
      const xs = upload(device, x, [3, 29, inputs]);
      const ws = upload(device, w, transposed ? [outputs, inputs] : [inputs, outputs]);
      const ds = upload(device, d, [3, 29, outputs]);
      const out = matmul(xs, ws, { transposeB: transposed });
      const dX = matmul(ds, ws, { transposeB: !transposed });
      const dW = matmul(transposed ? ds : xs, transposed ? xs : ds, { transposeA: true });
      assert.deepEqual([out.shape, dX.shape], [[3, 29, outputs], [3, 29, inputs]]);
      const found = await device.read(out, dX, dW);
      const shape = { rows, inputs, outputs, transposed };
      const expected = linearBackward(x, d, { ...shape, weight: w });
      const product = { m: rows, n: outputs, k: inputs, transposeB: transposed };
      const label = `transposed ${transposed}`;
      assertClose(found[0], reference(x, w, product), { bound: 1e-6, label: `${label} out` });
      assertClose(found[1], expected.dX, { bound: 1e-6, label: `${label} dX` });
      assertClose(found[2], expected.dWeight, { bound: 1e-6, label: `${label} dW` });
    }
  });

  Deno.test(`matmul, ${name}: one product after another, each fed by the last`, async () => {
    using _scope = device.scope();
    // Growing and shrinking operands, recorded together, share whatever room kernels keep for them.
    const sizes = [29, 197, 5, 260, 36];
    const x = numbers(9 * sizes[0], 1);
    let [tensor, expected] = [upload(device, x, [9, sizes[0]]), Float64Array.from(x)];
    sizes.slice(1).forEach((n, i) => {
      const k = sizes[i];
      const weight = numbers(k * n, 10 + i).map((v) => v / Math.sqrt(k));
      tensor = matmul(tensor, upload(device, weight, [k, n]));
      expected = new Float64Array(reference(expected, weight, { m: 9, n, k }));
    });
    assertClose(await tensor.read(), expected, { bound: 2e-6, label: "chain" });
  });
}

Deno.test("matmul: what does not fit is said", () => {
  using _scope = device.scope();
  const tensor = (...shape: number[]) => device.tensor(shape);
  const says = (run: () => void, message: string) =>
    assert.throws(run, { name: "VitrailError", message });
  says(
    () => matmul(tensor(2, 3), tensor(4, 5)),
    "Cannot multiply (2, 3) by (4, 5): inner dimensions must match, got 3 and 4",
  );
  says(
    () => matmul(tensor(2, 3), tensor(2, 5), { transposeB: true }),
    "Cannot multiply (2, 3) by (2, 5)ᵀ: inner dimensions must match, got 3 and 5",
  );
  says(
    () => matmul(tensor(2, 3), tensor(3, 5), { transposeA: true }),
    "Cannot multiply (2, 3)ᵀ by (3, 5): inner dimensions must match, got 2 and 3",
  );
  says(
    () => matmul(tensor(2, 3), tensor(3, 5), { bias: tensor(4) }),
    "Cannot add a bias of 4 to rows of 5: sizes must match",
  );
  says(
    () => matmul(tensor(2, 3), tensor(3, 5), { out: tensor(5, 3, 1) }),
    "Cannot write a (2, 5) product into (5, 3, 1): sizes must match",
  );
  const unfit = (variant: string) =>
    `Cannot multiply by ${variant}: it reads no transposed \`a\`, ` +
    "or is divided and knows no bias and no GELU";
  says(
    () => matmul(tensor(3, 2), tensor(3, 5), { transposeA: true, variant: "row" }),
    unfit("row"),
  );
  says(
    () => matmul(tensor(2, 3), tensor(3, 5), { bias: tensor(5), variant: "shared-in-4" }),
    unfit("shared-in-4"),
  );
  says(
    () => matmul(tensor(2, 3), tensor(3, 5), { gelu: { kind: "erf" }, variant: "texels-in-2" }),
    unfit("texels-in-2"),
  );
  says(
    () => matmul(tensor(2, 3), tensor(3, 5), { gelu: { kind: "erf", before: tensor(3, 5) } }),
    "Cannot write a (2, 5) product into (3, 5): sizes must match",
  );
});
