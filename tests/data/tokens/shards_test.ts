/**
 * Tokens on disk: shards, the split, windows, and what is left after a fault.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Document } from "../../../src/data/sources/documents.ts";
import {
  type Encoder,
  isDataset,
  openDataset,
  tokenizeCorpus,
} from "../../../src/data/tokens/shards.ts";
import { ShardWriter } from "../../../src/data/tokens/token_stream.ts";
import { folder, rejects } from "../files.ts";

/** One id a character; the ids of a wide one need four bytes each. */
const encoder = (wide = false): Encoder => ({
  vocabularySize: wide ? 0x11_0000 : 1 << 16,
  endOfText: 7,
  encode: (text) => Uint32Array.from(text, (character) => character.codePointAt(0)!),
});

async function* stream(texts: string[], group?: (n: number) => string): AsyncGenerator<Document> {
  for (const [n, text] of texts.entries()) yield { id: String(n), text, group: group?.(n) };
}

/** `count` texts of different lengths, each with words of its own. */
const texts = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `document ${n} ${"wörd ".repeat(n % 29)}end ${n}\n`);

/** All ids of a side as text. */
function contents(directory: string, side: "train" | "validation"): string {
  using tokens = openDataset(directory).open(side);
  return String.fromCodePoint(...tokens.read(0, tokens.length));
}

const END = "\x07";

for (const wide of [false, true]) {
  Deno.test(`shards of ${wide ? 4 : 2} bytes read as one row, across files too`, async () => {
    using files = folder();
    const directory = files.at("tokens");
    const index = await tokenizeCorpus(stream(texts(197)), encoder(wide), {
      directory,
      shardTokens: 1000,
    });
    assert.equal(index.bytesPerToken, wide ? 4 : 2);
    assert.ok(index.train.shards.length > 5, "the text is larger than one shard");
    assert.ok(index.train.shards.slice(0, -1).every(({ tokens }) => tokens === 1000));
    const all = contents(directory, "train");
    assert.equal(all.length, index.train.tokens);
    using tokens = openDataset(directory).open("train");
    for (const [offset, count] of [[0, 29], [990, 29], [999, 2], [1000, 1], [1, 3197], [990, 10]]) {
      const read = String.fromCodePoint(...tokens.read(offset, count));
      assert.equal(read, all.slice(offset, offset + count), `${offset} ${count}`);
    }
    assert.throws(() => tokens.read(tokens.length - 1, 2), /the stream holds/);
    const both = (all + contents(directory, "validation")).split(END).filter((text) => text !== "");
    assert.deepEqual(both.toSorted(), texts(197).toSorted());
    const bytes = new TextEncoder().encode(texts(197).join("")).length;
    assert.equal(index.train.bytes + index.validation.bytes, bytes);
    assert.equal(index.train.documents + index.validation.documents, 197);
  });
}

Deno.test("copies of a document and the parts of a file stay on one side", async () => {
  using files = folder();
  const twice = [...texts(197), ...texts(197).reverse()];
  await tokenizeCorpus(stream(twice), encoder(), {
    directory: files.path,
    validationFraction: 0.3,
  });
  const side = (name: "train" | "validation") =>
    contents(files.path, name).split(END).filter((text) => text !== "");
  const [trained, heldOut] = [new Set(side("train")), new Set(side("validation"))];
  assert.equal(trained.size + heldOut.size, 197);
  assert.deepEqual([...heldOut].filter((text) => trained.has(text)), []);
  // About three in ten: the hash is a fair coin, so within four standard deviations.
  const spread = 4 * Math.sqrt(197 * 0.3 * 0.7);
  assert.ok(Math.abs(heldOut.size - 197 * 0.3) < spread, `${heldOut.size} held out`);

  await tokenizeCorpus(stream(texts(197), (n) => `file ${n % 12}`), encoder(), {
    directory: files.path,
    validationFraction: 0.3,
  });
  const groups = (name: "train" | "validation") =>
    new Set(side(name).map((text) => Number(text.match(/document (\d+)/)![1]) % 12));
  const [a, b] = [groups("train"), groups("validation")];
  assert.equal(a.size + b.size, 12);
  assert.ok(a.size > 0 && b.size > 0);
});

Deno.test("one document is cut, none are lost, and no side is empty but on demand", async () => {
  using files = folder();
  const text = `${"first part. ".repeat(29)}\n\n${"second part. ".repeat(29)}\n\nthe tail`;
  for (const fraction of [0.01, 0.1, 0.5, 0.9]) {
    await tokenizeCorpus(stream([text]), encoder(), {
      directory: files.path,
      validationFraction: fraction,
    });
    const [head, tail] = [contents(files.path, "train"), contents(files.path, "validation")];
    assert.equal(head.slice(0, -1) + tail.slice(0, -1), text);
    assert.ok(head.length > 1 && tail.length > 1);
  }
  await tokenizeCorpus(stream(texts(29)), encoder(), {
    directory: files.path,
    validationFraction: 0,
  });
  assert.equal(contents(files.path, "validation"), "");
  assert.equal(contents(files.path, "train"), texts(29).map((text) => text + END).join(""));
});

Deno.test("no more than a document is held, however long the text", async () => {
  using files = folder();
  let alive = 0;
  async function* endless(): AsyncGenerator<Document> {
    for (let n = 0; n < 3000; n++) {
      alive++;
      yield { id: String(n), text: `${n} ` + "x".repeat(10_000) };
    }
  }
  let most = 0;
  await tokenizeCorpus(endless(), encoder(), {
    directory: files.path,
    onProgress: ({ documents }) => most = Math.max(most, alive - documents),
  });
  assert.ok(most <= 1, `${most} documents were waiting`);
});

Deno.test("a fault leaves the older dataset whole, and nothing else behind", async () => {
  using files = folder({ "notes.txt": "mine", "train.bin": "mine too" });
  const names = () => Array.from(Deno.readDirSync(files.path), ({ name }) => name).sort();
  await tokenizeCorpus(stream(texts(29)), encoder(), { directory: files.path, shardTokens: 197 });
  const [before, train] = [names(), contents(files.path, "train")];
  async function* failing(): AsyncGenerator<Document> {
    yield* stream(texts(197));
    throw new Error("the cable was pulled");
  }
  await assert.rejects(
    tokenizeCorpus(failing(), encoder(), { directory: files.path, shardTokens: 197 }),
    /the cable/,
  );
  assert.deepEqual(names(), before);
  assert.equal(contents(files.path, "train"), train);
  await rejects(
    tokenizeCorpus(stream([]), encoder(), { directory: files.path }),
    /Cannot tokenize an empty corpus: give at least one text/,
  );
  assert.deepEqual(names(), before);
  await tokenizeCorpus(stream(texts(12)), encoder(), { directory: files.path });
  assert.deepEqual(names().filter((name) => !name.endsWith(".bin") || name === "train.bin"), [
    "notes.txt",
    "tokens.json",
    "train.bin",
  ]);
  assert.equal(names().length, 5);
});

Deno.test("a shard that is missing or cut short is told before it is used", async () => {
  using files = folder();
  const index = await tokenizeCorpus(stream(texts(29)), encoder(), {
    directory: files.path,
    shardTokens: 197,
  });
  const first = files.at(index.train.shards[0].file);
  Deno.truncateSync(first, 100);
  assert.throws(
    () => openDataset(files.path),
    /Cannot read the tokens in .*: it has 100 bytes, wanted 394; remove .* and tokenize again/,
  );
  Deno.removeSync(first);
  assert.throws(() => openDataset(files.path), /no such file or directory; remove/);
  Deno.writeTextFileSync(files.at("tokens.json"), '{"format":"another"}');
  assert.throws(
    () => openDataset(files.path),
    /tokens\.json: format is "another", wanted "vitrail\.tokens\.1"/,
  );
});

Deno.test("an index that is damaged, or leads out of its folder, is refused by the place of its fault", async () => {
  using files = folder();
  const index = await tokenizeCorpus(stream(texts(29)), encoder(), {
    directory: files.path,
    shardTokens: 197,
  });
  // deno-lint-ignore no-explicit-any -- it is made wrong on purpose
  type Changed = Record<string, any>;
  const refuse = (change: (index: Changed) => void, words: RegExp) => {
    const changed = structuredClone(index) as Changed;
    change(changed);
    Deno.writeTextFileSync(files.at("tokens.json"), JSON.stringify(changed));
    assert.throws(() => openDataset(files.path), words);
    assert.ok(isDataset(files.path), "it is damaged, and no folder of texts");
  };
  const outside = "../".repeat(9) + "etc/passwd";
  refuse(
    (i) => i.train.shards[0].file = outside,
    /train\.shards\[0\]\.file is "\.\..*wanted the name/,
  );
  refuse((i) => i.train.shards[0].file = { length: 1e9 }, /train\.shards\[0\]\.file is \{"length"/);
  refuse((i) => i.train.shards[0].tokens = -1, /train\.shards\[0\]\.tokens is -1/);
  refuse((i) => i.train.shards[0].tokens++, /train\.tokens is \d+, but its shards hold \d+/);
  refuse((i) => i.bytesPerToken = 8, /bytesPerToken is 8, wanted 2 or 4/);
  refuse((i) => i.vocabularySize = "9", /vocabularySize is "9", wanted a whole number from 1/);
  refuse((i) => i.validation = null, /validation is null, wanted an object/);
  refuse((i) => i.format = 3, /format is 3, wanted "vitrail\.tokens\.1"/);
  // A token that the tokenizer does not have, as a flipped bit leaves it.
  Deno.writeTextFileSync(
    files.at("tokens.json"),
    JSON.stringify({ ...index, vocabularySize: 128 }),
  );
  const first = files.at(index.train.shards[0].file);
  const bytes = Deno.readFileSync(first);
  bytes[11] ^= 0x80;
  Deno.writeFileSync(first, bytes);
  using tokens = openDataset(files.path).open("train");
  assert.throws(
    () => tokens.read(0, 8),
    /token 5 is \d+, wanted ids below \d+; the file is damaged/,
  );
});

Deno.test("a full disk is told in one line", () => {
  // A file that takes no byte; a disk that really is full is tested at the command line.
  const full = {
    writeSync: () => {
      throw Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
    },
    syncSync: () => {},
    close: () => {},
  };
  const { openSync } = Deno;
  using writer = new ShardWriter("x", { nameOf: () => "y", bytesPerToken: 2, most: 197 });
  try {
    Deno.openSync = () => full as unknown as Deno.FsFile;
    assert.throws(
      () => writer.write(Uint32Array.of(1, 2, 3)),
      /Cannot write tokens to x: no space left on the device; free some space and try again/,
    );
  } finally {
    Deno.openSync = openSync;
  }
});

Deno.test("a tokenization that was killed goes on, and ends with the same files", async () => {
  using files = folder();
  const options = { fingerprint: "0123abcd".repeat(8), shardTokens: 150, noteEvery: 0 };
  const copy = (from: string, to: string): void => {
    Deno.mkdirSync(files.at(to));
    for (const { name } of Deno.readDirSync(files.at(from))) {
      Deno.copyFileSync(files.at(`${from}/${name}`), files.at(`${to}/${name}`));
    }
  };
  // What a process leaves that is killed behind document 7, and behind document 17.
  await tokenizeCorpus(stream(texts(23)), encoder(), {
    ...options,
    directory: files.at("whole"),
    onProgress: ({ documents }) => {
      if (documents === 7 || documents === 17) copy("whole", `killed ${documents}`);
    },
  });
  const bytesOf = (directory: string) =>
    [...Deno.readDirSync(directory)].map(({ name }) => name).toSorted()
      .map((name) => [name, Deno.readFileSync(`${directory}/${name}`)]);
  for (const killed of [7, 17]) {
    const directory = files.at(`killed ${killed}`);
    let encoded = 0;
    const counting = { ...encoder(), encode: (t: string) => (encoded++, encoder().encode(t)) };
    await tokenizeCorpus(stream(texts(23)), counting, { ...options, directory });
    // The note that lies there is of the document before.
    assert.equal(encoded, 23 - killed + 1);
    assert.deepEqual(bytesOf(directory), bytesOf(files.at("whole")), `killed at ${killed}`);
  }
  // Of another text, or with a file that is cut short, it begins again.
  for (const [name, spoil] of [["other", "fingerprint"], ["short", "file"]]) {
    copy("whole", name);
    const directory = files.at(name);
    Deno.removeSync(`${directory}/tokens.json`);
    const part = await tokenizeCorpus(stream(texts(23)), encoder(), { ...options, directory });
    const first = part.train.shards[0].file;
    const note = { ...part, format: "vitrail.tokens.part.1", bytesPerToken: 2, run: "0123abcd" };
    Deno.writeTextFileSync(`${directory}/tokens.part.json`, JSON.stringify(note));
    Deno.removeSync(`${directory}/tokens.json`);
    if (spoil === "file") Deno.truncateSync(`${directory}/${first}`, 10);
    let encoded = 0;
    await tokenizeCorpus(
      stream(texts(23)),
      { ...encoder(), encode: (t) => (encoded++, encoder().encode(t)) },
      { ...options, directory, ...spoil === "fingerprint" && { fingerprint: "f".repeat(64) } },
    );
    assert.equal(encoded, 23, name);
    assert.equal(contents(directory, "train"), contents(files.at("whole"), "train"));
  }
});
