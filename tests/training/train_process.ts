/** Starts `train` as the launcher does, in a process that tests may kill. @module */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const VARIABLES =
  "NO_COLOR,FORCE_COLOR,CLICOLOR_FORCE,VK_DRIVER_FILES,VK_ICD_FILENAMES,VITRAIL_CACHE,VITRAIL_NOHUP";

/** How a process ended. */
export interface Ended {
  code: number;
  stderr: string;
}

/**
 * Starts `train --out directory` with flags; only the folder of `directory` may be written, where the
 * winners of the tuner are kept as well.
 */
export function startTrain(
  directory: string,
  flags: string[],
  variables: Record<string, string> = {},
): {
  kill: (signal: Deno.Signal) => void;
  ended: Promise<Ended>;
} {
  const parent = directory.slice(0, directory.lastIndexOf("/"));
  const child = new Deno.Command(Deno.execPath(), {
    cwd: parent,
    args: [
      "run",
      "--no-prompt",
      "--no-remote",
      "--config",
      `${ROOT}deno.json`,
      `--allow-write=${parent}`,
      "--allow-read",
      "--allow-write=.",
      `--allow-env=${VARIABLES}`,
      `${ROOT}cli.ts`,
      "train",
      "--out",
      directory,
      ...flags,
    ],
    env: { VITRAIL_CACHE: parent, ...variables },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const text = new Response(child.stderr).text();
  const ended = (async () => ({ code: (await child.status).code, stderr: await text }))();
  return { kill: (signal) => child.kill(signal), ended };
}

/** Runs `train` to its end, which must be a good one. */
export async function runTrain(directory: string, flags: string[]): Promise<string> {
  const { code, stderr } = await startTrain(directory, flags).ended;
  assert.equal(code, 0, stderr);
  return stderr;
}

/** Text of 26 words in no order, from a seed, with a paragraph now and then. */
export function makeText(words: number, seed: number): string {
  const random = mulberry32(seed);
  let text = "";
  for (let i = 0; i < words; i++) {
    const letter = Math.floor(26 * random() * random());
    const word = String.fromCharCode(97 + letter).repeat(1 + letter % 3) + "ea";
    text += word + (random() < 0.05 ? ".\n\n" : random() < 0.1 ? ", " : " ");
  }
  return text;
}

/** A generator of numbers in [0, 1). */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let h = Math.imul(state ^ (state >>> 15), state | 1);
    h ^= h + Math.imul(h ^ (h >>> 7), h | 61);
    return ((h ^ (h >>> 14)) >>> 0) / 2 ** 32;
  };
}
