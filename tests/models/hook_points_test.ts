/**
 * Every hook point of both models beside TransformerLens's own figures, values and gradients.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Hook, Run } from "../../src/autograd/run.ts";
import { openDevice } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { hookPoints } from "../../src/models/hook_points.ts";
import { assertClose } from "../compare.ts";
import { B, type Subject, SUBJECTS, T, V } from "./hook_subjects.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

/** Shapes by the end of a name. */
function shapeOf(name: string, { model, size: [C, NH] }: Subject): number[] {
  const last = name.split("hook_").at(-1)!;
  if (["q", "k", "v", "z"].includes(last)) return [B, T, NH, C / NH];
  if (["attn_scores", "pattern"].includes(last)) return [B, NH, T, T];
  if (["pre", "post"].includes(last)) return [B, T, model.config.mlpChannels];
  if (last === "scale") return [B, T, 1];
  if (last === "out") return [B, T, V];
  if (last === "pooler_out") return [B, C];
  if (last === "nsp_out") return [B, 2];
  return [B, T, C];
}

/** Numbers that are no masked scores. */
const unmasked = (values: ArrayLike<number>, by: ArrayLike<number>) =>
  Array.from(values).filter((_, i) => by[i] > -1e30);

for (const [family, make] of Object.entries(SUBJECTS)) {
  Deno.test(`${family}: each hook is called once, in order, with TransformerLens's shape and values`, async () => {
    using _scope = device.scope();
    const subject = make(device);
    const { model, seen } = subject;
    const called: string[] = [];
    const values = new Map<string, Tensor>();
    const look: Hook = (x, name) => {
      assert.deepEqual(x.shape, shapeOf(name, subject), name);
      called.push(name);
      values.set(name, x);
    };
    const names = hookPoints(model);
    assert.deepEqual(names, new TextDecoder().decode(seen.readRaw("names")).split("\n"));
    const hooks = new Map(names.map((name) => [name, look]));
    const [{ logits }] = subject.forward(new Run(device, { hooks }));
    assert.deepEqual(called, names);
    const [{ logits: plain }] = subject.forward(new Run(device));
    assertClose(await logits.read(), await plain.read(), { bound: 1e-5, label: "logits" });
    for (const [name, x] of values) {
      const expected = seen.read(name);
      const found = unmasked(await x.read(), expected);
      assertClose(found, unmasked(expected, expected), { bound: 1e-4, label: name });
    }
  });

  Deno.test(`${family}: the gradient at each hook point equals TransformerLens's`, async () => {
    using _scope = device.scope();
    const subject = make(device);
    const kept = new Map<string, Tensor>();
    const run: Run = new Run(device, {
      record: "activations",
      hooks: new Map(
        hookPoints(subject.model).map((name) => [name, (x) => {
          run.tape!.keep(x);
          kept.set(name, x);
        }]),
      ),
    });
    const gradients = run.tape!.backward(subject.losses(run));
    for (const [name, x] of kept) {
      const found = gradients.get(x);
      assert.ok(found, `no gradient at ${name}`);
      const expected = subject.seen.read(`grad.${name}`);
      // A gradient that is zero in exact arithmetic would be noise in both programs.
      assert.ok(Math.hypot(...expected) > 1e-3, name);
      assertClose(await found.read(), expected, { bound: 1e-3, label: name });
    }
    for (const p of subject.model.parameters) {
      assert.ok((await p.gradient.read()).every((v) => v === 0), p.name);
    }
  });
}
