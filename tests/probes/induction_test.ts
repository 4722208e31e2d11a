/** Induction heads: found in a circuit that was made by hand, and growing in a small model. @module */
import assert from "node:assert/strict";
import {
  ablate,
  createGptConfig,
  examineInduction,
  Gpt,
  inductionSequences,
  meanLoss,
  openDevice,
  repeatedBatch,
  trainInductionModel,
  VitrailError,
} from "../../mod.ts";
import { letterTokenizer } from "../../src/probes/induction/alphabet.ts";
import { inputOf, meanLosses, nextTokens } from "../../src/probes/induction/sequences.ts";
import type { WeightSource } from "../../src/models/weights.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const [V, T, C] = [23, 21, 92];
/** Where the residual stream holds the token, the one before it, the place, and the answer. */
const [TOKEN, BEFORE, PLACE, ANSWER] = [0, V, 2 * V, 2 * V + T];
/** How much a head prefers what it looks for. */
const SHARP = 200;

/**
 * Head 0.0 writes the token before into each place, head 1.0 looks for the place before which its own token
 * stands and answers with what is there, heads 0.1 and 1.1 say nothing. Every norm sees as many ones at
 * every place, and gives back what it gets.
 */
const byHand: WeightSource = (name, shape) => {
  const out = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const columns = shape.at(-1)!;
  const put = (row: number, column: number, value = 1) => out[row * columns + column] = value;
  const each = (count: number, set: (i: number) => void) => {
    for (let i = 0; i < count; i++) set(i);
  };
  if (name.endsWith("wte.weight")) each(V, (id) => put(id, TOKEN + id));
  if (name.endsWith("wpe.weight")) each(T, (t) => put(t, PLACE + t));
  if (name.endsWith("lm_head.weight")) each(V, (id) => put(id, ANSWER + id, 4));
  if (name.endsWith("ln_f.weight")) out.fill(1);
  const norm = /h\.(\d)\.ln_1\.(weight|bias)$/.exec(name);
  if (norm) {
    const mean = (norm[1] === "0" ? 2 : 3) / C;
    out.fill(norm[2] === "bias" ? mean : Math.sqrt(mean - mean * mean));
  }
  if (name.endsWith("h.0.attn.c_attn.weight")) {
    each(T, (t) => put(PLACE + t, Math.max(t - 1, 0), SHARP));
    each(T, (t) => put(PLACE + t, C + t));
  }
  if (name.endsWith("h.1.attn.c_attn.weight")) {
    each(V, (id) => put(TOKEN + id, id, SHARP));
    each(V, (id) => put(BEFORE + id, C + id));
  }
  if (name.endsWith("attn.c_attn.weight")) each(V, (id) => put(TOKEN + id, 2 * C + id));
  if (name.endsWith("h.0.attn.c_proj.weight")) each(V, (id) => put(id, BEFORE + id));
  if (name.endsWith("h.1.attn.c_proj.weight")) each(V, (id) => put(id, ANSWER + id));
  return out;
};
const size = { vocabularySize: V, contextLength: T, channels: C, layers: 2, heads: 2 };
const model = new Gpt(device, createGptConfig(size, { mlpChannels: 0, tieWeights: false }), byHand);

Deno.test("a circuit made by hand is found, and nothing else", async () => {
  const { found, induction, previous, scores, intact, alone, together, paths } =
    await examineInduction(model);
  assert.deepEqual([found.layer, found.head, induction.length], [1, 0, 1]);
  assert.deepEqual([previous!.layer, previous!.head], [0, 0]);
  assert.ok(found.induction > 0.9999 && previous!.previousToken > 0.9999);
  assert.ok(scores[1].previousToken < 0.5 && scores[3].induction < 0.2, "they look everywhere");
  assert.ok(intact.repeated < 1e-5, "the circuit knows all that can be known");
  assert.ok(intact.fresh > Math.log(V - 1), "and nothing else");
  const [before, idle, inducing, idleToo] = alone.map(({ repeated }) => repeated);
  assert.ok(before > 1 && inducing > 1);
  assert.deepEqual([idle, idleToo], [intact.repeated, intact.repeated]);
  assert.equal(together.repeated, inducing);
  // Only the keys need to know which token came before.
  for (const { query, value } of paths) {
    assert.ok(Math.abs(query) < 1e-12 && Math.abs(value) < 1e-12);
  }
  assert.ok(paths[0].key > 0.5);
  assert.equal(paths[1].key, 0);
});

Deno.test("losses without a head are those that ablation finds", async () => {
  const clean = inductionSequences(model, { index: 0 });
  const targets = clean.targets.map((id, i) => i % T === T - 1 ? -100 : id);
  const { ablated } = await ablate(model, inputOf(model, clean), {
    metric: meanLoss(targets),
    cells: [0, 1].map((layer) => [{ at: `blocks.${layer}.attn.hook_z`, heads: [0] }]),
    substitute: {
      by: "mean",
      reference: [inputOf(model, inductionSequences(model, { index: 1 }))],
    },
  });
  const { alone } = await examineInduction(model);
  [alone[0], alone[2]].forEach(({ repeated }, i) =>
    assert.ok(Math.abs(repeated - ablated[i]) < 1e-9 * repeated)
  );
});

Deno.test("losses are divided where the tokens begin to repeat", () => {
  const batch = repeatedBatch({ batch: 2, sequence: 6, period: 2, vocabularySize: 9, seed: 3 });
  const next = nextTokens(batch);
  assert.deepEqual(
    Array.from(next).map((id) => id < 0),
    [5, 11].reduce(
      (all, end) => all.with(end, true),
      Array<boolean>(12).fill(false),
    ),
  );
  next.forEach((id, i) => id < 0 || assert.equal(id, batch.inputs[i + 1]));
  // Asked where something follows: 0 and 1 see new tokens come, 2 the first of the second time.
  const losses = meanLosses([5, 6, 7, 1, 2, 7, 8, 9, 3, 4], batch);
  assert.deepEqual(losses, { fresh: 7, repeated: 2.5, byPlace: [6, 7, 8, 2, 3] });
  batch.targets.forEach((id, i) => {
    if (i % 6 !== 5) assert.equal(id >= 0, i % 6 > 2, "the same places as in training");
  });
});

Deno.test("what is asked was never trained on, and cannot be asked of too short a context", () => {
  const { inputs, periods, shape } = inductionSequences(model, { batch: 3, firstId: 2 });
  assert.deepEqual([shape, periods], [[3, T], [10, 10, 10]]);
  for (let b = 0; b < 3; b++) {
    const row = Array.from(inputs.subarray(b * T, (b + 1) * T));
    assert.equal(new Set(row).size, 11);
    assert.ok(row[0] === 0 && row.slice(1).every((id) => id >= 2));
    assert.deepEqual(row.slice(1, 11), row.slice(11));
  }
  assert.throws(
    () => inductionSequences(model, { sequence: 4 }),
    new VitrailError(
      "Cannot look for induction in 4 tokens: wanted 5 at least, and no more than the model's " +
        "context of 21",
    ),
  );
});

Deno.test("a small model begins to learn, the same from the same seed", async () => {
  const train = () =>
    trainInductionModel(device, {
      vocabularySize: 13,
      sequence: 17,
      channels: 24,
      heads: 2,
      batch: 9,
      steps: 200,
      lookEvery: 87,
    });
  const { model, history } = await train();
  assert.deepEqual(history.steps, [87, 174, 200]);
  assert.deepEqual(history.heads.map(({ layer, head }) => [layer, head]), [[0, 0], [0, 1], [
    1,
    0,
  ], [1, 1]]);
  assert.ok(history.repeated[2] < Math.log(11) - 0.1, "it knows something of what it has seen");
  assert.ok(history.fresh[2] > Math.log(11), "and nothing of what it has not");
  const evidence = await examineInduction(model, { firstId: 2, batch: 8 });
  assert.deepEqual((await train()).history, history);
  assert.equal(evidence.scores.length, 4);
  await assert.rejects(
    () => trainInductionModel(device, { sequence: 15 }),
    new VitrailError("Cannot repeat anything in 15 tokens: wanted a sequence of 16 at least"),
  );
});

Deno.test("letters can be seen and told apart, and are as many as the model has places for", async () => {
  const tokenizer = await letterTokenizer();
  assert.equal(tokenizer.vocabularySize, 128);
  const letters = tokenizer.decode(Array.from({ length: 126 }, (_, i) => i + 2));
  assert.equal(new Set(letters).size, 126);
  assert.match(letters, /^[!-~À-ß]+$/);
});

Deno.test("a training that was stopped goes on from its checkpoint, to the same model and history", async () => {
  const folder = Deno.makeTempDirSync();
  const checkpoint = `${folder}/checkpoint.safetensors`;
  const options = {
    vocabularySize: 11,
    sequence: 16,
    channels: 16,
    heads: 2,
    batch: 2,
    steps: 23,
    lookEvery: 5,
    checkpoint,
  };
  const whole = await trainInductionModel(device, { ...options, checkpoint: undefined });
  // Once at a look, once between two, and once killed: the checkpoint is then that of the last look.
  const stop = new AbortController();
  const first = await trainInductionModel(device, {
    ...options,
    signal: stop.signal,
    onLook: (step) => step === 10 && stop.abort(),
  });
  assert.deepEqual([first.step, first.history.steps], [10, [5, 10]]);
  const killed = new Error("killed");
  await assert.rejects(
    trainInductionModel(device, {
      ...options,
      resume: true,
      onStart: (step) => assert.equal(step, 10),
      onLook: (step) => {
        if (step === 20) throw killed;
      },
    }),
    killed,
  );
  let begun = 0;
  const last = await trainInductionModel(device, {
    ...options,
    resume: true,
    onStart: (step) => begun = step,
  });
  assert.deepEqual([begun, last.step], [15, 23]);
  assert.deepEqual(last.history, whole.history);
  const [a, b] = [whole, last].map(({ model }) => device.read(...model.parameters));
  assert.deepEqual(await a, await b);
  await assert.rejects(trainInductionModel(device, { ...options, resume: true, seed: 5 }), {
    message:
      `Cannot go on from ${checkpoint} with --steps 23 --heads 2 --seed 5: it was begun with ` +
      "--steps 23 --heads 2 --seed 0, on which every step depends",
  });
  Deno.removeSync(folder, { recursive: true });
});
