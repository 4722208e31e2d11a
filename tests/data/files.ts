/**
 * Folders of files for the tests of this part.
 *
 * @module
 */
import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";

/** A folder that is removed at the end of its scope. */
export interface Folder extends Disposable {
  /** Its path. */
  path: string;
  /** The path of something in it. */
  at(name: string): string;
}

/** Makes a folder with files; names may hold folders. */
export function folder(files: Record<string, string | Uint8Array> = {}): Folder {
  const path = Deno.makeTempDirSync({ prefix: "vitrail data " });
  for (const [name, contents] of Object.entries(files)) {
    const file = `${path}/${name}`;
    Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    if (typeof contents === "string") Deno.writeTextFileSync(file, contents);
    else Deno.writeFileSync(file, contents);
  }
  return {
    path,
    at: (name) => `${path}/${name}`,
    [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
  };
}

/** Asserts that a promise fails with an error of one line that a user can mend. */
export async function rejects(promise: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error: Error) => {
    assert.ok(error instanceof VitrailError, `${error.stack}`);
    assert.match(error.message, message);
    assert.ok(!error.message.includes("\n"), error.message);
    return true;
  });
}
