/**
 * Fails if a source, shader, script or style of a page is longer than 400 lines: it then has more than one
 * purpose.
 *
 * @module
 */

/** The most lines that a file may have. */
export const MAX_LINES = 400;

/** The number of lines of a text; a last line need not end in a line break. */
export function countLines(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

/** Paths of the sources below a folder, hidden folders and fixtures left out. */
export function* sourcesBelow(folder: string): Generator<string> {
  for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
    if (name.startsWith(".") || ["node_modules", "fixtures", "coverage", "runs"].includes(name)) {
      continue;
    }
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sourcesBelow(path);
    else if (isFile && /\.(ts|wgsl|js|css)$/.test(name)) yield path;
  }
}

if (import.meta.main) {
  const lengths = [...sourcesBelow(".")].map((path) =>
    [path, countLines(Deno.readTextFileSync(path))] as const
  );
  const tooLong = lengths.filter(([, lines]) => lines > MAX_LINES);
  for (const [path, lines] of tooLong) {
    console.error(`${path} has ${lines} lines, at most ${MAX_LINES} are wanted: split it`);
  }
  console.log(`Checked the length of ${lengths.length} files`);
  if (tooLong.length > 0) Deno.exit(1);
}
