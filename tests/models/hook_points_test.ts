/**
 * Every hook point of both models beside TransformerLens's own figures, values and gradients.
 *
 * @module
 */
import assert from "node:assert/strict";
import { crossEntropy } from "../../src/autograd/ops/cross_entropy.ts";
import { type Hook, Run } from "../../src/autograd/run.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { openDevice } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import type { Bert } from "../../src/models/bert.ts";
import { loadBert, loadGpt } from "../../src/models/files.ts";
import type { Gpt } from "../../src/models/gpt.ts";
import { hookPoints } from "../../src/models/hook_points.ts";
import { assertClose } from "../compare.ts";

const FIXTURES = new URL("../fixtures", import.meta.url).pathname;
const [B, T, V] = [3, 29, 197];
const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

/** A model, what it is asked, and what TransformerLens saw. */
interface Subject {
  model: Gpt | Bert;
  /** Channels, heads. */
  size: [C: number, NH: number];
  /** Logits (B, T, V), and the loss or its terms. */
  forward(run: Run): { logits: Tensor; losses: Tensor[] };
  /** What TransformerLens saw. */
  seen: ReturnType<typeof openSafetensors>;
}

const integers = (family: string, name: string): Int32Array<ArrayBuffer> => {
  using file = openSafetensors(`${FIXTURES}/${family}/fixture.safetensors`);
  return new Int32Array(file.readRaw(name).buffer);
};

function gptSubject(): Subject {
  const model = loadGpt(device, `${FIXTURES}/gpt2/model`);
  const ids = model.ids(integers("gpt2", "ids"), [B, T]);
  const targets = device.upload(integers("gpt2", "targets"), [B, T]);
  return {
    model,
    size: [36, 3],
    forward(run) {
      const logits = model.forward(run, ids);
      return { logits, losses: [crossEntropy(run, logits, { targets }).result] };
    },
    seen: openSafetensors(`${FIXTURES}/hooks/gpt2.safetensors`),
  };
}

function bertSubject(): Subject {
  const model = loadBert(device, `${FIXTURES}/bert/pretraining`);
  const seen = integers("bert", "mask");
  const input = {
    ids: model.ids(integers("bert", "ids"), [B, T]),
    segments: device.upload(Uint32Array.from(integers("bert", "segments")), [B, T]),
    mask: device.upload(Float32Array.from(seen, (s) => s ? 0 : -Infinity), [B, T]),
  };
  const tokens = device.upload(integers("bert", "tokens"), [B, T]);
  const follows = device.upload(Int32Array.of(1, 0, 1));
  const { masked, pooler, classifier } = model.heads;
  return {
    model,
    size: [24, 2],
    forward(run) {
      const hidden = model.hidden(run, input);
      const next = classifier!.forward(run, pooler!.forward(run, hidden));
      const logits = masked!.forward(run, hidden);
      const losses = [
        crossEntropy(run, logits, { targets: tokens }).result,
        crossEntropy(run, next, { targets: follows }).result,
      ];
      return { logits, losses };
    },
    seen: openSafetensors(`${FIXTURES}/hooks/bert.safetensors`),
  };
}

const SUBJECTS = { "GPT": gptSubject, "BERT": bertSubject };

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
    const subject = make();
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
    const { logits } = subject.forward(new Run(device, { hooks }));
    assert.deepEqual(called, names);
    const plain = subject.forward(new Run(device)).logits;
    assertClose(await logits.read(), await plain.read(), { bound: 1e-5, label: "logits" });
    for (const [name, x] of values) {
      const expected = seen.read(name);
      const found = unmasked(await x.read(), expected);
      assertClose(found, unmasked(expected, expected), { bound: 1e-4, label: name });
    }
  });

  Deno.test(`${family}: the gradient at each hook point equals TransformerLens's`, async () => {
    using _scope = device.scope();
    const subject = make();
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
    const { losses } = subject.forward(run);
    const gradients = run.tape!.backward(losses);
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
