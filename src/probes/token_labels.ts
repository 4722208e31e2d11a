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

/** A token as it stands in running text: WordPiece leaves out the spaces, byte-level tokens bring their own. */
export function asWritten(token: string, bringsSpaces: boolean): string {
  if (bringsSpaces) return token;
  return token.startsWith("##") ? token.slice(2) : ` ${token}`;
}
