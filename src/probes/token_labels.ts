/**
 * Tokens as labels of axes and heads of columns.
 *
 * @module
 */

/** One token such that it can be seen: signs for line breaks, tabs and a space before a word. */
export function tokenLabel(token: string): string {
  const seen = token.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replace(/^ /, "␣");
  return seen === "" ? "∅" : seen;
}

/** Tokens with their places, so that no two labels are the same. */
export function placeLabels(tokens: readonly string[]): string[] {
  return tokens.map((token, i) => `${i} ${tokenLabel(token)}`);
}
