/**
 * Bytes to text as they arrive: checked, with one kind of line end, in documents of bounded size or whole.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { describeIoError, showPath } from "../../formats/messages.ts";

/** Characters of one document of a long text, about: it is cut at the next blank line. */
const DOCUMENT_LENGTH = 1 << 16;

/** Characters of a text that is held whole: V8's strings end a little beyond. */
const LONGEST_TEXT = 500_000_000;

/**
 * The text of a stream of bytes. A byte-order mark at the beginning is left out.
 *
 * @param name what to call the stream in errors
 * @throws {VitrailError} at the first byte that is no UTF-8, or is NUL: the file is no text
 */
export async function* decoded(
  name: string,
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const refuse = (at: number, found = ""): VitrailError =>
    new VitrailError(
      `Cannot read ${name}: it is not UTF-8 text (byte ${at})${found}; give a text file, or convert it ` +
        "first",
    );
  let read = 0;
  try {
    for await (const bytes of stream) {
      let text: string;
      try {
        text = decoder.decode(bytes, { stream: true });
      } catch {
        throw isUtf16(bytes) && read === 0
          ? refuse(0, " but UTF-16")
          : refuse(read + firstBroken(bytes));
      }
      if (text.includes("\0")) throw refuse(read + bytes.indexOf(0));
      read += bytes.length;
      yield text;
    }
  } catch (error) {
    if (error instanceof VitrailError) throw error;
    throw new VitrailError(`Cannot read ${name}: ${describeIoError(error)}`, { cause: error });
  }
  try {
    yield decoder.decode();
  } catch {
    throw refuse(read);
  }
}

/** Whether bytes begin with the byte-order mark of UTF-16, which is what Excel's "Unicode text" is. */
function isUtf16([first, second]: Uint8Array): boolean {
  return first === 0xff && second === 0xfe || first === 0xfe && second === 0xff;
}

/** Where bytes stop being UTF-8, after the end of a character that may have begun before them. */
function firstBroken(bytes: Uint8Array): number {
  let at = 0;
  while (at < 3 && (bytes[at] & 0xc0) === 0x80) at++;
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (; at < bytes.length; at++) {
    try {
      decoder.decode(bytes.subarray(at, at + 1), { stream: true });
    } catch {
      return at;
    }
  }
  return 0;
}

/** Text with `\n` in place of `\r\n`, also where the two arrive apart. */
export async function* withPlainLines(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let held = "";
  for await (const piece of pieces) {
    const text = (held + piece).replaceAll("\r\n", "\n");
    held = text.endsWith("\r") ? "\r" : "";
    yield text.slice(0, text.length - held.length);
  }
  yield held;
}

/**
 * A long text in parts of 64 Ki characters to twice that, cut at a blank line, or else at a line, a
 * blank, or anywhere. However long the text, no more than that is held.
 */
export async function* parts(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let pending = "";
  for await (const piece of pieces) {
    pending += piece;
    let begin = 0;
    for (;;) {
      const cut = placeToCut(pending, begin);
      if (cut === undefined) break;
      yield pending.slice(begin, cut);
      begin = cut;
    }
    pending = pending.slice(begin);
  }
  if (pending !== "") yield pending;
}

/** Where the part that begins at `begin` ends; nothing if that is not in the text yet. */
function placeToCut(text: string, begin: number): number | undefined {
  const [least, most] = [begin + DOCUMENT_LENGTH, begin + 2 * DOCUMENT_LENGTH];
  if (text.length <= least) return undefined;
  const blankLine = text.indexOf("\n\n", least);
  if (blankLine >= 0 && blankLine + 2 <= most) return blankLine + 2;
  if (text.length <= most) return undefined;
  const line = text.lastIndexOf("\n", most - 1);
  if (line >= least) return line + 1;
  const blank = text.lastIndexOf(" ", most - 1);
  if (blank >= least) return blank;
  const code = text.charCodeAt(most - 1);
  return code >= 0xd800 && code < 0xdc00 ? most - 1 : most;
}

/** What to call a source in messages: `-` is standard input. */
export function sourceName(source: string): string {
  return source === "-" ? "standard input" : showPath(source);
}

/** The whole of a text file, or of standard input for `-`, checked to be UTF-8. */
export async function readText(path: string): Promise<string> {
  let stream = Deno.stdin.readable;
  try {
    if (path !== "-") stream = (await Deno.open(path)).readable;
  } catch (cause) {
    throw new VitrailError(`Cannot read ${showPath(path)}: ${describeIoError(cause)}`, { cause });
  }
  const pieces: string[] = [];
  let length = 0;
  for await (const piece of withPlainLines(decoded(sourceName(path), stream))) {
    pieces.push(piece);
    length += piece.length;
    if (length <= LONGEST_TEXT) continue;
    throw new VitrailError(
      `Cannot read ${
        sourceName(path)
      }: it is longer than ${LONGEST_TEXT} characters, which is more ` +
        "than one text may have; divide it",
    );
  }
  return pieces.join("");
}
