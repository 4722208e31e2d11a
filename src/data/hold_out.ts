/**
 * Examples in two: what is trained on and what is held out, with no document on both sides.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Side } from "./split.ts";
import { splitDocuments } from "./split.ts";

/**
 * Splits examples by the documents that they are from, as a text is split for language modelling: a
 * model that was pre-trained on the same documents with the same fraction has not seen those held out.
 *
 * @param examples each with `group`, the text of its document, or anything equal for its document
 * @param fraction part of the documents that is held out
 * @throws {VitrailError} if all are from one document
 */
export async function holdOut<T extends { group: string }>(
  examples: readonly T[],
  fraction: number,
): Promise<Record<Side, T[]>> {
  const groups = [...new Set(examples.map(({ group }) => group))];
  if (fraction > 0 && groups.length < 2) {
    throw new VitrailError(
      `Cannot hold examples out: all ${examples.length} are from one document; ` +
        "give held-out examples of their own, or hold out the fraction 0",
    );
  }
  async function* documents() {
    for (const group of groups) yield { id: "", text: group, group };
  }
  const sides = new Map<string, Side>();
  for await (const { side, document } of splitDocuments(documents(), fraction)) {
    if (document.group !== undefined) sides.set(document.group, side);
  }
  // Had all been on one side, the last document was cut: it goes whole to the side that is empty.
  const last = groups.at(-1)!;
  if (groups.length > 0 && !sides.has(last)) {
    sides.set(last, [...sides.values()].includes("train") ? "validation" : "train");
  }
  const found: Record<Side, T[]> = { train: [], validation: [] };
  for (const example of examples) found[sides.get(example.group)!].push(example);
  return found;
}
