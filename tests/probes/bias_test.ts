/**
 * Association tests against NumPy and by hand, and scores of sentences against passes one at a time.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  Bert,
  createBertConfig,
  createGptConfig,
  Gpt,
  modelLogits,
  openDevice,
  ProbeSubject,
  Run,
  trainBytePairTokenizer,
  trainWordPieceTokenizer,
} from "../../mod.ts";
import { effectSize, permutationTest, signFlipTest } from "../../src/probes/bias/permutation.ts";
import { commonPlaces, sentencePreference } from "../../src/probes/bias/sentence_pairs.ts";
import { templateAssociation } from "../../src/probes/bias/templates.ts";
import { associationOf, embeddingAssociation, wordVectors } from "../../src/probes/bias/weat.ts";
import { parseTests, TEMPLATE_TESTS, WEAT_TESTS } from "../../src/probes/bias/word_sets.ts";

const fixture = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/bias/association.json", import.meta.url)),
);
const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const close = (found: number, wanted: number, bound: number, label = "") =>
  assert.ok(Math.abs(found - wanted) <= bound, `${label}: ${found}, wanted ${wanted}`);

Deno.test("effect size and p are those of NumPy, by brute force", () => {
  for (const { name, vectors, scores, effect, p, permutations } of fixture.tests) {
    const known = new Map<string, { vector: Float64Array; pieces: number }>();
    const set = (key: string) => ({
      name: key,
      words: vectors[key].map((vector: number[], i: number) => {
        known.set(`${key}${i}`, { vector: Float64Array.from(vector), pieces: 1 });
        return `${key}${i}`;
      }),
    });
    const targets = [set("x"), set("y")];
    const attributes = [set("a"), set("b")];
    const found = associationOf({ name, targets, attributes }, known);
    close(found.effect, effect, 1e-12, name);
    found.scores.forEach(({ score }, i) => close(score, scores[i], 1e-12, name));
    assert.deepEqual([found.permutations, found.exact], [permutations, true]);
    close(found.p, p, 1e-12, name);
    // Drawn ways come near it.
    const [x, y] = [vectors.x.length, scores.length];
    const drawn = permutationTest(scores.slice(0, x), scores.slice(x, y), { most: 20, seed: 3 });
    assert.equal(drawn.exact, false);
    const many = permutationTest(scores.slice(0, x), scores.slice(x, y), {
      most: permutations - 1,
    });
    close(many.p, p, 0.12, `${name}, drawn`);
    assert.deepEqual(
      many,
      permutationTest(scores.slice(0, x), scores.slice(x, y), { most: permutations - 1 }),
    );
  }
  close(signFlipTest(fixture.flips.differences).p, fixture.flips.p, 1e-12, "flips");
  close(signFlipTest(fixture.flips.differences, { most: 400 }).p, fixture.flips.p, 0.08, "flips");
});

Deno.test("by hand: two numbers against two", () => {
  // Of the six ways to choose two of 1, 2, 0, 1, two have a sum of 3 or more.
  close(permutationTest([1, 2], [0, 1]).p, 2 / 6, 1e-15);
  close(effectSize([1, 2], [0, 1]), 1 / Math.sqrt(2 / 3), 1e-15);
  // Of the four ways to give 3 and 1 a sign, one has a sum of 4 or more, and three one of -2 or more.
  close(signFlipTest([3, 1]).p, 1 / 4, 1e-15);
  close(signFlipTest([-3, 1]).p, 3 / 4, 1e-15);
  assert.throws(() => effectSize([], [1]), /groups of 0 and 1 numbers/);
});

const WORDS =
  "he likes math . she likes poetry . the man likes numbers and the woman likes dance . ";
const size = { contextLength: 29, channels: 36, layers: 1, heads: 3 };
const wordPieces = await trainWordPieceTokenizer([WORDS.repeat(4)], { vocabularySize: 61 });
const bert = new ProbeSubject(
  new Bert(
    device,
    createBertConfig({ vocabularySize: wordPieces.vocabularySize, ...size }, {
      initializerRange: 0.3,
    }),
    { heads: { kind: "masked-language" } },
  ),
  wordPieces,
);
const bytePairs = await trainBytePairTokenizer([WORDS.repeat(4)], { vocabularySize: 290 });
const gpt = new ProbeSubject(
  new Gpt(device, {
    ...createGptConfig({ vocabularySize: bytePairs.vocabularySize, ...size }),
    initializerRange: 0.3,
  }),
  bytePairs,
);

Deno.test("a word is the mean of the embeddings of its tokens; a GPT's begins with a space", async () => {
  for (
    const { model, tokenizer, word, ids } of [
      {
        ...bert,
        model: bert.model,
        tokenizer: wordPieces,
        word: "maths",
        ids: wordPieces.encode("maths"),
      },
      {
        ...gpt,
        model: gpt.model,
        tokenizer: bytePairs,
        word: "poem",
        ids: bytePairs.encode(" poem"),
      },
    ]
  ) {
    assert.ok(ids.length > 1);
    const subject = model === bert.model ? bert : gpt;
    assert.equal(subject.tokenizer, tokenizer);
    const name = /wte|word_embeddings/;
    const table = await model.parameters.find((p) => name.test(p.name))!.read() as Float32Array;
    const found = (await wordVectors(subject, [word, "math"])).get(word)!;
    assert.equal(found.pieces, ids.length);
    found.vector.forEach((v, c) => {
      let sum = 0;
      for (const id of ids) sum += table[id * 36 + c];
      close(v, sum / ids.length, 1e-7);
    });
  }
});

Deno.test("words that the vocabulary lacks are dropped and named; a set that is lost is an error", async () => {
  const sets = (...words: string[][]) => words.map((own, i) => ({ name: `set ${i}`, words: own }));
  const test = {
    name: "small",
    targets: sets(["he", "Ω"], ["she"]),
    attributes: sets(["math"], ["poetry", "ж"]),
  };
  const found = await embeddingAssociation(bert, test);
  assert.deepEqual(found.dropped, ["Ω", "ж"]);
  assert.deepEqual(found.scores.map(({ word }) => word), ["he", "she"]);
  await assert.rejects(
    embeddingAssociation(bert, { ...test, targets: sets(["Ω"], ["she"]) }),
    /Cannot run small: the vocabulary knows none of the 1 words of set 0/,
  );
});

/** ln of a softmax over one row, in float64. */
function logSoftmax(row: Float32Array): number[] {
  const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = row.reduce((total, v) => total + Math.exp(v - most), 0);
  return Array.from(row, (v) => v - most - Math.log(sum));
}

/** ln P of all tokens at a place of one sentence, in a pass of its own. */
async function alone(subject: ProbeSubject, ids: Uint32Array, place: number): Promise<number[]> {
  using _scope = device.scope();
  const { model } = subject;
  const input = { ids: model.ids(ids, [1, ids.length]) };
  const logits = await modelLogits(new Run(device), model, input).read() as Float32Array;
  const V = model.config.vocabularySize;
  return logSoftmax(logits.subarray(place * V, (place + 1) * V));
}

Deno.test("templates: ln P(target | attribute) less ln P(target), sentence by sentence", async () => {
  const templates = ["[TARGET] likes [ATTRIBUTE] .", "the [ATTRIBUTE] and [TARGET]"];
  const targets = [["he", "man"], ["she", "woman"]].map((words) => ({ name: words[0], words }));
  const attributes = [["math", "numbers"], ["poetry", "maths", "Ω"]].map((words) => ({
    name: words[0],
    words,
  }));
  const found = await templateAssociation(bert, { name: "t", templates, targets, attributes });
  // Of several tokens, and of none.
  assert.deepEqual(found.dropped, ["woman", "Ω"]);
  const id = (word: string) => wordPieces.tokenToId(word)!;
  for (const { word, score } of found.scores) {
    let [sum, count] = [0, 0];
    const masks = [...wordPieces.encode(word)].map(() => "[MASK]").join(" ");
    for (const template of templates) {
      const means = [];
      for (const said of [word, masks]) {
        const ids =
          bert.encode(template.replace("[TARGET]", "[MASK]").replace("[ATTRIBUTE]", said)).ids;
        const place = template.startsWith("[TARGET]")
          ? ids.indexOf(id("[MASK]"))
          : ids.lastIndexOf(id("[MASK]"));
        const logs = await alone(bert, ids, place);
        means.push((logs[id("he")] + logs[id("man")]) / 2 - logs[id("she")]);
      }
      sum += means[0] - means[1];
      count++;
    }
    close(score, sum / count, 2e-5, word);
  }
  const scores = found.scores.map(({ score }) => score);
  close(found.effect, effectSize(scores.slice(0, 2), scores.slice(2)), 1e-12);
  await assert.rejects(
    templateAssociation(gpt, { name: "t", templates, targets, attributes }),
    /Cannot run t: the model guesses no masked tokens/,
  );
});

Deno.test("pairs: a GPT's sum is its loss, a BERT's that of shared tokens masked one by one", async () => {
  const pairs = [
    { first: "he likes math .", second: "she likes math ." },
    { first: "the woman likes dance", second: "the man and she likes dance" },
  ];
  const ofGpt = await sentencePreference(gpt, pairs);
  for (const { first, second, scores } of ofGpt.pairs) {
    for (const [i, text] of [first, second].entries()) {
      using _scope = device.scope();
      const { ids } = gpt.encode(text);
      const targets = device.upload(Int32Array.from([...ids.subarray(1), -100]), [1, ids.length]);
      const { result } = (gpt.model as Gpt).loss(new Run(device), gpt.model.ids(ids), { targets });
      const [loss, count] = await result.read();
      close(scores[i], -loss * count, 1e-4, text);
    }
  }
  const ofBert = await sentencePreference(bert, pairs);
  const maskId = wordPieces.tokenToId("[MASK]")!;
  for (const { first, second, scores } of ofBert.pairs) {
    const [a, b] = [first, second].map((text) => bert.encode(text).ids);
    const places = commonPlaces(a, b);
    for (const [i, ids] of [a, b].entries()) {
      let sum = 0;
      for (const both of places) {
        const masked = ids.map((id, place) => place === both[i] ? maskId : id);
        sum += (await alone(bert, masked, both[i]))[ids[both[i]]];
      }
      close(scores[i], sum, 1e-4);
    }
    assert.equal(a.length > places.length + 2, true);
  }
  const differences = ofBert.pairs.map(({ scores: [a, b] }) => a - b);
  assert.equal(ofBert.share, differences.filter((d) => d > 0).length / 2);
  assert.equal(ofBert.p, signFlipTest(differences).p);
  await assert.rejects(sentencePreference(gpt, []), /there is no pair/);
});

Deno.test("what sentences share, in order, without their ends", () => {
  assert.deepEqual(commonPlaces([1, 5, 6, 7, 2], [1, 9, 6, 8, 7, 2]), [[2, 2], [3, 4]]);
  assert.deepEqual(commonPlaces([1, 5, 2], [1, 6, 2]), []);
});

Deno.test("the papers' sets are whole, and a user's own are checked", () => {
  assert.deepEqual(
    WEAT_TESTS.map(({ name }) => name),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => `WEAT ${n}`),
  );
  const sizes = WEAT_TESTS.map(({ targets: [x, y], attributes: [a, b] }) =>
    [x, y, a, b].map(({ words }) => new Set(words).size).join(" ")
  );
  // N_T and N_A of the paper's table 1.
  assert.deepEqual(sizes, [
    "25 25 25 25",
    "25 25 25 25",
    "32 32 25 25",
    "16 16 25 25",
    "16 16 8 8",
    "8 8 8 8",
    "8 8 8 8",
    "8 8 8 8",
    "6 6 7 7",
    "8 8 8 8",
  ]);
  assert.deepEqual(parseTests({ tests: WEAT_TESTS }, "x", false), WEAT_TESTS);
  assert.deepEqual(parseTests({ tests: TEMPLATE_TESTS }, "x", true), TEMPLATE_TESTS);
  assert.throws(
    () => parseTests({ tests: WEAT_TESTS }, "a.json", true),
    /a\.json: tests\[0\]\.templates/,
  );
  assert.throws(() => parseTests([], "a.json", false), /tests is not a list/);
  const bad = { tests: [{ name: "n", targets: [{ name: "x", words: [] }], attributes: [] }] };
  assert.throws(() => parseTests(bad, "a.json", false), /tests\[0\]\.targets is not two sets/);
});
