/**
 * Names of classes of calls: calls of one class share the variant that a tuner found for it.
 *
 * @module
 */

/** A size up to the next power of two. */
export const sizeClass = (size: number): number => 2 ** Math.ceil(Math.log2(size));

/** Such as `matmul 256x128x512 bias`: the kernel, its sizes, and what else tells calls apart. */
export function callClass(
  kernel: string,
  sizes: readonly number[],
  words: readonly (string | false | undefined)[] = [],
): string {
  return [kernel, sizes.join("x"), ...words].filter(Boolean).join(" ");
}
