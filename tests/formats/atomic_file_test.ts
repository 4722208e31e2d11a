/** Files that appear whole or not at all. @module */

import assert from "node:assert/strict";
import { AtomicFile, writeFileAtomic } from "../../src/formats/atomic_file.ts";
import { readJsonObject } from "../../src/formats/json_file.ts";
import { assertThrowsFault, listNames, temporaryDirectory } from "./files.ts";

Deno.test("text and bytes replace an older file", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/state.json`;
  writeFileAtomic(path, '{"step":197}\n');
  writeFileAtomic(path, '{"loss":"é"}\n');
  assert.equal(Deno.readTextFileSync(path), '{"loss":"é"}\n');
  writeFileAtomic(new URL(`file://${path}`), new Uint8Array([7, 0, 255]));
  assert.deepEqual(Deno.readFileSync(path), new Uint8Array([7, 0, 255]));
  assert.deepEqual(listNames(directory.path), ["state.json"]);
});

Deno.test("a path without a directory goes to the working directory", () => {
  using directory = temporaryDirectory();
  const before = Deno.cwd();
  Deno.chdir(directory.path);
  try {
    writeFileAtomic("plain.txt", "here");
  } finally {
    Deno.chdir(before);
  }
  assert.equal(Deno.readTextFileSync(`${directory.path}/plain.txt`), "here");
});

Deno.test("the final name shows nothing before commit, and abort leaves nothing", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/a`;
  {
    using file = new AtomicFile(path);
    file.write(new Uint8Array(29));
    const [temporary, ...others] = listNames(directory.path);
    assert.match(temporary, /^\.vitrail-.*\.tmp$/);
    assert.deepEqual(others, []);
  }
  assert.deepEqual(listNames(directory.path), []);
  using file = new AtomicFile(path);
  file.write(new Uint8Array(3));
  file.commit();
  assertThrowsFault(() => file.write(new Uint8Array(1)), "already committed or aborted");
  assertThrowsFault(() => file.commit(), "already committed or aborted");
  file.abort();
  assert.deepEqual(Deno.readFileSync(path), new Uint8Array(3));
});

Deno.test("a system that writes a few bytes at a time is asked again", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/a`;
  const bytes = Uint8Array.from({ length: 197 }, (_, i) => i);
  const original = Deno.FsFile.prototype.writeSync;
  Deno.FsFile.prototype.writeSync = function (part: Uint8Array): number {
    return original.call(this, part.subarray(0, 29));
  };
  try {
    writeFileAtomic(path, bytes);
  } finally {
    Deno.FsFile.prototype.writeSync = original;
  }
  assert.deepEqual(Deno.readFileSync(path), bytes);
});

Deno.test("a symbolic link is replaced, and what it pointed to is kept", {
  ignore: Deno.build.os === "windows",
}, () => {
  using directory = temporaryDirectory();
  Deno.writeTextFileSync(`${directory.path}/shared`, "old");
  Deno.symlinkSync("shared", `${directory.path}/link`);
  writeFileAtomic(`${directory.path}/link`, "new");
  assert.equal(Deno.readTextFileSync(`${directory.path}/shared`), "old");
  assert.equal(Deno.readTextFileSync(`${directory.path}/link`), "new");
});

Deno.test("places that cannot be written are told apart", () => {
  using directory = temporaryDirectory();
  const { path } = directory;
  assertThrowsFault(
    () => writeFileAtomic(`${path}/none/a.json`, ""),
    `Cannot write ${path}/none/a.json: no directory ${path}/none; create it first`,
  );
  Deno.writeTextFileSync(`${path}/file`, "");
  assertThrowsFault(() => writeFileAtomic(`${path}/file/a.json`, ""), "a part of the path is a");
  Deno.mkdirSync(`${path}/taken`);
  assertThrowsFault(() => writeFileAtomic(`${path}/taken`, ""), "it is a directory, wanted a file");
  assert.deepEqual(listNames(path), ["file", "taken"]);
});

Deno.test("a missing permission of Deno names the directory to allow", {
  permissions: { read: true, write: false },
}, () => {
  assertThrowsFault(
    () => writeFileAtomic("runs/a.json", ""),
    "Cannot write runs/a.json: Deno may not write there, run again with --allow-write=runs",
  );
});

Deno.test("a read-only directory is named as the reason", {
  // The superuser may write anywhere, and Windows has other rules.
  ignore: Deno.build.os === "windows" || Deno.uid() === 0,
}, () => {
  using directory = temporaryDirectory();
  Deno.chmodSync(directory.path, 0o500);
  try {
    assertThrowsFault(() => writeFileAtomic(`${directory.path}/a`, ""), "permission denied");
  } finally {
    Deno.chmodSync(directory.path, 0o700);
  }
});

Deno.test("a fault while syncing removes the temporary file", { sanitizeResources: true }, () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/a`;
  writeFileAtomic(path, "old");
  const original = Deno.FsFile.prototype.syncSync;
  Deno.FsFile.prototype.syncSync = () => {
    throw Object.assign(new Error("os error 30"), { code: "EROFS" });
  };
  try {
    // Without `using`: the failed commit itself must clean up.
    const file = new AtomicFile(path);
    file.write(new Uint8Array(3));
    assertThrowsFault(() => file.commit(), "the file system is read-only");
  } finally {
    Deno.FsFile.prototype.syncSync = original;
  }
  assert.equal(Deno.readTextFileSync(path), "old");
  assert.deepEqual(listNames(directory.path), ["a"]);
});

Deno.test("JSON that a user broke is told in one line", () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/config.json`;
  assertThrowsFault(() => readJsonObject(path, { wanted: "a model" }), /no such file.*wanted a mo/);
  assertThrowsFault(() => readJsonObject(directory.path), "it is not a file");
  for (
    const [text, words] of [
      ['{\n  "a": 1,\n}', "it is not valid JSON"],
      ["", "it is not valid JSON"],
      ["[1, 2]", "it holds [1,2], wanted a JSON object"],
      ["null", "it holds null"],
    ]
  ) {
    Deno.writeTextFileSync(path, text);
    assertThrowsFault(() => readJsonObject(path), words);
  }
  Deno.writeFileSync(path, new Uint8Array([0x7b, 0xff, 0x7d]));
  assertThrowsFault(() => readJsonObject(path), "it is not valid JSON");
  Deno.truncateSync(path, 100_000_001);
  assertThrowsFault(() => readJsonObject(path), "100000001 bytes, wanted at most");
  Deno.writeTextFileSync(path, '\ufeff{"a": [3]}');
  assert.deepEqual(readJsonObject(path), { a: [3] });
});
