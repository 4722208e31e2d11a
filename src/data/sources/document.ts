/** One text of a source. @module */

/** One text that belongs together. */
export interface Document {
  /** Where it is from. */
  id: string;
  /** Its text. */
  text: string;
  /** Equal for the parts of one file in a folder, and for copies of it: they are never split up. */
  group?: string;
}
