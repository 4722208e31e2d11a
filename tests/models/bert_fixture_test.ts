/**
 * Five kinds of BERT, of odd sizes, with padding and segments, beside PyTorch's own figures.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Run } from "../../src/autograd/run.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import type { Bert } from "../../src/models/bert.ts";
import { answer, classify, type LabelledLoss, preTrain, tag } from "../../src/models/bert_tasks.ts";
import { loadBert } from "../../src/models/files.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { assertClose } from "../compare.ts";
import { openDevices } from "../kernels/devices.ts";

const FIXTURE = new URL("../fixtures/bert", import.meta.url).pathname;
const [B, T] = [3, 29];
const launches = await openDevices();
const [[, device]] = launches;
const file = openSafetensors(`${FIXTURE}/fixture.safetensors`);
const integers = (name: string) => new Int32Array(file.readRaw(name).buffer);

/** What every model of the fixture reads. */
function input(model: Bert) {
  const { device } = model;
  const mask = Float32Array.from(integers("mask"), (seen) => seen ? 0 : -Infinity);
  return {
    ids: model.ids(integers("ids"), [B, T]),
    segments: device.upload(Uint32Array.from(integers("segments")), [B, T]),
    mask: device.upload(mask, [B, T]),
  };
}

const TASKS: Record<string, (run: Run, model: Bert) => LabelledLoss> = {
  "pretraining": (run, model) =>
    preTrain(run, model, {
      ...input(model),
      tokens: integers("tokens"),
      follows: Int32Array.of(1, 0, 1),
    }),
  "masked-language": (run, model) =>
    preTrain(run, model, { ...input(model), tokens: integers("tokens") }),
  "single": (run, model) =>
    classify(run, model, { ...input(model), labels: Int32Array.of(2, 0, 1) }),
  "multiple": (run, model) =>
    classify(run, model, {
      ...input(model),
      labels: Float32Array.of(1, 0, 1, 0, 0, 0, 0, 1, 1),
    }),
  "number": (run, model) =>
    classify(run, model, { ...input(model), labels: Float32Array.of(0.5, -1.25, 2) }),
  "tags": (run, model) => tag(run, model, { ...input(model), labels: integers("tags") }),
  "answer": (run, model) =>
    answer(run, model, {
      ...input(model),
      begins: Int32Array.of(14, 7, 1),
      ends: Int32Array.of(20, 16, 3),
    }),
};

/** Their names in transformers. */
const LOGITS: Record<string, string> = {
  tokens: "prediction_logits",
  follows: "seq_relationship_logits",
  begins: "start_logits",
  ends: "end_logits",
};

/** By the kernels that ship for a processor every task, by those for a GPU the first. */
const WAYS = launches.flatMap(([launch, device]) => {
  const tasks = Object.entries(TASKS);
  return (launch === "processor" ? tasks : tasks.slice(0, 1))
    .map(([name, lossOf]) => ({ launch, device, name, lossOf }));
});
for (const { launch, device, name, lossOf } of WAYS) {
  Deno.test(`logits and every gradient equal PyTorch's, ${launch}: ${name}`, async () => {
    using _scope = device.scope();
    const model = loadBert(device, `${FIXTURE}/${name}`);
    const run = new Run(device, { record: true });
    const { losses, ...recorded } = lossOf(run, model);
    // A recorded pass keeps no logits of tokens.
    const { logits, rows } = recorded.rows ? lossOf(new Run(device), model) : recorded;
    let loss = 0;
    for (const { result, scale } of losses) loss += (await result.read())[0] * scale;
    assertClose([loss], file.read(`${name}.loss`), { bound: 1e-5, label: "loss" });
    for (const [key, tensor] of Object.entries(logits)) {
      const stored = [LOGITS[key] ?? "logits", "logits"].find((l) => file.has(`${name}.${l}`));
      const whole = file.read(`${name}.${stored}`);
      // The head guesses only where something is asked; transformers guesses everywhere.
      const columns = tensor.shape.at(-1)!;
      const wanted = key === "tokens" && rows
        ? Array.from(rows).flatMap((r) => [...whole.slice(r * columns, (r + 1) * columns)])
        : whole;
      assertClose(await tensor.read(), wanted, { bound: 1e-4, label: `${name} ${key}` });
    }
    run.tape!.backward(losses.map((l) => l.result));
    for (const p of model.parameters) {
      const parts = p.parts ?? [p.name];
      const expected = parts.flatMap((part) => [...file.read(`${name}.grad.${part}`)]);
      const found = await p.gradient.read();
      // A gradient that is zero in exact arithmetic (a key's bias) is noise in both programs.
      const size = Math.hypot(...expected);
      if (size < 1e-6) assert.ok(Math.hypot(...found) < 1e-5, p.name);
      else assertClose(found, expected, { bound: 1e-3, label: `${name} ${p.name}` });
    }
  });
}

Deno.test("twenty AdamW losses of masked tokens and next sentences equal PyTorch's", async () => {
  const model = loadBert(device, `${FIXTURE}/pretraining`);
  const optimizer = new AdamW(model.parameters, { clip: 1, weightDecay: 0.1 });
  const found: Tensor[][] = [];
  const kept = device.scope();
  for (let step = 0; step < 20; step++) {
    const run = new Run(device, { record: true });
    optimizer.clearGradients();
    const { losses } = TASKS["pretraining"](run, model);
    run.tape!.backward(losses.map((l) => l.result));
    optimizer.step(1e-3);
    found.push(losses.map((l) => l.result));
  }
  const expected = file.read("losses");
  for (let step = 0; step < 20; step++) {
    let sum = 0;
    for (const part of await device.read(...found[step])) sum += part[0];
    const [wanted] = expected.slice(step);
    assert.ok(Math.abs(sum / wanted - 1) < 1e-4, `step ${step}: ${sum}, wanted ${wanted}`);
  }
  kept[Symbol.dispose]();
});

Deno.test("a sentence alone and in a padded batch gives the same logits", async () => {
  using _scope = device.scope();
  const model = loadBert(device, `${FIXTURE}/tags`);
  const length = 17;
  const batch = input(model);
  const together = await model.heads.classifier!.forward(
    new Run(device),
    model.hidden(new Run(device), batch),
  ).read();
  const own = (name: string) => integers(name).slice(T, T + length);
  const alone = await model.heads.classifier!.forward(
    new Run(device),
    model.hidden(new Run(device), {
      ids: model.ids(own("ids")),
      segments: device.upload(Uint32Array.from(own("segments")), [1, length]),
    }),
  ).read();
  const labels = 5;
  const same = together.slice(T * labels, (T + length) * labels);
  assertClose(alone, same, { bound: 1e-5, label: "logits" });
});

Deno.test("a longer context repeats the positions, and changes nothing within the former one", async () => {
  using _scope = device.scope();
  const short = loadBert(device, `${FIXTURE}/tags`);
  const { contextLength, channels } = short.config;
  const long = loadBert(device, `${FIXTURE}/tags`, { contextLength: 2 * contextLength + 3 });
  assert.equal(long.config.contextLength, 2 * contextLength + 3);
  const table = async (model: typeof short): Promise<number[]> => [
    ...await model.parameters.find((p) => p.name.includes("position_embeddings"))!.read(),
  ];
  const own = await table(short);
  assert.deepEqual(await table(long), [...own, ...own, ...own.slice(0, 3 * channels)]);
  const ids = Array.from({ length: contextLength }, (_, i) => 5 + i % 7);
  const [a, b] = [short, long].map((m) => m.hidden(new Run(device), { ids: m.ids(ids) }));
  assert.deepEqual(await b.read(), await a.read());
  // A shorter one than the model's is no reason to cut it.
  const same = loadBert(device, `${FIXTURE}/tags`, { contextLength: 5 });
  assert.equal(same.config.contextLength, contextLength);
});
