/**
 * The part of csv-parse that is used. Its own declarations ask for those of Node.
 *
 * @module
 */

/** What a record is and where it ends. */
export interface ParsedRecord {
  /** Its cells. */
  record: string[];
  /** Counters behind its last cell. */
  info: {
    /** Number of the line, from 1. */
    lines: number;
  };
}

/** The options in use. */
export interface ParseOptions {
  /** Return `ParsedRecord`s. */
  info: true;
  /** Leave out lines with nothing in them. */
  skipEmptyLines: boolean;
  /** Stands between cells. */
  delimiter: string;
  /** Stands around a cell; null for none. */
  quote: string | null;
  /** Do not throw at records of other lengths. */
  relaxColumnCount: boolean;
}

/** Throws an error that has the number of the line in `lines`. */
export function parse(text: string, options: ParseOptions): ParsedRecord[];
