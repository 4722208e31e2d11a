/**
 * Tokens are made once: used again while text, tokenizer and options stay, made anew when they do
 * not.
 *
 * @module
 */
import assert from "node:assert/strict";
import { prepareDataset, type PrepareOptions } from "../../../src/data/tokens/prepare.ts";
import { trainCharacterTokenizer } from "../../../src/tokenizers/train_characters.ts";
import type { Tokenizer } from "../../../src/tokenizers/tokenizer.ts";
import { folder, rejects } from "../files.ts";

const TEXT = "Call me Ishmael.\n\nSome years ago - never mind how long precisely -\n".repeat(29);
const tokenizer = await trainCharacterTokenizer([TEXT]);

/** Prepares, and tells whether anything was tokenized. */
async function prepare(source: string, options: PrepareOptions & { tokenizer?: Tokenizer }) {
  let encoded = 0;
  const counting: Tokenizer = Object.create(options.tokenizer ?? tokenizer, {
    encode: {
      value: (text: string) => {
        encoded += text.length;
        return (options.tokenizer ?? tokenizer).encode(text);
      },
    },
    toJson: { value: () => (options.tokenizer ?? tokenizer).toJson() },
    vocabularySize: { value: (options.tokenizer ?? tokenizer).vocabularySize },
    endOfText: { value: (options.tokenizer ?? tokenizer).endOfText },
  });
  const { dataset, reused, changed } = await prepareDataset(source, counting, options);
  assert.equal(reused, encoded === 0, "what is said to be used again is not tokenized");
  using train = dataset.open("train");
  return { reused, changed, tokens: Array.from(train.read(0, train.length)) };
}

Deno.test("a second run tokenizes nothing; a changed text, tokenizer or option is noticed", async () => {
  using files = folder({ "text/a.txt": TEXT, "text/b.txt": "Loomings." });
  const source = files.at("text");
  const options = { directory: files.at("data") };
  const first = await prepare(source, options);
  assert.equal(first.reused, false);
  assert.deepEqual(await prepare(source, options), { ...first, reused: true });
  assert.deepEqual(await prepare(source + "/", options), { ...first, reused: true });

  const anew = async (what: string, more: Parameters<typeof prepare>[1] = options) => {
    const found = await prepare(source, more);
    assert.deepEqual([found.reused, found.changed], [false, true], what);
    assert.equal((await prepare(source, more)).reused, true, `${what}, again`);
    return found.tokens;
  };
  Deno.writeTextFileSync(`${source}/b.txt`, "Lo0mings.");
  Deno.utimeSync(`${source}/b.txt`, 197, 197);
  assert.notDeepEqual(await anew("a file of the same size, written to"), first.tokens);
  Deno.writeTextFileSync(`${source}/c.txt`, "Etymology.");
  await anew("a file more");
  Deno.renameSync(`${source}/c.txt`, `${source}/0.txt`);
  await anew("a file renamed");
  Deno.removeSync(`${source}/0.txt`);
  await anew("a file less");
  await anew("another split", { ...options, validationFraction: 0.5 });
  const small = await trainCharacterTokenizer([TEXT], { vocabularySize: 12 });
  await anew("another tokenizer", { ...options, validationFraction: 0.5, tokenizer: small });
});

Deno.test("a resumed run goes on with its tokens, and says that the text is another", async () => {
  using files = folder({ "a.txt": TEXT });
  const options = { directory: files.at("data"), resume: true };
  const first = await prepare(files.at("a.txt"), { ...options, resume: false });
  assert.deepEqual(await prepare(files.at("a.txt"), options), { ...first, reused: true });
  Deno.writeTextFileSync(files.at("a.txt"), "another text, not the one the run began with");
  const later = { reused: true, changed: true, tokens: first.tokens };
  assert.deepEqual(await prepare(files.at("a.txt"), options), later);
  Deno.removeSync(files.at("a.txt"));
  assert.deepEqual(await prepare(files.at("a.txt"), options), later);
  await rejects(
    prepare(files.at("a.txt"), { ...options, resume: false }),
    /no such file or folder/,
  );
  assert.deepEqual(await prepare(files.at("a.txt"), options), later);
});

Deno.test("tokens that are damaged are made again", async () => {
  using files = folder({ "a.txt": TEXT });
  const options = { directory: files.at("data"), resume: true };
  const first = await prepare(files.at("a.txt"), options);
  const index = JSON.parse(Deno.readTextFileSync(files.at("data/tokens.json")));
  Deno.truncateSync(files.at(`data/${index.train.shards[0].file}`), 29);
  assert.deepEqual(await prepare(files.at("a.txt"), options), first);
  Deno.writeTextFileSync(files.at("data/tokens.json"), "{");
  assert.deepEqual(await prepare(files.at("a.txt"), options), first);
});

Deno.test("a prepared directory is a source, for its own tokenizer", async () => {
  using files = folder({ "a.txt": TEXT });
  const first = await prepare(files.at("a.txt"), { directory: files.at("data") });
  Deno.removeSync(files.at("a.txt"));
  const options = { directory: files.at("run/data") };
  assert.deepEqual(await prepare(files.at("data"), options), { ...first, reused: true });
  const other = await trainCharacterTokenizer(["abc"]);
  await rejects(
    prepare(files.at("data"), { ...options, tokenizer: other }),
    /another tokenizer made them; give --tokenizer .*data, or prepare the text/,
  );
});
