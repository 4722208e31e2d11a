/** Generation: chunks, seeds, batches, stops, the cache beside no cache, and what is refused. @module */

import assert from "node:assert/strict";
import {
  createGptConfig,
  freshWeights,
  generate,
  type GenerateOptions,
  generateSequences,
  Gpt,
  openDevice,
  Run,
} from "../../mod.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const [V, T] = [197, 61];
const model = new Gpt(
  device,
  createGptConfig(
    { vocabularySize: V, contextLength: T, channels: 24, layers: 2, heads: 2 },
    // Wide weights, or all that an untrained model says is nearly as likely.
    { initializerRange: 0.5 },
  ),
  freshWeights(3),
);
const prompt = [5, 0, 196, 5, 77];

Deno.test("the size of the chunks that are read changes nothing", async () => {
  const options = { maxNewTokens: 29, seed: 7, topK: 40 };
  const [whole] = await generate(model, prompt, { ...options, chunk: 29 });
  assert.equal(whole.length, 29);
  for (const chunk of [1, 4, 16, 64]) {
    const [ids] = await generate(model, prompt, { ...options, chunk });
    assert.deepEqual(ids, whole, `chunks of ${chunk}`);
  }
});

Deno.test("a seed repeats itself, another seed and another sequence of a batch differ", async () => {
  const options = { maxNewTokens: 29, samples: 3 };
  const first = await generate(model, prompt, { ...options, seed: 1 });
  assert.deepEqual(await generate(model, prompt, { ...options, seed: 1 }), first);
  const other = await generate(model, prompt, { ...options, seed: 2 });
  const all = [...first, ...other].map((ids) => ids.join());
  assert.equal(new Set(all).size, 6);
});

Deno.test("greedy through the cache is the argmax of whole forward passes", async () => {
  const [found] = await generate(model, prompt, { maxNewTokens: 20, temperature: 0 });
  const ids = [...prompt];
  for (let step = 0; step < 20; step++) {
    using _scope = device.scope();
    const logits = await model.forward(new Run(device), model.ids(ids)).read();
    const last = logits.slice(-V);
    ids.push(last.indexOf(Math.max(...last)));
  }
  assert.deepEqual(found, ids.slice(prompt.length));
});

Deno.test("a sequence ends before a stop id, the others go on", async () => {
  const options = { maxNewTokens: 29, samples: 3, seed: 4, topK: 30 };
  const free = await generate(model, prompt, options);
  const stop = free[1][11];
  const stopped = await generate(model, prompt, { ...options, stopIds: [stop] });
  free.forEach((ids, s) => {
    const at = ids.indexOf(stop);
    assert.deepEqual(stopped[s], at < 0 ? ids : ids.slice(0, at), `sequence ${s}`);
  });
  assert.ok(stopped[1].length <= 11);
});

Deno.test("a text ends where the model's configuration says, unless other ids are given", async () => {
  const options = { maxNewTokens: 29, seed: 4, topK: 30 };
  const [free] = await generate(model, prompt, options);
  const config = model.config;
  try {
    for (const endOfTextId of [free[11], [196, free[17], free[11]]]) {
      Object.assign(config, { endOfTextId });
      const [ids] = await generate(model, prompt, options);
      assert.deepEqual(ids, free.slice(0, free.indexOf(free[11])));
      assert.deepEqual(await generate(model, prompt, { ...options, stopIds: [] }), [free]);
    }
  } finally {
    delete config.endOfTextId;
  }
});

Deno.test("several prompts in one pass give what each gives alone", async () => {
  // The longest fills the context: what is written behind the others goes beyond the end of its rows.
  const prompts = [prompt, [7], Array.from({ length: T - 3 }, (_, i) => (31 * i) % V), [3, 3, 3]];
  const ways: GenerateOptions[] = [
    { samples: 3, seed: 11, topK: 40, chunk: 7 },
    { temperature: 0 },
    { samples: 2, seed: 5, temperature: 1.3, topP: 0.9, repetitionPenalty: 1.2, noRepeatNgram: 2 },
    { beams: 3, samples: 2, lengthPenalty: 0.5, repetitionPenalty: 1.3, minNewTokens: 2 },
    { beams: 2, noRepeatNgram: 3, stopIds: [5, 77, 12], maxNewTokens: 3, earlyStopping: true },
  ];
  for (const options of ways) {
    const together = await generateSequences(model, prompts, options);
    for (const [p, alone] of prompts.entries()) {
      const [wanted] = await generateSequences(model, [alone], options);
      const label = `${JSON.stringify(options)}, prompt ${p}`;
      assert.deepEqual(together[p].map(({ ids }) => ids), wanted.map(({ ids }) => ids), label);
      assert.deepEqual(
        together[p].map(({ finishReason }) => finishReason),
        wanted.map(({ finishReason }) => finishReason),
        label,
      );
      together[p].forEach((own, s) => {
        assert.equal(own.logProbabilities.length, own.ids.length);
        // Rounded once more or less where more rows are multiplied at once: 3e-6 at most here.
        own.logProbabilities.forEach((value, i) =>
          assert.ok(Math.abs(value - wanted[s].logProbabilities[i]) < 3e-5, label)
        );
      });
    }
    const ids = await generate(model, prompts, options);
    assert.deepEqual(ids, together.map((own) => own.map((sequence) => sequence.ids)));
  }
  // As much as each prompt leaves room for, where nothing else is said.
  const lengths = (await generate(model, prompts, { seed: 1 })).map(([ids]) => ids.length);
  assert.deepEqual(lengths, prompts.map(({ length }) => T - length));
});

Deno.test("not even the first token of a prompt occurs twice where none may", async () => {
  const all = Array.from({ length: V }, (_, id) => [id]);
  const greedy = { temperature: 0, maxNewTokens: 1 };
  const free = await generate(model, all, greedy);
  const own = all.filter(([id]) => free[id][0][0] === id);
  assert.ok(own.length > 0, "some token is followed by itself");
  const found = await generate(model, own, { ...greedy, noRepeatNgram: 1 });
  found.forEach(([[id]], i) => assert.notEqual(id, own[i][0]));
});

Deno.test("probabilities are those of whole forward passes, whatever the tokens were drawn by", async () => {
  const options = { maxNewTokens: 9, seed: 3, temperature: 0.7, topK: 20, repetitionPenalty: 1.4 };
  const [[{ ids, logProbabilities, logProbability }]] = await generateSequences(
    model,
    [prompt],
    options,
  );
  using _scope = device.scope();
  const logits = await model.forward(new Run(device), model.ids([...prompt, ...ids])).read();
  let sum = 0;
  ids.forEach((id, i) => {
    const at = (prompt.length - 1 + i) * V;
    const row = logits.subarray(at, at + V);
    const wanted = row[id] - Math.log(Array.from(row, Math.exp).reduce((all, one) => all + one));
    // 1.4e-6 at most here.
    assert.ok(Math.abs(logProbabilities[i] - wanted) < 1.4e-5);
    sum += logProbabilities[i];
  });
  assert.equal(logProbability, sum);
  assert.deepEqual(await generate(model, prompt, options), [ids]);
});

Deno.test("a sequence ends behind as many of its tokens as its hearer says", async () => {
  const [free] = await generate(model, prompt, { maxNewTokens: 29, seed: 9 });
  const [found] = await generate(model, prompt, {
    maxNewTokens: 29,
    seed: 9,
    onTokens: (_, ids) => ids.includes(free[10]) ? ids.indexOf(free[10]) + 1 : false,
  });
  assert.deepEqual(found, free.slice(0, free.indexOf(free[10]) + 1));
});

Deno.test("tokens are told as they come, and who hears them may end a sequence", async () => {
  const options = { maxNewTokens: 29, samples: 2, seed: 9, chunk: 8 };
  const free = await generate(model, prompt, options);
  const told: number[][] = [[], []];
  const found = await generate(model, prompt, {
    ...options,
    onTokens: (sequence, ids) => {
      told[sequence].push(...ids);
      return sequence === 0 && told[0].length >= 8;
    },
  });
  assert.deepEqual(told, [free[0].slice(0, 8), free[1]]);
  assert.deepEqual(found, told);
});

Deno.test("no tokens asked for are none; the last place of the context is used", async () => {
  assert.deepEqual(await generate(model, prompt, { maxNewTokens: 0 }), [[]]);
  const [ids] = await generate(model, prompt, { maxNewTokens: T - prompt.length });
  assert.equal(ids.length, T - prompt.length);
});

Deno.test("what was written ahead of an end is never told", async () => {
  const options = { maxNewTokens: 56, samples: 2, seed: 4, topK: 30 };
  const free = await generate(model, prompt, options);
  for (const chunk of [1, 2, 5]) {
    const told: number[][] = [[], []];
    const found = await generate(model, prompt, {
      ...options,
      chunk,
      onTokens: (sequence, ids) => {
        told[sequence].push(...ids);
        return told[sequence].length >= [3, 11][sequence];
      },
    });
    const ends = [3, 11].map((n) => chunk * Math.ceil(n / chunk));
    assert.deepEqual(found, free.map((ids, s) => ids.slice(0, ends[s])), `chunks of ${chunk}`);
    assert.deepEqual(told, found);
  }
});

Deno.test("two generations at once do not disturb each other", async () => {
  const options = { maxNewTokens: 29, samples: 2, chunk: 3 };
  const apart = [await generate(model, prompt, { ...options, seed: 1 })];
  apart.push(await generate(model, [7], { ...options, seed: 2 }));
  const together = await Promise.all([
    generate(model, prompt, { ...options, seed: 1 }),
    generate(model, [7], { ...options, seed: 2 }),
  ]);
  assert.deepEqual(together, apart);
});

Deno.test("nothing stays behind on the device, however it ends", async () => {
  const held = () => [
    device.pool.memory.liveBuffers,
    device.pool.memory.liveBytes,
    device.textures.bytes,
  ];
  await generate(model, prompt, { maxNewTokens: 9, samples: 3 });
  const before = held();
  await generate(model, prompt, { maxNewTokens: 9, samples: 3 });
  assert.deepEqual(held(), before);
  await assert.rejects(generate(model, [V], { maxNewTokens: 9 }));
  assert.deepEqual(held(), before);
  await generate(model, prompt, { maxNewTokens: 56, chunk: 2, onTokens: () => true });
  assert.deepEqual(held(), before);
  const told = new Error("told");
  const failing = generate(model, prompt, {
    maxNewTokens: 56,
    chunk: 2,
    onTokens: () => {
      throw told;
    },
  });
  await assert.rejects(failing, told);
  assert.deepEqual(held(), before);
  await device.finish();
});

Deno.test("what cannot be generated is said", async () => {
  const refused: [number[] | number[][], GenerateOptions, string][] = [
    [[], {}, "Cannot continue an empty prompt: give at least one token"],
    [
      prompt,
      { maxNewTokens: 57 },
      "Cannot write 57 tokens after a prompt of 5: the model's context is 61; " +
      "ask for 56 at most, or shorten the prompt",
    ],
    [
      [3, 197],
      { maxNewTokens: 2 },
      "Cannot embed token id 197 at position 1: a vocabulary of 197 has ids 0 to 196",
    ],
    [
      prompt,
      { maxNewTokens: 2, temperature: -1 },
      "Cannot sample with temperature -1: wanted 0 (greedy) or more",
    ],
    [
      prompt,
      { maxNewTokens: 2, topK: 1.5 },
      "Cannot sample with top-k 1.5: wanted a whole number, 0 for all",
    ],
    [
      prompt,
      { maxNewTokens: 2, topP: 0 },
      "Cannot sample with top-p 0: wanted more than 0 and at most 1",
    ],
    [prompt, { maxNewTokens: 2, minP: 2 }, "Cannot sample with min-p 2: wanted 0 to 1"],
    [
      prompt,
      { maxNewTokens: 2, repetitionPenalty: 0 },
      "Cannot sample with repetition penalty 0: wanted more than 0",
    ],
  ];
  const whole = (name: string, value: number, least: number): string =>
    `Cannot generate with ${name} ${value}: wanted a whole number from ${least}`;
  for (const value of [-3, 1.5, NaN, Infinity]) {
    refused.push(
      [prompt, { maxNewTokens: value }, whole("tokens to add", value, 0)],
      [prompt, { minNewTokens: value }, whole("tokens to add at least", value, 0)],
      [prompt, { noRepeatNgram: value }, whole("tokens that must not repeat", value, 0)],
      [prompt, { samples: value }, whole("samples", value, 1)],
      [prompt, { beams: value }, whole("beams", value, 1)],
      [prompt, { chunk: value }, whole("tokens between two reads", value, 1)],
      [prompt, { stopIds: [3, value] }, whole("a stop id", value, 0)],
      [
        prompt,
        { seed: value },
        `Cannot sample with seed ${value}: wanted a whole number to 4294967295`,
      ],
    );
  }
  const beams =
    "Cannot search 3 beams and draw at random: leave out temperature, top-k, top-p and min-p";
  refused.push(
    [
      prompt,
      { seed: 2 ** 32 },
      "Cannot sample with seed 4294967296: wanted a whole number to 4294967295",
    ],
    [prompt, { temperature: NaN }, "Cannot sample with temperature NaN: wanted 0 (greedy) or more"],
    [prompt, { topP: NaN }, "Cannot sample with top-p NaN: wanted more than 0 and at most 1"],
    [
      prompt,
      { repetitionPenalty: 1e-40 },
      "Cannot sample with repetition penalty 1e-40: wanted 0.000001 to 1000000",
    ],
    [
      prompt,
      { lengthPenalty: NaN },
      "Cannot generate with a length penalty NaN: wanted a finite number",
    ],
    [prompt, { beams: 3, temperature: 0.5 }, beams],
    [prompt, { beams: 3, topK: 5 }, beams],
    [
      prompt,
      { beams: 2, samples: 3 },
      "Cannot give the best 3 of 2 beams: wanted as many beams at least",
    ],
    [
      prompt,
      { beams: 99 },
      "Cannot search 99 beams in a vocabulary of 197: 198 tokens are kept of each; ask for fewer beams",
    ],
    [
      prompt,
      { minNewTokens: 9, maxNewTokens: 4 },
      "Cannot write 9 tokens at least: 4 are written at most; ask for fewer, or shorten the prompt",
    ],
    [[prompt, []], {}, "Cannot continue prompt 2: it is empty; give at least one token"],
    [
      [[3], prompt],
      { maxNewTokens: 57 },
      "Cannot write 57 tokens after prompt 2, of 5: the model's context is 61; ask for 56 at most, or shorten the prompt",
    ],
  );
  for (const [ids, options, message] of refused) {
    const given = ids as number[];
    await assert.rejects(generate(model, given, options), { name: "VitrailError", message });
  }
  // What is too small for f32 is greedy, and what is beyond the vocabulary is all of it.
  const options = { maxNewTokens: 9, seed: 3 };
  assert.deepEqual(
    await generate(model, prompt, { ...options, temperature: 1e-40 }),
    await generate(model, prompt, { ...options, temperature: 0 }),
  );
  assert.deepEqual(
    await generate(model, prompt, { ...options, topK: 2 ** 32 + 1 }),
    await generate(model, prompt, options),
  );
});
