/**
 * Proof: our WordPiece vocabulary of the Brown corpus beside that of Python's `tokenizers`, and what
 * the difference comes from. The library gives ids to the `##` characters in the order of a hash
 * table, another one at every run; among pairs of the same count those with the lower ids merge
 * first. So two of its own runs differ, and the order of later ids and a few of the last pieces are
 * chance. Ours are in order of code points, the same at every run. Given the order of a run of the
 * library, every piece and every id is the same: the table has a row for that.
 *
 * Exit code 1 if there it is not, or if with the library's vocabulary one id of the corpus is another.
 *
 *     deno run --allow-read --allow-write=runs --allow-run scripts/reference/compare_word_piece.ts
 *
 * `--python PATH` names a Python with tokenizers (default python3),
 * `--sizes 4000,8000` the vocabularies, `--out DIR` a folder (default runs/compare_word_piece).
 *
 * @module
 */
import { parseArgs } from "node:util";
import { formatTable } from "../../bench/harness.ts";
import { readDocuments } from "../../src/data/sources/documents.ts";
import { JsonTokenizer } from "../../src/tokenizers/tokenizer.ts";
import { countBertWords, learnPieces } from "../../src/tokenizers/train_word_piece.ts";
import { BERT_SPECIAL_TOKENS, wordPieceJson } from "../../src/tokenizers/word_piece_json.ts";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    out: { type: "string", default: "runs/compare_word_piece" },
    sizes: { type: "string", default: "4000,8000,30000" },
  },
});

/** What Python reports of a size. */
interface Reference {
  size: number;
  runs: [string[], string[]];
  ids: number[][];
}

/** Pieces of the one that the other lacks, places with another piece, and some of the pieces. */
function difference(theirs: string[], ours: string[]): { row: string[]; none: boolean } {
  const lacking = new Set(theirs).difference(new Set(ours));
  const places = theirs.filter((piece, id) => piece !== ours[id]).length;
  return {
    row: [`${lacking.size}`, `${places}`, [...lacking].slice(0, 5).join(" ")],
    none: places === 0 && theirs.length === ours.length,
  };
}

const texts: string[] = [];
for await (const { text } of readDocuments("brown")) texts.push(text);
Deno.mkdirSync(values.out, { recursive: true });
const file = `${values.out}/texts.json`;
Deno.writeTextFileSync(file, JSON.stringify(texts));
const { success, stdout } = new Deno.Command(values.python, {
  args: ["scripts/reference/train_word_piece.py", file, ...values.sizes.split(",")],
  stdout: "piped",
  stderr: "inherit",
}).outputSync();
if (!success) Deno.exit(1);
const python: { tokenizers: string; results: Reference[] } = JSON.parse(
  new TextDecoder().decode(stdout),
);

const counts = await countBertWords(texts);
const specialTokens = [...BERT_SPECIAL_TOKENS];
const rows: string[][] = [];
let failed = false;
for (const { size, runs: [first, second], ids } of python.results) {
  const continuing = first.filter((piece) => /^##.$/u.test(piece));
  const options = { vocabularySize: size, specialTokens };
  const compared = {
    "Python, run again": difference(first, second),
    "ours": difference(first, learnPieces(counts, options)),
    "ours, with Python's order": difference(first, learnPieces(counts, { ...options, continuing })),
  };
  for (const [name, { row }] of Object.entries(compared)) rows.push([`${size}`, name, ...row]);
  const tokenizer = new JsonTokenizer(wordPieceJson(first));
  const wrong = texts.filter((text, i) => `${tokenizer.encode(text)}` !== `${ids[i]}`).length;
  const [total, bytes] = [ids.flat().length, new TextEncoder().encode(texts.join("")).length];
  rows.push([`${size}`, `${total} ids of ${bytes} bytes`, `${wrong}`, "", "texts with other ids"]);
  failed ||= wrong > 0 || !compared["ours, with Python's order"].none;
}
console.log(
  `Brown, ${texts.length} texts; tokenizers ${python.tokenizers}, its first run against:`,
);
console.log(formatTable(["pieces", "against", "lacking", "other place", "such as"], rows));
if (failed) Deno.exitCode = 1;
