/**
 * Every activation of `transformers` without weights of its own, against PyTorch in float64: values, slopes
 * at kinks and far out, in f32 and in f16.
 *
 * @module
 */
import assert from "node:assert/strict";
import { activationRule, parseActivation } from "../../src/formats/activations.ts";
import { activation, activationBackward, kindOf } from "../../src/kernels/activation.ts";
import { cast } from "../../src/kernels/cast.ts";
import { assertEach, assertSameBytes } from "./checks.ts";
import { FOLDED, openDevices, repeated, upload } from "./devices.ts";

interface Expected {
  /** Null where PyTorch's own number is no number. */
  out: (number | null)[];
  slope: (number | null)[];
}
const { x: points, activations } = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/activations/fixture.json", import.meta.url)),
) as { x: number[]; activations: Record<string, Expected> };

/** exp of a number of 80 loses units in its last place; seen at most 1.1e-6 and, beside it, 1.1e-7. */
const BOUND = { absolute: 1e-7, relative: 4e-6 };

/** What PyTorch says, times `scale`, and what is found where it says nothing. */
const told = (expected: (number | null)[], found: ArrayLike<number>, scale = 1) =>
  Float64Array.from(expected, (v, i) => v === null ? found[i] : v * scale);

Deno.test("every activation of the fixture has a name here, and no other has", () => {
  for (const name of Object.keys(activations)) {
    assert.ok(activationRule.holds(parseActivation(name)));
  }
  for (const name of ["prelu", "xielu", "banana", "constructor", 3, null]) {
    assert.equal(parseActivation(name), undefined);
  }
});

for (const [name, device] of await openDevices()) {
  for (const [called, expected] of Object.entries(activations)) {
    // The cases of the shader know nothing of how they are launched: one of them shows it.
    if (name === "graphics" && called !== "silu") continue;
    Deno.test(`${called}, ${name}: PyTorch's values and slopes, added to what is there too`, async () => {
      using _scope = device.scope();
      const kind = kindOf(parseActivation(called)!);
      const [x, ones] = [upload(device, Float64Array.from(points)), points.map(() => 3)];
      const out = activation(x, kind);
      const isLinear = out === x;
      assert.equal(isLinear, called === "linear");
      if (isLinear) return;
      const d = upload(device, Float64Array.from(ones));
      const [dX, into] = [device.tensor(x.shape), upload(device, Float64Array.from(ones))];
      activationBackward(x, d, { kind, dX, accumulate: false });
      activationBackward(x, d, { kind, dX: into, accumulate: true });
      const [found, foundD, foundSum] = await device.read(out, dX, into);
      assertEach(found, told(expected.out, found), { ...BOUND, label: "out" });
      const slopes = told(expected.slope, foundD, 3);
      assertEach(foundD, slopes, { ...BOUND, absolute: 5e-7, label: "dX" });
      const sums = slopes.map((v, i) => expected.slope[i] === null ? foundSum[i] : v + 3);
      assertEach(foundSum, sums, { ...BOUND, absolute: 1e-6, label: "accumulated" });
    });
  }

  if (name !== "processor") continue;
  Deno.test("activations in f16, and the same bytes twice", async () => {
    using _scope = device.scope();
    const some = Float32Array.from({ length: 113 }, (_, i) => (i - 56) / 8);
    for (const called of ["silu", "mish", "gelu_10"]) {
      const kind = kindOf(parseActivation(called)!);
      const full = upload(device, some);
      const [x, d] = [some, some.map(() => 0.5)].map((v) => cast(upload(device, v), "f16"));
      const [dX, dFull] = [device.tensor(x.shape, "f16"), device.tensor(x.shape)];
      activationBackward(x, d, { kind, dX, accumulate: false });
      activationBackward(full, upload(device, some.map(() => 0.5)), {
        kind,
        dX: dFull,
        accumulate: false,
      });
      const [out, slope, exact, exactSlope] = await device.read(
        activation(x, kind),
        dX,
        activation(full, kind),
        dFull,
      );
      // One rounding to f16; the smallest f16 is 2⁻²⁴.
      const rounding = { relative: 2 ** -11, absolute: 2 ** -24 };
      assertEach(out, exact, { ...rounding, label: called });
      assertEach(slope, exactSlope, { ...rounding, label: `${called} dX` });
    }
    const x = upload(device, some);
    await assertSameBytes(device, () => [activation(x, { other: "mish" })]);
  });

  Deno.test("activations reach past 65535 workgroups", async () => {
    using _scope = device.scope();
    const round = Float32Array.from(points.map((v) => Math.max(-90, Math.min(90, v))));
    const out = await activation(upload(device, repeated(round, FOLDED)), { other: "relu" }).read();
    assertEach(out, repeated(round.map((v) => Math.max(v, 0)), FOLDED), { label: "relu" });
  });
}
