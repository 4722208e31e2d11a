/** JSON files: bounded, checked to the last value, and every fault on one line with its place. @module */

import assert from "node:assert/strict";
import { parseJson, parseJsonObject, readJson } from "../../src/formats/json_file.ts";
import {
  boolean,
  count,
  either,
  listOf,
  mapOf,
  object,
  oneOf,
  optional,
  text,
  whole,
} from "../../src/formats/json_rules.ts";
import { assertThrowsFault, temporaryDirectory } from "./files.ts";

const rule = object({
  format: oneOf("a", "b"),
  width: whole(2, 4),
  shards: listOf(object({ file: text, tokens: count })),
  names: optional(mapOf(text)),
  on: optional(boolean),
  targets: either(text, listOf(text)),
});
const good = {
  format: "a",
  width: 4,
  shards: [{ file: "x", tokens: 3 }],
  names: { "0": "yes" },
  targets: ["q"],
};

Deno.test("a value that keeps the rule comes back; each that breaks it is named by its place", () => {
  const check = (changes: object) => parseJson(JSON.stringify({ ...good, ...changes }), rule, {});
  assert.deepEqual(check({}), good);
  assert.deepEqual(check({ names: null, targets: "q", more: 1 }).targets, "q");
  const refused: [object, string][] = [
    [{ format: "c" }, 'format is "c", wanted "a" or "b"'],
    [{ width: 5 }, "width is 5, wanted a whole number from 2 to 4"],
    [{ width: "4" }, 'width is "4", wanted a whole number from 2 to 4'],
    [{ shards: {} }, "shards is {}, wanted a list of an object { … }"],
    [{ shards: [{ file: "x" }] }, "shards[0].tokens is absent, wanted a whole number from 1"],
    [{ shards: [{ file: { length: 1e9 }, tokens: 1 }] }, "shards[0].file is {"],
    [{ names: { "a b\u001b": 1 } }, 'names."a b\\u001b" is 1, wanted a text'],
    [{ on: "true" }, 'on is "true", wanted true or false'],
    [{ targets: [3] }, "targets[0] is 3, wanted a text"],
    [{ targets: { toString: 1 } }, 'targets is {"toString":1}, wanted a text or a list of a text'],
  ];
  for (const [changes, words] of refused) assertThrowsFault(() => check(changes), words);
});

Deno.test("keys that every object inherits are absent unless the file has them", () => {
  const inherits = object({ constructor: text, toString: text });
  assertThrowsFault(() => parseJson("{}", inherits), "constructor is absent");
  const own = parseJson('{"constructor":"a","toString":"b","__proto__":{"x":1}}', inherits);
  assert.equal((own as { x?: number }).x, undefined);
});

Deno.test("a file that is nested too deep is refused before it is parsed", () => {
  const nested = (depth: number) => '{"a":' + "[".repeat(depth) + "]".repeat(depth) + "}";
  assert.ok(parseJsonObject(nested(63), "x"));
  for (const depth of [64, 20_000, 5_000_000]) {
    assertThrowsFault(() => parseJsonObject(nested(depth), "x"), "nested more than 64 deep");
  }
  // Brackets in texts are text, also behind an escaped quote.
  const brackets = JSON.stringify({ a: '"'.repeat(3) + "[".repeat(99) + "\\" });
  assert.equal((parseJsonObject(brackets, "x").a as string).length, 103);
});

Deno.test("what is no JSON, no file or too large is refused by its name", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/a.json`;
  const refuse = (contents: string | Uint8Array, words: string | RegExp) => {
    Deno.writeFileSync(path, new TextEncoder().encode(contents as string));
    if (typeof contents !== "string") Deno.writeFileSync(path, contents);
    assertThrowsFault(() => readJson(path, rule), words);
  };
  refuse("", "it is not valid JSON");
  refuse('{"\u009b2J', "it is not valid JSON");
  refuse("3", "it holds 3, wanted an object");
  refuse(Uint8Array.of(0xff, 0x7b), "it is not valid JSON");
  assertThrowsFault(() => readJson(directory.path, rule), "it is not a file");
  assertThrowsFault(
    () => readJson(`${directory.path}/b`, rule, { wanted: "a run" }),
    "no such file or directory; wanted a run",
  );
  using file = Deno.openSync(path, { write: true });
  file.truncateSync(100_000_001);
  assertThrowsFault(() => readJson(path, rule), "100000001 bytes, wanted at most 100000000");
});

Deno.test("what is read from disk is parsed in one place, but for what is trusted or only hashed", () => {
  // The header looks into JSON that was parsed already; the lock and the launcher take nothing that they do not
  // check themselves; a package of npm is as good as code; a word becomes a copy of itself.
  const own = [
    "cli/permissions.ts",
    "data/sources/spam_assassin.ts",
    "formats/directory_lock.ts",
    "formats/json_file.ts",
    "formats/safetensors_header.ts",
    "tokenizers/pipeline.ts",
  ];
  const found: string[] = [];
  const look = (folder: string): void => {
    for (
      const { name, isDirectory } of Deno.readDirSync(
        new URL(`../../src/${folder}`, import.meta.url),
      )
    ) {
      const path = `${folder}${name}`;
      if (isDirectory) look(`${path}/`);
      else if (name.endsWith(".ts")) {
        const text = Deno.readTextFileSync(new URL(`../../src/${path}`, import.meta.url));
        if (/^(?!\s*\*).*JSON\.parse\(/m.test(text)) found.push(path);
      }
    }
  };
  look("");
  assert.deepEqual(found.sort(), own);
});
