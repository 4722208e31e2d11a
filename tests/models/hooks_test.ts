/**
 * What a hook returns takes its place: gradients at hook points against finite differences, and what
 * hooks are in the way of.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Hook, Run, type RunOptions } from "../../src/autograd/run.ts";
import { openDevice } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { hookPoints } from "../../src/models/hook_points.ts";
import { quantizeGpt } from "../../src/models/quantize.ts";
import { assertClose, numbers, relativeError } from "../compare.ts";
import { gptSubject, type Subject, SUBJECTS } from "./hook_subjects.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

/** One point of each making; `hook_points_test.ts` has them all beside TransformerLens. */
const SPOTS =
  /^(embed\.)?hook_pos_embed$|^blocks\.0\.(attn\.hook_(k|attn_scores)|ln1\.hook_scale|ln2\.hook_normalized)$/;

/** The loss in float64 from the logits that a pass with these hooks gives. */
async function lossOf(subject: Subject, hooks?: ReadonlyMap<string, Hook>): Promise<number> {
  using _scope = device.scope();
  let loss = 0;
  for (const { logits, targets } of subject.forward(new Run(device, { hooks }))) {
    const classes = logits.shape.at(-1)!;
    const values = await logits.read();
    const asked = Array.from(targets.keys()).filter((row) => targets[row] !== -100);
    for (const row of asked) {
      const own = Float64Array.from(values.slice(row * classes, (row + 1) * classes));
      const logSum = Math.log(own.reduce((sum, v) => sum + Math.exp(v), 0));
      loss += (logSum - own[targets[row]]) / asked.length;
    }
  }
  return loss;
}

/** Gradients at hook points, and what is there. */
async function gradientsAt(
  subject: Subject,
  names: readonly string[],
  options: RunOptions = { record: "activations" },
): Promise<Map<string, { value: Float64Array; gradient: Float64Array; calls: number }>> {
  using _scope = device.scope();
  const kept = new Map<string, { x: Tensor; calls: number }>();
  const look: Hook = (x, name) => {
    run.tape!.keep(x);
    kept.set(name, { x, calls: 1 + (kept.get(name)?.calls ?? 0) });
  };
  const run = new Run(device, { ...options, hooks: new Map(names.map((name) => [name, look])) });
  const gradients = run.tape!.backward(subject.losses(run));
  const found = new Map<string, { value: Float64Array; gradient: Float64Array; calls: number }>();
  for (const [name, { x, calls }] of kept) {
    const [value, gradient] = await device.read(x, gradients.get(x)!);
    found.set(name, {
      value: Float64Array.from(value),
      gradient: Float64Array.from(gradient),
      calls,
    });
  }
  return found;
}

for (const [family, make] of Object.entries(SUBJECTS)) {
  Deno.test(`${family}: what is put at a hook point moves the loss as its gradient says`, async () => {
    using _scope = device.scope();
    const subject = make(device);
    const points = hookPoints(subject.model).filter((name) => SPOTS.test(name));
    assert.equal(points.length, 5);
    for (const [name, { value, gradient }] of await gradientsAt(subject, points)) {
      // Half along the gradient, half anywhere; not where a score is masked.
      const seen = value.map((v) => Number(v > -1e30));
      const unit = (v: Float64Array) => v.map((x) => x / Math.hypot(...v));
      const noise = unit(Float64Array.from(numbers(value.length, 7), (v, i) => v * seen[i]));
      const direction = unit(gradient).map((g, i) => g * seen[i] + noise[i]);
      const step = 1e-3 * Math.hypot(...value.filter((v) => v > -1e30));
      const moved = (sign: number): Promise<number> => {
        const put = Float32Array.from(value, (v, i) => v + sign * step * direction[i]);
        return lossOf(subject, new Map([[name, () => device.upload(put)]]));
      };
      const difference = (await moved(1) - await moved(-1)) / (2 * step);
      const expected = gradient.reduce((sum, g, i) => sum + g * direction[i], 0);
      const off = Math.abs(difference / expected - 1);
      assert.ok(off < 1e-3, `${name}: ${difference}, the gradient says ${expected}`);
    }
  });

  Deno.test(`${family}: with checkpointing a hook is called once, and its gradient is the same`, async () => {
    using _scope = device.scope();
    const subject = make(device);
    const every = hookPoints(subject.model);
    const one = ["blocks.0.hook_resid_mid"];
    for (const names of [every, one]) {
      for (const record of [true, "activations"] as const) {
        subject.model.checkpointing = false;
        const plain = await gradientsAt(subject, names, { record });
        subject.model.checkpointing = true;
        const found = await gradientsAt(subject, names, { record });
        assert.deepEqual([...found.keys()], names);
        assert.deepEqual(found, plain);
        assert.ok([...found.values()].every(({ calls }) => calls === 1));
      }
    }
  });
}

Deno.test("what has another size or type than the hook point is refused", () => {
  using _scope = device.scope();
  const subject = gptSubject(device);
  const put = (name: string, x: Tensor) => () =>
    subject.forward(new Run(device, { hooks: new Map([[name, () => x]]) }));
  assert.throws(put("blocks.1.attn.hook_q", device.tensor([3, 29, 3, 11])), {
    name: "VitrailError",
    message:
      "Cannot put f32 of shape (3, 29, 3, 11) in the place of blocks.1.attn.hook_q, which is " +
      "f32 of shape (3, 29, 3, 12): sizes and types must match",
  });
  assert.throws(put("hook_embed", device.tensor([3, 29, 36], "u32")), {
    name: "VitrailError",
    message: "Cannot put u32 of shape (3, 29, 36) in the place of hook_embed, which is " +
      "f32 of shape (3, 29, 36): sizes and types must match",
  });
});

Deno.test("with a cache, hooks see the new places; scores and pattern are refused", async () => {
  using _scope = device.scope();
  const { model } = gptSubject(device);
  const ids = Array.from({ length: 11 }, (_, i) => 7 * i % 197);
  const names = hookPoints(model).filter((name) => !/scores|pattern/.test(name));
  const see = async (pieces: number[][], cache?: ReturnType<typeof model.cache>) => {
    const seen = new Map<string, Tensor[]>(names.map((name) => [name, []]));
    const hooks = new Map(
      names.map((name): [string, Hook] => [name, (x) => void seen.get(name)!.push(x)]),
    );
    for (const piece of pieces) {
      model.forward(new Run(device, { hooks }), model.ids(piece), { cache });
    }
    const read = async (name: string): Promise<number[]> =>
      (await device.read(...seen.get(name)!)).flatMap((piece) => [...piece]);
    return new Map(await Promise.all(names.map(async (name) => [name, await read(name)] as const)));
  };
  const whole = await see([ids]);
  const apart = await see([ids.slice(0, 5), ids.slice(5, 6), ids.slice(6)], model.cache(1));
  for (const [name, values] of whole) {
    assertClose(apart.get(name)!, values, { bound: 1e-5, label: name });
  }
  const hooks = new Map<string, Hook>([["blocks.1.attn.hook_pattern", () => {}]]);
  const run = new Run(device, { hooks });
  assert.throws(() => model.forward(run, model.ids(ids), { cache: model.cache(1) }), {
    name: "VitrailError",
    message: "Cannot hook blocks.1.attn.hook_attn_scores or blocks.1.attn.hook_pattern in a pass " +
      "with a cache of keys and values, which keeps neither: run the whole sequence in one pass " +
      "without a cache",
  });
});

Deno.test("a model in fewer bits can be looked into: its gradients are those of f32, but for them", async () => {
  using _scope = device.scope();
  const names = ["hook_pos_embed", "blocks.0.attn.hook_v", "blocks.1.mlp.hook_post"];
  const subject = gptSubject(device);
  const plain = await gradientsAt(subject, names);
  const packed = gptSubject(device, await quantizeGpt(subject.model, { weights: "int8" }));
  for (const [name, { gradient }] of await gradientsAt(packed, names)) {
    const off = relativeError(gradient, plain.get(name)!.gradient);
    assert.ok(off > 0 && off < 0.1, `${name}: ${off}`);
  }
});
