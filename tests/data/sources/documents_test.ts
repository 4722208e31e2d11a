/**
 * Reading sources: what is text, what is not, and in which documents it arrives.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readDocuments } from "../../../src/data/sources/documents.ts";
import { decoded, parts, withPlainLines } from "../../../src/data/sources/text_stream.ts";
import { VitrailError } from "../../../src/errors.ts";
import { folder, rejects } from "../files.ts";

/** Texts of a source. */
async function read(source: string, textField?: string): Promise<string[]> {
  return (await Array.fromAsync(readDocuments(source, { textField }))).map(({ text }) => text);
}

Deno.test("a file, with either line end and a byte-order mark, is its text", async () => {
  using files = folder({ "a.txt": "\ufeffone\r\ntwo\n\rthree\r" });
  assert.deepEqual(await read(files.at("a.txt")), ["one\ntwo\n\rthree\r"]);
});

Deno.test("a folder is its files in order, without hidden ones, and with its folders", async () => {
  using files = folder({
    "b.txt": "b",
    "a10.txt": "a10",
    "B/x.jsonl": '{"text":"x"}\n',
    ".hidden": "no",
    "empty.txt": "",
    "blank.txt": " \n",
  });
  assert.deepEqual(await read(files.path), ["x", "a10", "b"]);
});

Deno.test("JSONL: a record a line, of the field that is asked for, half pairs and all", async () => {
  const records = [{ text: "one\ntwo", body: "x" }, { text: "😀".repeat(50_000), body: "y" }];
  const text = records.map((record) => JSON.stringify(record)).join("\r\n") + "\n\n";
  using files = folder({ "a.jsonl": text, "b.ndjson": '{"text":"\\ud800 half"}' });
  assert.deepEqual(await read(files.at("a.jsonl")), records.map(({ text }) => text));
  assert.deepEqual(await read(files.at("a.jsonl"), "body"), ["x", "y"]);
  assert.deepEqual(await read(files.at("b.ndjson")), ["\ud800 half"]);
});

Deno.test("JSONL that is wrong is told with its line", async () => {
  const good = '{"text":"fine"}\n';
  using files = folder({
    "missing.jsonl": good + "\n" + '{"body":"x"}\n',
    "number.jsonl": good + '{"text":197}',
    "inherited.jsonl": good + "{}",
    "broken.jsonl": good + good + '{"text":',
    "null.jsonl": good + "null",
  });
  const refused = (name: string, message: RegExp, field?: string) =>
    rejects(read(files.at(name), field), message);
  await refused(
    "missing.jsonl",
    /missing\.jsonl: line 3 has no text in "text"; name the field with/,
  );
  await refused("number.jsonl", /line 2 has no text/);
  await refused("inherited.jsonl", /line 1 has no text in "toString"/, "toString");
  await refused("broken.jsonl", /line 3 is not JSON; wanted one record a line/);
  await refused("null.jsonl", /line 2 holds null, wanted a JSON object/);
});

Deno.test("what is no text is refused, with the byte that is wrong", async () => {
  const long = new TextEncoder().encode("x€".repeat(50_000));
  const at = 150_001; // inside the character at 150,001: its second byte is lost
  using files = folder({
    "binary": Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 0, 1),
    "latin1.txt": Uint8Array.of(0x63, 0x61, 0x66, 0xe9, 0x0a),
    "long.txt": Uint8Array.from([...long.subarray(0, at + 1), ...long.subarray(at + 2)]),
    "cut.txt": Uint8Array.of(0x61, 0xe2, 0x82),
    "excel.txt": Uint8Array.of(0xff, 0xfe, 0x61, 0),
    "empty.txt": "",
    "blank.txt": " \n\n\t",
    "empty.jsonl": "\n",
    "folder/.keep": "",
  });
  const refused = (name: string, message: RegExp) => rejects(read(files.at(name)), message);
  await refused("binary", /binary: it is not UTF-8 text \(byte 4\); give a text file, or convert/);
  await refused("latin1.txt", /not UTF-8 text \(byte 4\)/);
  await refused("long.txt", new RegExp(`not UTF-8 text \\(byte ${at + 2}\\)`));
  await refused("cut.txt", /not UTF-8 text \(byte 3\)/);
  await refused("excel.txt", /not UTF-8 text \(byte 0\) but UTF-16; give a text file, or convert/);
  for (const name of ["empty.txt", "blank.txt", "empty.jsonl", "folder"]) {
    await refused(name, /Cannot use .*: it holds no text; give a text with words in it/);
  }
  await refused("absent.txt", /no such file or folder; .* or a corpus: brown, moby-dick/);
  await refused("toString", /no such file/);
});

/** Text as a stream of pieces. */
async function* stream(...pieces: string[]): AsyncGenerator<string> {
  yield* pieces;
}

Deno.test("a long text is cut at blank lines, lines, blanks, never inside a character", async () => {
  const K = 1 << 16;
  const lengths = async (...pieces: string[]) => {
    const cut = await Array.fromAsync(parts(stream(...pieces)));
    assert.equal(cut.join(""), pieces.join(""));
    assert.ok(cut.every((text) => text.isWellFormed()));
    return cut.map((text) => text.length);
  };
  assert.deepEqual(await lengths("a".repeat(K)), [K]);
  assert.deepEqual(await lengths("a".repeat(K + 29) + "\n\nb"), [K + 31, 1]);
  assert.deepEqual(await lengths("a".repeat(K + 29) + "\n", "\nb"), [K + 31, 1]);
  assert.deepEqual(await lengths("a b\n".repeat(K)), [2 * K, 2 * K]);
  assert.deepEqual(await lengths("a".repeat(2 * K - 197) + "\n" + "b".repeat(K)), [
    2 * K - 196,
    K,
  ]);
  assert.deepEqual(await lengths("a".repeat(2 * K - 197) + " " + "b".repeat(K)), [
    2 * K - 197,
    K + 1,
  ]);
  assert.deepEqual(await lengths("a" + "😀".repeat(K), "😀"), [2 * K - 1, 4]);
});

Deno.test("line ends and characters may arrive in halves", async () => {
  const whole = async (pieces: AsyncIterable<string>) => (await Array.fromAsync(pieces)).join("");
  assert.equal(
    await whole(withPlainLines(stream("a\r", "\nb\r", "c\r", "\r\n", "\r"))),
    "a\nb\rc\r\n\r",
  );
  const bytes = new TextEncoder().encode("a😀é\u2028");
  for (let size = 1; size < 5; size++) {
    const chunks = Array.from(
      { length: Math.ceil(bytes.length / size) },
      (_, i) => bytes.slice(i * size, (i + 1) * size),
    );
    assert.equal(await whole(decoded("x", ReadableStream.from(chunks))), "a😀é\u2028");
  }
});

Deno.test("a stream that fails is told in one line", async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("the pipe\nbroke")),
  });
  await assert.rejects(Array.fromAsync(decoded("pipe", broken)), (error: Error) => {
    assert.ok(error instanceof VitrailError);
    assert.equal(error.message, "Cannot read pipe: the pipe broke");
    return true;
  });
});

Deno.test("named corpora arrive as documents, Brown without its tags", async () => {
  const chapters = await Array.fromAsync(readDocuments("moby-dick"));
  assert.equal(chapters[0].id, "moby-dick/chapter_1.txt");
  assert.match(chapters[0].text, /^CHAPTER 1\. Loomings\.\n\nCall me Ishmael\./);
  assert.equal(chapters[9].id, "moby-dick/chapter_10.txt");
  for await (const { id, text } of readDocuments("brown")) {
    assert.equal(id, "brown/ca01");
    assert.match(
      text,
      /^The Fulton County Grand Jury said Friday an investigation of Atlanta's recent primary/,
    );
    assert.ok(!/\/(at|np|nn|\.)\b/.test(text));
    break;
  }
});
