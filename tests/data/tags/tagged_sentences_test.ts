/** Tagged sentences: columns, JSONL, Brown's mapping, documents on one side only. @module */

import assert from "node:assert/strict";
import { universalTag } from "../../../src/data/tags/brown_tags.ts";
import { holdOut } from "../../../src/data/hold_out.ts";
import { mostFrequentTags } from "../../../src/data/tags/tag_baseline.ts";
import {
  readTaggedSentences,
  type TaggedSentence,
  type TaggedSentenceOptions,
  tagsOf,
} from "../../../src/data/tags/tagged_sentences.ts";

/** Reads a file of this name with this text. */
async function read(name: string, text: string, options?: TaggedSentenceOptions) {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${folder}/${name}`, text);
    return await readTaggedSentences(`${folder}/${name}`, options);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const words = (sentences: TaggedSentence[]) =>
  sentences.map(({ tokens, tags }) => tokens.map((token, i) => `${token}/${tags[i]}`).join(" "));

async function refused(name: string, text: string, message: RegExp) {
  await assert.rejects(read(name, text), { name: "VitrailError", message });
}

Deno.test("columns: first is the word and last the tag; a blank line ends a sentence", async () => {
  const found = await read("a.conll", "EU NNP B-ORG\r\nrejects VBZ O\r\n\r\n \nPeter NNP B-PER");
  assert.deepEqual(words(found), ["EU/B-ORG rejects/O", "Peter/B-PER"]);
  // Without documents, every sentence is one of its own.
  assert.notEqual(found[0].group, found[1].group);
});

Deno.test("columns may be named, from either end", async () => {
  const text = "0\tEU\tNNP\tB-ORG\n1\tNew York\tNNP\tI-ORG\n";
  const found = await read("a.tsv", text, { tokenColumn: 2, tagColumn: -2 });
  assert.deepEqual(found[0].tokens, ["EU", "New York"]);
  assert.deepEqual(found[0].tags, ["NNP", "NNP"]);
});

Deno.test("a line that begins with # is a comment only where columns have tabs", async () => {
  assert.deepEqual(words(await read("a.txt", "# SYM\n5 NUM\n")), ["#/SYM 5/NUM"]);
  assert.deepEqual(words(await read("a.txt", "# text = 5\n#\tSYM\n5\tNUM\n")), ["#/SYM 5/NUM"]);
});

Deno.test("CoNLL-U: forms and universal tags; ranges and empty nodes are left out", async () => {
  const row = (...cells: string[]) => [...cells, ...Array(10 - cells.length).fill("_")].join("\t");
  const text = [
    "# newdoc id = a",
    "# text = Vámonos",
    row("1-2", "Vámonos"),
    row("1", "Vamos", "ir", "VERB"),
    row("2", "nos", "nosotros", "PRON"),
    row("2.1", "mar", "mar", "NOUN"),
    "",
    row("1", "Ya", "ya", "ADV"),
    "",
    "# newdoc id = b",
    row("1", "No", "no", "ADV"),
  ].join("\n");
  const found = await read("a.conllu", text);
  assert.deepEqual(words(found), ["Vamos/VERB nos/PRON", "Ya/ADV", "No/ADV"]);
  assert.equal(found[0].group, found[1].group);
  assert.notEqual(found[1].group, found[2].group);
});

Deno.test("-DOCSTART- begins a document and is no sentence", async () => {
  const start = "-DOCSTART- -X- O\n\n";
  const found = await read("a", `${start}A DT O\n\nB NN O\n\n${start}C NN O\n`);
  assert.deepEqual(words(found), ["A/O", "B/O", "C/O"]);
  assert.deepEqual(new Set(found.map(({ group }) => group)).size, 2);
});

Deno.test("JSON lines: tokens and tags; a record may name its document", async () => {
  const text = '{"tokens":["a b","c"],"tags":["X","Y"],"document":"d"}\n\n' +
    '{"tokens":["e"],"tags":["X"],"document":"d"}\n';
  const found = await read("a.jsonl", text);
  assert.deepEqual(found.map(({ tokens }) => tokens), [["a b", "c"], ["e"]]);
  assert.deepEqual(found.map(({ group }) => group), ["d", "d"]);
});

Deno.test("a folder: each of its files is a document", async () => {
  const folder = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${folder}/a.conll`, "A X\n\nB Y\n");
  Deno.writeTextFileSync(`${folder}/b.conll`, "A X\n");
  const groups = (await readTaggedSentences(folder)).map(({ group }) => group);
  assert.ok(groups[0] === groups[1] && groups[1] !== groups[2], groups.join());
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("what is broken is told with its line", async () => {
  await refused("a.conll", "A X\n\nB Y Z\n", /a\.conll: line 3 has 3 columns, wanted 2/);
  await refused("a.conll", "A X\nB\n", /line 2 has 1 column, wanted 2/);
  await refused("a.conll", "A\nB\n", /line 1 has 1 column, wanted a word and its tag/);
  await refused("a.tsv", "A\t\n", /line 1 has no word in column -1 of 2/);
  await refused("a.conll", "\n\n", /it holds no sentence/);
  await refused("a.jsonl", '{"tokens":["a"],"tags":["X","Y"]}', /line 1 has 1 tokens and 2 tags/);
  await refused("a.jsonl", '{"tokens":["a",""],"tags":["X","Y"]}', /line 1 has the tokens/);
  await refused("a.jsonl", '{"tokens":["a"],"tags":[1]}', /line 1 has the tags \[1\]/);
  await refused("a.jsonl", '{"tokens":[],"tags":[]}', /line 1 has no tokens/);
  await refused("a.jsonl", "a b", /line 1 is not JSON/);
  await assert.rejects(read("a", "A X\n", { tagColumn: 3 }), /no word in column 3 of 2/);
  await assert.rejects(readTaggedSentences("moby-dick"), /Cannot take tags from moby-dick/);
  assert.throws(() => tagsOf([{ id: "", group: "", tokens: ["a", "b"], tags: ["X", "X"] }]), {
    message: /every word has the tag "X"/,
  });
});

Deno.test("Brown's tags become universal ones", () => {
  const wanted = {
    "nn-tl": "NOUN",
    "fw-at-tl": "X",
    "bedz*": "VERB",
    "*": "ADV",
    "pps+bez-nc": "PRT",
    "vb+ppo": "VERB",
    "--": ".",
    "---hl": ".",
    ".-hl": ".",
    "(-hl": ".",
    "ppss+ber-n": "PRT",
    "wdt+do+pps": "X",
    "jjr+cs": "ADJ",
    "rb$": "PRT",
    "rb": "ADV",
  };
  for (const [brown, universal] of Object.entries(wanted)) {
    assert.equal(universalTag(brown), universal, brown);
  }
  for (const none of ["", "zz", "nn+zz", "nn-xx"]) assert.equal(universalTag(none), undefined);
});

Deno.test("Brown has as many words of each universal tag as NLTK's reader gives it", async () => {
  const counts: Record<string, number> = {};
  const sentences = await readTaggedSentences("brown");
  for (const { tags } of sentences) for (const tag of tags) counts[tag] = (counts[tag] ?? 0) + 1;
  assert.deepEqual(counts, {
    ".": 147565,
    ADJ: 83721,
    ADP: 144766,
    ADV: 56239,
    CONJ: 38151,
    DET: 137019,
    NOUN: 275558,
    NUM: 14874,
    PRON: 49334,
    PRT: 29829,
    VERB: 182750,
    X: 1386,
  });
  assert.equal(words(sentences)[0].slice(0, 38), "The/DET Fulton/NOUN County/NOUN Grand/");
});

Deno.test("documents are whole on one side, and no side is empty", async () => {
  const examples = Array.from({ length: 40 }, (_, i) => ({ group: `text ${i >> 1}`, i }));
  for (const fraction of [0.001, 0.3, 0.9]) {
    const { train, validation } = await holdOut(examples, fraction);
    assert.equal(train.length + validation.length, 40);
    assert.ok(train.length > 0 && validation.length > 0, `${fraction}`);
    const groups = new Set(train.map(({ group }) => group));
    assert.ok(validation.every(({ group }) => !groups.has(group)), `${fraction}`);
  }
  assert.equal((await holdOut(examples, 0)).train.length, 40);
  await assert.rejects(holdOut(examples.slice(0, 2), 0.1), /all 2 are from one document/);
});

Deno.test("the most frequent tag of each word, and of all for a new one", () => {
  const sentence = (text: string, tags: string) => ({
    id: "",
    group: "",
    tokens: text.split(" "),
    tags: tags.split(" "),
  });
  const train = [sentence("The run runs", "D N V"), sentence("run The run dog", "V D N N")];
  const [found] = mostFrequentTags(train, [sentence("THE run walks", "D N V")]);
  assert.deepEqual(found, ["D", "N", "N"]);
});
