/**
 * Which documents are trained on and which are held out.
 *
 * @module
 */
import { checkOptions, part } from "../formats/option_rules.ts";
import type { Document } from "./sources/documents.ts";

/** The two sides of a dataset. */
export type Side = "train" | "validation";

/** FNV-1a of a text, with its bits mixed once more. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 12)) >>> 0;
}

/** Cuts one document in two at a blank line, or else at a line, near the end of its first part. */
function cut(document: Document, fraction: number): [Document, Document] {
  const { id, text } = document;
  const near = Math.floor(text.length * (1 - fraction));
  const found = ["\n\n", "\n", " "].map((mark) => text.lastIndexOf(mark, near) + mark.length)
    .find((at) => at > text.length / 4 && at < text.length) ?? near;
  return [{ id: `${id}:head`, text: text.slice(0, found) }, {
    id: `${id}:tail`,
    text: text.slice(found),
  }];
}

/**
 * Gives each document its side, in the order in which they come.
 *
 * The hash of its group, or of its text, decides: a copy of a document and the other parts of its
 * file are on the same side. Where that would leave a side empty, the last document is cut and its
 * tail held out.
 *
 * @param fraction part of the documents that is held out, 0 for none
 */
export async function* splitDocuments(
  documents: AsyncIterable<Document>,
  fraction: number,
): AsyncGenerator<{ side: Side; document: Document }> {
  checkOptions("Cannot hold documents out", { fraction }, { fraction: part });
  const sideOf = ({ group, text }: Document): Side =>
    hash(group ?? text) / 2 ** 32 < fraction ? "validation" : "train";
  const given = { train: 0, validation: 0 };
  // The latest document waits, in case one side is still empty when it turns out to be the last.
  let waiting: Document | undefined;
  for await (const document of documents) {
    if (waiting) {
      const side = sideOf(waiting);
      given[side]++;
      yield { side, document: waiting };
    }
    waiting = document;
  }
  if (!waiting) return;
  const side = sideOf(waiting);
  const other: Side = side === "train" ? "validation" : "train";
  if (fraction > 0 && given[other] === 0 || side === "validation" && given.train === 0) {
    const [head, tail] = cut(waiting, fraction);
    if (head.text !== "") yield { side: "train", document: head };
    if (tail.text !== "") yield { side: "validation", document: tail };
  } else {
    yield { side, document: waiting };
  }
}
