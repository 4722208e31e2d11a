/**
 * The Brown corpus as short texts with their genres.
 *
 * @module
 */
import { checkOptions, count } from "../../formats/option_rules.ts";
import { corpusDocuments } from "../sources/corpora.ts";

/** The 15 genres by the letter in the names of their files (Francis & Kučera 1979). */
export const BROWN_GENRES: Record<string, string> = {
  a: "news",
  b: "editorial",
  c: "reviews",
  d: "religion",
  e: "hobbies",
  f: "lore",
  g: "belles lettres",
  h: "government",
  j: "learned",
  k: "fiction",
  l: "mystery",
  m: "science fiction",
  n: "adventure",
  p: "romance",
  r: "humor",
};

/** A text of one class. */
export interface ClassText {
  /** Its text. */
  text: string;
  /** Its class. */
  label: string;
  /** Equal for the texts of one document: they are never split up. */
  group: string;
}

/**
 * Passages of whole sentences, of `words` words at least but for the last of a document.
 *
 * @throws {VitrailError} if the corpus is not there and cannot be downloaded
 */
export async function brownPassages(words: number): Promise<ClassText[]> {
  checkOptions("Cannot cut Brown into passages", { words }, { words: count });
  const found: ClassText[] = [];
  for await (const { id, text: group } of corpusDocuments("brown")) {
    const label = BROWN_GENRES[id.at(-3)!];
    let passage: string[] = [];
    let length = 0;
    const finish = (): void => {
      if (passage.length > 0) found.push({ text: passage.join(" "), label, group });
      [passage, length] = [[], 0];
    };
    for (const line of group.split("\n").filter((line) => line !== "")) {
      passage.push(line);
      length += line.split(" ").length;
      if (length >= words) finish();
    }
    finish();
  }
  return found;
}
