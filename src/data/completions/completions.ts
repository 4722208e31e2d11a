/**
 * What a language model is to write after what: prompts with completions, and conversations.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { parseJsonLine } from "../../formats/json_file.ts";
import { quoteName, quoteValue, showPath } from "../../formats/messages.ts";
import { readSmallText } from "../../formats/text_file.ts";

/** A piece of an example. */
export interface Piece {
  /** Its text. */
  text: string;
  /** Whether the model learns to write it, or only reads it. */
  learnt: boolean;
}

/** Something to read and something to write, perhaps by turns; learnt pieces alternate with others. */
export interface Example {
  /** In the order in which they stand. */
  pieces: Piece[];
  /** Where it is from, such as `line 3`. */
  place: string;
}

/** One message of a conversation. */
export interface Message {
  /** Who speaks: `assistant` for what the model is to write; any other word for the others. */
  role: string;
  /** What is said. */
  content: string;
}

/** How messages become text, where nobody says otherwise. */
export const CHAT_TEMPLATE = "<|{role}|>\n{content}\n";

/** Whose messages are learnt. */
const WRITER = "assistant";

/** A template in two: what stands before a message's content, and after it. */
function halves(template: string): [before: string, after: string] {
  const parts = template.split("{content}");
  if (parts.length === 2) return [parts[0], parts[1]];
  throw new VitrailError(
    `Cannot use the template ${quoteName(template)}: it has {content} ${parts.length - 1} times, ` +
      "wanted once, and {role} where the speaker's name stands",
  );
}

/** Adds a piece, or lengthens the last one if it is of the same kind. */
function append(pieces: Piece[], piece: Piece): void {
  const last = pieces.at(-1);
  if (last?.learnt === piece.learnt) last.text += piece.text;
  else if (piece.text !== "") pieces.push({ ...piece });
}

/**
 * A conversation as pieces. Of a message of the assistant, its content and what the template puts
 * behind it are learnt, so that a model learns to end its turn; all else is only read.
 *
 * @param options.template each message, with `{role}` and `{content}`
 * @param options.reply end with what stands before the assistant's next message, for the model to go on
 * @throws {VitrailError} if the template does not hold `{content}` once
 *
 * @example
 * ```ts
 * import { chatPieces } from "./completions.ts";
 *
 * const pieces = chatPieces([{ role: "user", content: "Hail!" }], {
 *   template: "{role}: {content}\n",
 *   reply: true,
 * });
 * console.log(pieces[0].text); // "user: Hail!\nassistant: "
 * ```
 */
export function chatPieces(
  messages: readonly Message[],
  options: { template?: string; reply?: boolean } = {},
): Piece[] {
  const [before, after] = halves(options.template ?? CHAT_TEMPLATE);
  // Functions: a `$` in a replacement text would stand for something else.
  const named = (text: string, role: string): string => text.replaceAll("{role}", () => role);
  const pieces: Piece[] = [];
  for (const { role, content } of messages) {
    const learnt = role === WRITER;
    append(pieces, { text: named(before, role), learnt: false });
    append(pieces, { text: content + named(after, role), learnt });
  }
  if (options.reply) append(pieces, { text: named(before, WRITER), learnt: false });
  return pieces;
}

/**
 * The example in a record: `prompt` and `completion`, or `messages` with `role` and `content` each.
 * Nothing, if the record has neither.
 *
 * @throws {VitrailError} if a field is of the wrong kind, or nothing is left to learn
 */
export function parseExample(
  record: Record<string, unknown>,
  options: { template?: string; place?: string } = {},
): Example | undefined {
  const { template, place = "the record" } = options;
  const refuse = (reason: string): VitrailError => new VitrailError(`${place} ${reason}`);
  const { prompt, completion, messages } = record ?? {};
  if (prompt !== undefined || completion !== undefined) {
    for (const [field, value] of Object.entries({ prompt, completion })) {
      if (typeof value === "string") continue;
      throw refuse(`has ${quoteValue(value)} as ${field}, wanted a text`);
    }
    if (completion === "") throw refuse("has an empty completion; nothing is left to learn");
    const pieces: Piece[] = [];
    append(pieces, { text: prompt as string, learnt: false });
    append(pieces, { text: completion as string, learnt: true });
    return { pieces, place };
  }
  if (messages === undefined) return undefined;
  if (!Array.isArray(messages) || messages.length === 0) {
    throw refuse(`has ${quoteValue(messages)} as messages, wanted a list of them`);
  }
  for (const message of messages) {
    const { role, content } = (message ?? {}) as Partial<Message>;
    if (typeof role === "string" && typeof content === "string") continue;
    throw refuse(`has the message ${quoteValue(message)}, wanted role and content, both texts`);
  }
  if (!messages.some(({ role, content }) => role === WRITER && content !== "")) {
    throw refuse(`has no message of the ${WRITER}; nothing is left to learn`);
  }
  return { pieces: chatPieces(messages, { template }), place };
}

const isJsonLines = (path: string): boolean => /\.(jsonl|ndjson)$/.test(path);

/**
 * Whether a source is a JSONL file of examples, by its first record; other sources are plain text.
 *
 * @throws {VitrailError} if the file cannot be read
 */
export function hasExamples(source: string): boolean {
  if (!isJsonLines(source)) return false;
  for (const { record } of records(source)) {
    return ["prompt", "completion", "messages"].some((field) => record?.[field] !== undefined);
  }
  return false;
}

/**
 * All examples of a JSONL file. Empty lines are left out.
 *
 * @throws {VitrailError} with the line of the first record that is no example
 */
export function readExamples(path: string, options: { template?: string } = {}): Example[] {
  const found: Example[] = [];
  for (const { record, place } of records(path)) {
    let example: Example | undefined;
    try {
      example = parseExample(record, { ...options, place });
    } catch (error) {
      if (!(error instanceof VitrailError) || !error.message.startsWith(place)) throw error;
      throw new VitrailError(`Cannot read ${showPath(path)}: ${error.message}`);
    }
    if (!example) {
      throw new VitrailError(
        `Cannot read ${showPath(path)}: ${place} has neither prompt and completion nor messages`,
      );
    }
    found.push(example);
  }
  if (found.length > 0) return found;
  throw new VitrailError(`Cannot use ${showPath(path)}: it holds no record`);
}

function* records(path: string): Generator<{ record: Record<string, unknown>; place: string }> {
  for (const [i, line] of readSmallText(path).split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = `line ${i + 1}`;
    const record = parseJsonLine(line, (reason) =>
      new VitrailError(
        `Cannot read ${showPath(path)}: ${place} ${reason}; wanted one record a line`,
      ));
    yield { record, place };
  }
}
