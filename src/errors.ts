/**
 * The one error class for faults that a user can mend.
 *
 * @module
 */

/**
 * A fault whose message names the action, the present state and the wanted one,
 * on one line. The command line prints it without a stack trace.
 *
 * @example
 * ```ts
 * import { VitrailError } from "./errors.ts";
 *
 * const error = new VitrailError(
 *   "Cannot multiply (2, 3) by (4, 5): inner dimensions must match, got 3 and 4",
 * );
 * console.log(error.name); // "VitrailError"
 * ```
 */
export class VitrailError extends Error {
  /** Always `VitrailError`. */
  override name = "VitrailError";
}
