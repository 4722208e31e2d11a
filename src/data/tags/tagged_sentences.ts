/**
 * Sentences whose words have tags: CoNLL's columns, JSONL, and Brown's parts of speech.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { parseJsonLine } from "../../formats/json_file.ts";
import { describeIoError, quoteName, quoteValue, showPath } from "../../formats/messages.ts";
import { orderLabels } from "../labels/label_order.ts";
import { universalTag } from "./brown_tags.ts";
import { CORPORA, corpusFiles } from "../sources/corpora.ts";
import { filesOf } from "../sources/documents.ts";
import { decoded, withPlainLines } from "../sources/text_stream.ts";

/** Words in their order, and a tag for each. */
export interface TaggedSentence {
  /** Where it is from. */
  id: string;
  /** Its words. */
  tokens: string[];
  /** Their tags, as many. */
  tags: string[];
  /** Equal for the sentences of one document: they are never split up. */
  group: string;
}

/** How columns are read. */
export interface TaggedSentenceOptions {
  /** Column of the words, from 1; negative from the last. By default 1, in `.conllu` files 2. */
  tokenColumn?: number;
  /** Column of the tags. By default -1, in `.conllu` files 4. */
  tagColumn?: number;
}

/**
 * Reads tagged sentences.
 *
 * - `brown`: the Brown corpus with the 12 universal tags; its quotes, doubled there, are `"`
 * - `.jsonl` files: `{"tokens": [...], "tags": [...]}` a line, with an optional `"document"`
 * - other files: columns, between tabs where there are tabs and between blanks where not, one word a
 *   line, a blank line after each sentence (CoNLL). Comments of CoNLL-U, its ranges (`1-2`) and empty
 *   nodes (`1.1`) are left out. `-DOCSTART-` and `# newdoc` begin a document
 * - a folder: all its files, each a document
 *
 * Where nothing says what a document is, every sentence is one.
 *
 * @throws {VitrailError} if the source is missing or empty, or at a line that has other columns than
 * the first; the message names file and line
 */
export async function readTaggedSentences(
  source: string,
  options: TaggedSentenceOptions = {},
): Promise<TaggedSentence[]> {
  const found: TaggedSentence[] = [];
  if (source === "brown") return await brownSentences();
  if (Object.hasOwn(CORPORA, source)) {
    throw new VitrailError(`Cannot take tags from ${source}: it has none; wanted brown, or a file`);
  }
  const add = async (path: string, stream: ReadableStream<Uint8Array>, group?: string) => {
    const pieces = await Array.fromAsync(withPlainLines(decoded(showPath(path), stream)));
    const lines = pieces.join("").split("\n");
    const read = /\.(jsonl|ndjson)$/.test(path) ? fromRecords : fromColumns;
    for (const sentence of read(lines, { path, group, ...options })) found.push(sentence);
  };
  if (source === "-") {
    await add("standard input", Deno.stdin.readable);
  } else {
    for await (const { path, inFolder } of filesOf(source)) {
      await add(path, (await open(path)).readable, inFolder ? path : undefined);
    }
  }
  if (found.length > 0) return found;
  const name = source === "-" ? "standard input" : showPath(source);
  throw new VitrailError(`Cannot use ${name}: it holds no sentence; give words with their tags`);
}

async function open(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (cause) {
    throw new VitrailError(`Cannot read ${showPath(path)}: ${describeIoError(cause)}`, { cause });
  }
}

/** One file's lines, and how they are read. */
type Reading = TaggedSentenceOptions & { path: string; group?: string };

function* fromRecords(lines: string[], { path, group }: Reading): Generator<TaggedSentence> {
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const refuse = (reason: string): VitrailError =>
      new VitrailError(
        `Cannot read ${showPath(path)}: line ${i + 1} ${reason}; ` +
          'wanted {"tokens": ["a", "word"], "tags": ["DET", "NOUN"]}',
      );
    const { tokens, tags, document } = parseJsonLine(line, refuse);
    const strings = (value: unknown): value is string[] =>
      Array.isArray(value) && value.every((v) => typeof v === "string" && v.trim() !== "");
    if (!strings(tokens)) throw refuse(`has the tokens ${quoteValue(tokens)}`);
    if (!strings(tags)) throw refuse(`has the tags ${quoteValue(tags)}`);
    if (tokens.length !== tags.length) {
      throw refuse(`has ${tokens.length} tokens and ${tags.length} tags`);
    }
    if (tokens.length === 0) throw refuse("has no tokens");
    const own = typeof document === "string" ? document : undefined;
    yield { id: `${path}:${i + 1}`, tokens, tags, group: own ?? group ?? tokens.join(" ") };
  }
}

function* fromColumns(lines: string[], reading: Reading): Generator<TaggedSentence> {
  const { path, group } = reading;
  const universal = path.endsWith(".conllu");
  const { tokenColumn = universal ? 2 : 1, tagColumn = universal ? 4 : -1 } = reading;
  const first = lines.find((line) => line.trim() !== "" && !line.startsWith("#"));
  const separator = first?.includes("\t") ? "\t" : /\s+/;
  let columns: number | undefined;
  let documents = 0;
  let sentence: { line: number; tokens: string[]; tags: string[] } | undefined;
  const finish = function* (): Generator<TaggedSentence> {
    if (!sentence) return;
    const { line, tokens, tags } = sentence;
    const own = documents > 0 ? `${path}#${documents}` : group;
    yield { id: `${path}:${line}`, tokens, tags, group: own ?? tokens.join(" ") };
    sentence = undefined;
  };
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") {
      yield* finish();
      continue;
    }
    if (line.startsWith("-DOCSTART-") || /^#\s*newdoc\b/.test(line)) {
      yield* finish();
      documents++;
      continue;
    }
    if (separator === "\t" && line.startsWith("#") && !line.includes("\t")) continue;
    const cells = separator === "\t" ? line.split("\t") : line.trim().split(separator);
    if (universal && /^\d+[-.]\d+$/.test(cells[0])) continue;
    const refuse = (reason: string): VitrailError =>
      new VitrailError(`Cannot read ${showPath(path)}: line ${i + 1} ${reason}`);
    columns ??= cells.length;
    if (cells.length !== columns) {
      throw refuse(`has ${count(cells.length)}, wanted ${columns} as in the lines before it`);
    }
    const cell = (column: number): string => {
      const text = cells.at(column > 0 ? column - 1 : column);
      if (column !== 0 && text !== undefined && text.trim() !== "") return text;
      throw refuse(`has no word in column ${column} of ${columns}; name the columns`);
    };
    if (columns < 2) throw refuse(`has ${count(columns)}, wanted a word and its tag`);
    sentence ??= { line: i + 1, tokens: [], tags: [] };
    sentence.tokens.push(cell(tokenColumn));
    sentence.tags.push(cell(tagColumn));
  }
  yield* finish();
}

const count = (columns: number): string => `${columns} column${columns === 1 ? "" : "s"}`;

/** Brown's sentences; the group is the text as language models are trained on it. */
async function brownSentences(): Promise<TaggedSentence[]> {
  const found: TaggedSentence[] = [];
  for (const file of await corpusFiles("brown")) {
    const name = `brown/${file.pathname.split("/").at(-1)}`;
    const text = await Deno.readTextFile(file);
    const group = CORPORA.brown.clean(text);
    for (const [i, line] of text.split("\n").entries()) {
      const words = line.trim().split(/\s+/).filter((word) => word !== "");
      if (words.length === 0) continue;
      const cuts = words.map((word) => word.lastIndexOf("/"));
      found.push({
        id: `${name}:${i + 1}`,
        tokens: words.map((word, w) => word.slice(0, cuts[w]).replace(/^(``|'')$/, '"')),
        tags: words.map((word, w) => {
          const tag = universalTag(word.slice(cuts[w] + 1));
          if (tag !== undefined) return tag;
          throw new VitrailError(`Cannot map the tag of ${quoteName(word)} in ${name}: unknown`);
        }),
        group,
      });
    }
  }
  return found;
}

/**
 * The tags of sentences, in order of their values if all are numbers, else of their names: their places are the ids of labels.
 *
 * @throws {VitrailError} if there is one tag only: nothing could be learnt
 */
export function tagsOf(sentences: readonly TaggedSentence[]): string[] {
  const tags = [...new Set(sentences.flatMap((sentence) => sentence.tags))];
  if (tags.length > 1) return orderLabels(tags);
  throw new VitrailError(
    `Cannot learn to tag: every word has the tag ${quoteName(tags[0] ?? "")}; ` +
      "wanted two tags at least",
  );
}
