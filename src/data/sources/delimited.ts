/**
 * Tables of text: rows of cells between commas, tabs, semicolons or bars, with the line of each.
 *
 * @module
 */
import type { VitrailError } from "../../errors.ts";
import { quoteName } from "../../formats/messages.ts";

/** A row and where it begins. */
export interface TableRow {
  /** Its cells. */
  cells: string[];
  /** Number of its first line, from 1. */
  line: number;
}

/** A table with its line of names. */
export interface Table {
  /** The names of its columns. */
  header: string[];
  /** The rows below them, each with as many cells. */
  rows: TableRow[];
}

/** How cells are told apart. */
interface Dialect {
  /** Stands between cells. */
  delimiter: string;
  /** Whether a cell may stand in double quotes, with a quote in it doubled. */
  quotes: boolean;
}

/** What is wrong with a line. */
class TableFault extends Error {}

/** What may stand between cells, and its name. */
const DELIMITERS: Record<string, string> = {
  ",": "comma",
  "\t": "tab",
  ";": "semicolon",
  "|": "bar",
};

/**
 * Reads a table whose first line names its columns. Cells are read as Python's `csv` reads them.
 *
 * What stands between cells is decided by the line of names: commas (tabs if `tabs`), or whatever else
 * separates names that are those looked for. Between tabs, quotes have a meaning only if the file can be read
 * so as a whole: pandas writes such files, and others have quotes that open and never close.
 *
 * @param options.missing says what is wrong with names; nothing if they are those that are looked for
 * @param options.tabs whether tabs are likelier than commas
 * @param options.refuse makes the error from what is wrong
 * @throws {VitrailError} if the text is empty or has other names, or at a line whose quotes or columns
 * are wrong
 */
export function readTable(
  content: string,
  options: {
    missing: (header: readonly string[]) => string | undefined;
    tabs: boolean;
    refuse: (reason: string) => VitrailError;
  },
): Table {
  const { missing, tabs, refuse } = options;
  // Excel says in a line of its own what it puts between cells.
  const text = content.replace(/^sep=.(?=\r?\n)/i, "");
  const likely = tabs ? "\t" : ",";
  const headers = [likely, ...Object.keys(DELIMITERS).filter((other) => other !== likely)]
    .map((delimiter) => ({ delimiter, header: headerOf(text, delimiter) }));
  if (headers[0].header.length === 0) {
    throw refuse("it is empty; wanted a line of names and records below it");
  }
  // Where no delimiter gives the names, the one that tells most names apart is complained about.
  const { delimiter, header } = headers.find(({ header }) => missing(header) === undefined) ??
    headers.reduce((most, next) => next.header.length > most.header.length ? next : most);
  const fault = missing(header);
  if (fault !== undefined) throw refuse(fault);
  const read = (quotes: boolean): Table | TableFault => tableOf(text, { delimiter, quotes });
  const found = delimiter === "\t" ? betweenTabs(text, read) : read(true);
  if (found instanceof TableFault) throw refuse(found.message);
  return found;
}

/** The names in the first line; none if they cannot be told apart so. */
function headerOf(text: string, delimiter: string): string[] {
  try {
    for (const { cells } of rowsOf(text, { delimiter, quotes: true })) return cells;
  } catch (error) {
    if (!(error instanceof TableFault)) throw error;
    for (const { cells } of rowsOf(text, { delimiter, quotes: false })) return cells;
  }
  return [];
}

/** A cell between quotes, on one line, with all quotes in it doubled. */
const QUOTED_CELL = /(?:^|\t)"((?:[^"\t\n\r]|"")*)"(?=\t|\r?$)/gm;

/** A table between tabs, with quotes or without: see {@linkcode readTable}. */
function betweenTabs(
  text: string,
  read: (quotes: boolean) => Table | TableFault,
): Table | TableFault {
  const plain = read(false);
  if (!/(^|\t)"/m.test(text)) return plain;
  const quoted = read(true);
  if (quoted instanceof TableFault) return plain;
  if (plain instanceof TableFault) return quoted;
  // Where both ways give whole rows, a quote that holds a tab or a line break has not closed, unless other
  // cells double their quotes, which is done for no other reason.
  const runsOn = quoted.rows.some(({ cells }) => cells.some((cell) => /[\t\n\r]/.test(cell)));
  const doubles = () => text.matchAll(QUOTED_CELL).some(([, inside]) => inside.includes('""'));
  return runsOn && !doubles() ? plain : quoted;
}

function tableOf(text: string, dialect: Dialect): Table | TableFault {
  try {
    const rows = rowsOf(text, dialect);
    const header: string[] = rows.next().value?.cells ?? [];
    const found: TableRow[] = [];
    for (const row of rows) {
      const { cells, line } = row;
      if (cells.length !== header.length) {
        const name = DELIMITERS[dialect.delimiter];
        const advice = cells.length > header.length
          ? dialect.quotes
            ? `quote texts that hold a ${name}`
            : `a text holds a ${name}, or its quotes do not close`
          : "each line needs a cell for every column, and a text over several lines double quotes";
        throw new TableFault(
          `line ${line} has ${cells.length} columns, line 1 has ${header.length}; ${advice}`,
        );
      }
      found.push(row);
    }
    return { header, rows: found };
  } catch (error) {
    if (error instanceof TableFault) return error;
    throw error;
  }
}

/** Rows of cells; lines with nothing but blanks are left out. */
function* rowsOf(text: string, { delimiter, quotes }: Dialect): Generator<TableRow, undefined> {
  const stop = new RegExp(`[${delimiter}\\n\\r]|$`, "g");
  const [QUOTE, end] = ['"', text.length];
  let [at, line] = [0, 1];
  const fault = (reason: string): TableFault => new TableFault(`line ${line} ${reason}`);
  while (at < end) {
    const begin = at;
    const row: TableRow = { cells: [], line };
    for (;;) {
      let cell: string;
      if (quotes && text[at] === QUOTE) {
        const close = closingQuote(text, at);
        if (close < 0) {
          throw fault("opens a quote that never closes; close it, or double a quote in a text");
        }
        cell = text.slice(at + 1, close).replaceAll('""', QUOTE);
        line += cell.split(/\r\n?|\n/).length - 1;
        at = close + 1;
        if (at < end && !`${delimiter}\n\r`.includes(text[at])) {
          const behind = quoteName(text.slice(at, at + 12));
          throw fault(`has ${behind} behind a closing quote; a quote in a text is written ""`);
        }
      } else {
        stop.lastIndex = at;
        const to = stop.exec(text)!.index;
        cell = text.slice(at, to);
        at = to;
        if (quotes && delimiter !== "\t" && /^ +"/.test(cell)) {
          throw fault(
            `has a blank before a quote, which then is part of the text; write ${
              DELIMITERS[delimiter]
            } ` +
              "and quote without a blank between",
          );
        }
      }
      row.cells.push(cell);
      if (text[at] !== delimiter) break;
      at++;
    }
    const blank = row.cells.length === 1 && text.slice(begin, at).trim() === "";
    if (at < end) {
      at += text.startsWith("\r\n", at) ? 2 : 1;
      line++;
    }
    if (!blank) yield row;
  }
}

/** The quote that closes the one at `open`; -1 if none does. */
function closingQuote(text: string, open: number): number {
  for (let at = open + 1;; at += 2) {
    at = text.indexOf('"', at);
    if (at < 0 || text[at + 1] !== '"') return at;
  }
}
