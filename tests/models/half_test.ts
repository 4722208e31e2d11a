/**
 * Whole models in f16, forward and backward, against the same models in f32: every kind of loss, the
 * heads, adapters, and the unfused attention.
 *
 * @module
 */
import assert from "node:assert/strict";
import { cast } from "../../src/autograd/ops/cast.ts";
import { linear } from "../../src/autograd/ops/linear.ts";
import { linearCrossEntropy } from "../../src/autograd/ops/linear_cross_entropy.ts";
import { Parameter } from "../../src/autograd/parameter.ts";
import { type Hook, Run, type RunOptions } from "../../src/autograd/run.ts";
import { createBertConfig } from "../../src/formats/bert_config.ts";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import type { BertHeadsSettings, LabelKind } from "../../src/formats/huggingface_bert.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { sizeOf, type Tensor } from "../../src/gpu/tensor.ts";
import { addLora } from "../../src/models/adapters.ts";
import { Bert } from "../../src/models/bert.ts";
import { answer, preTrain, tag } from "../../src/models/bert_tasks.ts";
import { Gpt } from "../../src/models/gpt.ts";
import { hookPoints } from "../../src/models/hook_points.ts";
import {
  bertSequenceClassifier,
  classificationLoss,
} from "../../src/models/sequence_classifier.ts";
import { freshWeights } from "../../src/models/weights.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { numbers, relativeError } from "../compare.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [V, T, B, C] = [197, 29, 3, 36];
const shape = [B, T];
const ids = Uint32Array.from({ length: B * T }, (_, i) => (i * i + 7 * i) % V);
const asked = (every: number, classes: number) =>
  Int32Array.from(ids, (id, i) => i % every === 1 ? id % classes : -100);

/** Something to train, and its losses. */
interface Case {
  parameters: Parameter[];
  losses: (run: Run) => Tensor[];
  /** Hooks of its pass. */
  hooks?: RunOptions["hooks"];
}

function makeGpt(): Gpt {
  const sizes = { vocabularySize: V, contextLength: T, channels: C, layers: 2, heads: 3 };
  return new Gpt(device, createGptConfig(sizes, { initializerRange: 0.1 }));
}

function gptLosses(model: Gpt): Case["losses"] {
  const targets = Int32Array.from(ids, (id, i) => i % 7 === 3 ? -100 : (id * 31 + 5) % V);
  return (run) => [
    model.loss(run, model.ids(ids, shape), { targets: device.upload(targets, shape) }).result,
  ];
}

function makeBert(heads: BertHeadsSettings): Bert {
  const sizes = { vocabularySize: V, contextLength: T, channels: C, layers: 1, heads: 3 };
  const config = createBertConfig(sizes, {
    initializerRange: 0.1,
    hiddenDropout: 0,
    attentionDropout: 0,
  });
  return new Bert(device, config, { heads, source: freshWeights(5) });
}

/** What a BERT reads: the last sequence has hidden places. */
function bertInput(model: Bert) {
  const mask = Float32Array.from(ids, (_, i) => i >= B * T - 7 ? -Infinity : 0);
  const segments = Uint32Array.from(ids, (_, i) => Number(i % T > 11));
  return {
    ids: model.ids(ids, shape),
    segments: device.upload(segments, shape),
    mask: device.upload(mask, shape),
  };
}

function classification(
  labelKind: LabelKind,
  options: { targets: Int32Array | Float32Array; weights?: number[] },
): Case {
  const labels = ["a", "b", "c"];
  const model = makeBert({ kind: "sequence-classification", labels, labelKind });
  const classifier = bertSequenceClassifier(model);
  const batch = { ids, lengths: [29, 22, 25], time: T };
  return {
    parameters: model.parameters,
    losses(run) {
      const logits = classifier.logits(run, batch as Parameters<typeof classifier.logits>[1]);
      return [classificationLoss(run, logits, { kind: labelKind, ...options })];
    },
  };
}

const CASES: Record<string, () => Case> = {
  gpt() {
    const model = makeGpt();
    return { parameters: model.parameters, losses: gptLosses(model) };
  },
  "gpt with an adapter"() {
    const model = makeGpt();
    // Parts of columns, and whole layers.
    const adapter = addLora(model, { rank: 3, targets: ["c_attn", "mlp.c_proj"], seed: 5 });
    for (const [i, p] of adapter.parameters.entries()) {
      device.write(p, numbers(p.size, i).map((v) => 0.2 * v));
    }
    return { parameters: [...model.parameters, ...adapter.parameters], losses: gptLosses(model) };
  },
  // V is odd, and so is C: the second chunk begins where an adapter can bind all the same.
  "a head in chunks of rows"() {
    const make = (name: string, shape: number[], seed: number) =>
      new Parameter(
        name,
        device.pool.persistent(() => device.upload(numbers(sizeOf(shape), seed), shape)),
      );
    const [x, weight, bias] = [
      make("x", [300, 37], 1),
      make("weight", [V, 37], 2),
      make("bias", [V], 3),
    ];
    const targets = Int32Array.from({ length: 300 }, (_, i) => i % 7 === 3 ? -100 : i * 31 % V);
    const identity = Float32Array.from({ length: 37 * 37 }, (_, i) => Number(i % 38 === 0));
    const eye = new Parameter(
      "eye",
      device.pool.persistent(() => device.upload(identity, [37, 37])),
    );
    return {
      parameters: [weight, bias, eye],
      losses: (run) => [
        linearCrossEntropy(run, linear(run, cast(run, x, run.dtype), { weight: eye }), {
          weight,
          bias,
          targets: device.upload(targets),
          logitBytes: 1,
        }).result,
      ],
    };
  },
  "gpt, its pattern hooked"() {
    const model = makeGpt();
    const name = "blocks.1.attn.hook_pattern";
    const hook: Hook = (pattern) => assert.equal(pattern.dtype, "f32");
    const hooks = new Map([[name, hook]]);
    return { parameters: model.parameters, losses: gptLosses(model), hooks };
  },
  "gpt, everything hooked"() {
    const model = makeGpt();
    const hooks = new Map(hookPoints(model).map((name): [string, Hook] => [name, () => {}]));
    return { parameters: model.parameters, losses: gptLosses(model), hooks };
  },
  "bert pre-training"() {
    const model = makeBert({ kind: "pretraining" });
    const task = { tokens: asked(5, V), follows: Int32Array.of(1, 0, 1) };
    return {
      parameters: model.parameters,
      losses: (run) =>
        preTrain(run, model, { ...bertInput(model), ...task }).losses.map(({ result }) => result),
    };
  },
  "bert for tags"() {
    const model = makeBert({ kind: "token-classification", labels: ["a", "b", "c", "d", "e"] });
    const labels = asked(3, 5);
    return {
      parameters: model.parameters,
      losses: (run) =>
        tag(run, model, { ...bertInput(model), labels }).losses.map(({ result }) => result),
    };
  },
  "bert for answers"() {
    const model = makeBert({ kind: "question-answering" });
    const [begins, ends] = [Int32Array.of(3, 0, 11), Int32Array.of(5, 0, 17)];
    return {
      parameters: model.parameters,
      losses: (run) =>
        answer(run, model, { ...bertInput(model), begins, ends }).losses.map((l) => l.result),
    };
  },
  "bert for classes with weights": () =>
    classification("single", { targets: Int32Array.of(2, 0, 1), weights: [0.5, 2, 1] }),
  "bert for several labels": () =>
    classification("multiple", { targets: Float32Array.of(1, 0, 1, 0, 0, 1, NaN, 1, 0) }),
  "bert for numbers": () => classification("number", { targets: Float32Array.from(numbers(9, 3)) }),
};

for (const [name, make] of Object.entries(CASES)) {
  Deno.test(`${name} in f16: losses and gradients are those of f32, but for rounding`, async () => {
    using _scope = device.scope();
    const { parameters, losses, hooks } = make();
    const trained = parameters.filter((p) => !p.frozen);
    const run = async (options: RunOptions) => {
      for (const p of trained) p.clearGradient();
      const pass = new Run(device, { ...options, hooks, record: true });
      const found = losses(pass);
      pass.tape!.backward(found);
      const values = await device.read(...found) as Float32Array[];
      const gradients = await device.read(...trained.map((p) => p.gradient)) as Float32Array[];
      return { values: values.map(([value]) => value), gradients };
    };
    const whole = await run({});
    const scale = 2 ** 10;
    const { half } = new AdamW(parameters, { precision: "f16", lossScale: scale });
    const rounded = await run({ half });
    assert.notDeepEqual(rounded.values, whole.values);
    const off = relativeError(rounded.values, whole.values);
    assert.ok(off < 2 ** -9, `loss: ${off}`);
    // All of them at once: where a gradient is zero in exact arithmetic, as a key's bias is, only its
    // noise is left.
    const all = (gradients: Float32Array[]) => gradients.flatMap((g) => Array.from(g));
    const apart = relativeError(all(rounded.gradients).map((v) => v / scale), all(whole.gradients));
    // A few roundings of eleven bits, one after another.
    assert.ok(apart > 0 && apart < 2 ** -8, `gradients: ${apart}`);
  });
}
