/**
 * The order of labels, which is the order of a model's outputs, and labels that are given by their ids.
 *
 * @module
 */

/** A number as tables write it. */
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** A label's id. */
const ID = /^\d+$/;

/**
 * Labels, each once, in their order: by value if all are numbers, else by their characters, as Python
 * sorts both.
 *
 * @param own the labels of a model: where they are the same ones, they are in this order
 */
export function orderLabels(labels: Iterable<string>, own: readonly string[] = []): string[] {
  const all = new Set(labels);
  if (own.length === all.size && own.every((label) => all.has(label))) return [...own];
  const sorted = [...all].sort(byCodePoints);
  const numbers = sorted.every((label) => NUMBER.test(label));
  return numbers ? sorted.sort((a, b) => Number(a) - Number(b)) : sorted;
}

/** JavaScript compares UTF-16 units, by which an emoji comes before some letters of one unit. */
function byCodePoints(a: string, b: string): number {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  // Half a pair more or less: the units before were equal, so both are in the same half.
  const [x, y] = [a, b].map((text) => i < text.length ? rank(text.charCodeAt(i)) : -1);
  return x - y;
}

/** Places surrogates behind all units that are a character alone. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

/**
 * The label of a model that a data set means: the label itself, or its id, as `datasets` has labels,
 * where no label of the model is a number.
 *
 * @returns nothing if the model has no such label
 */
export function labelOfModel(label: string, own: readonly string[]): string | undefined {
  if (own.includes(label)) return label;
  return ID.test(label) && !own.some((name) => NUMBER.test(name)) ? own[Number(label)] : undefined;
}

/** Whether labels are numbers of which some are no integers: what is learnt as numbers, not as classes. */
export function areFractions(labels: readonly string[]): boolean {
  return labels.length > 0 && labels.every((label) => NUMBER.test(label)) &&
    labels.some((label) => !Number.isInteger(Number(label)));
}
