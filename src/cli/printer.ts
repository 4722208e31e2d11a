/**
 * The only place of the command line that writes to standard output and standard error.
 *
 * Labels, tokens, names and texts come from files, and a terminal obeys what stands in them: titles,
 * cursor, clipboard, the order of letters. So everything is printed with its control characters
 * spelled out, `\u001b` for ESC; line breaks and tabs stay. JSON means the same afterwards. The one
 * exception is text that a model wrote or a tokenizer decoded: into a pipe or a file it goes
 * byte by byte, since a program reads it there.
 *
 * @module
 */
import { escapeControls } from "../formats/messages.ts";

/** Stands for the ESC of our own colours until a text is printed; no file can guess it. */
const COLOUR = crypto.randomUUID();

/** Text in colours, such as `97` for white, until the end of it. */
export function coloured(text: string, ...codes: string[]): string {
  return codes.map((code) => `${COLOUR}[${code}m`).join("") + text + `${COLOUR}[0m`;
}

/** A text as a terminal may have it: controls spelled out, our own colours as they are. */
export function rendered(text: string): string {
  return escapeControls(text, { keep: "\n\t" }).replaceAll(COLOUR, "\x1b");
}

let closed = false;

/** From now on, what cannot be printed is dropped: a terminal that was closed takes nothing any more. */
export function outliveTerminal(): void {
  closed = true;
}

/** Calls what prints, which throws where a terminal was closed. */
function toTerminal(write: () => void): void {
  try {
    write();
  } catch (error) {
    // What is to be saved must be saved all the same.
    if (!closed) throw error;
  }
}

/** Prints lines of results to standard output. */
export function print(text: string): void {
  toTerminal(() => console.log(rendered(text)));
}

/** Prints lines about the work itself to standard error, so that results can be piped. */
export function printNotice(text: string): void {
  toTerminal(() => console.error(rendered(text)));
}

/**
 * Writes text that a model wrote or a tokenizer decoded to standard output, without a line break
 * behind it: as it is into a pipe or a file, with controls spelled out on a terminal.
 */
export function printText(text: string, out: Output = Deno.stdout): void {
  write(out.isTerminal() ? rendered(text) : text, out);
}

/** Shows a line on standard error that the next one replaces; nothing where that is no terminal. */
export function printPassing(text: string): void {
  if (Deno.stderr.isTerminal()) write(`\r\x1b[K${escapeControls(text)}`, Deno.stderr);
}

/** Has what the library warns of, on the console, printed like all else. */
export function printWarnings(): void {
  console.warn = (...words) => printNotice(words.join(" "));
}

/** Whether a person looks at standard output. */
export function isTerminal(): boolean {
  return Deno.stdout.isTerminal();
}

/** What is written to: `Deno.stdout` is one. */
export interface Output {
  /** Writes some of the bytes and returns how many. */
  writeSync(bytes: Uint8Array): number;
  /** Whether a person looks at it. */
  isTerminal(): boolean;
}

function write(text: string, out: Output): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += out.writeSync(bytes.subarray(at));
  } catch (error) {
    // The reader of a pipe has seen enough, as `head` does; `console.log` says nothing then either.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
