/**
 * Damages files, reads them, and judges how each attempt ended.
 *
 * @module
 */
import { below, randomOf } from "../../src/data/random.ts";
import { VitrailError } from "../../src/errors.ts";
import { mutate } from "./mutate.ts";
import type { Reader } from "./reader.ts";

/** How an attempt ended. */
export type Verdict = "refused" | "accepted" | "complaint" | "uncaught";

/** One attempt. */
export interface Attempt {
  /** Its number: with the seed, it says all of it. */
  number: number;
  reader: string;
  /** The damaged file. */
  file: string;
  /** What was done to it. */
  what: string;
  /** Bytes of the damaged file. */
  size: number;
  verdict: Verdict;
  /** The error, or what is wrong with what was accepted. */
  message: string;
  milliseconds: number;
}

/**
 * Makes attempt number `number` of a seed, in a directory of its own.
 *
 * @param options.onBegin told the reader, file and mutation before they are tried: a hang tells nothing
 * @param options.keep a folder where accepted mutants are left, for a reference to judge
 */
export async function attempt(
  readers: readonly Reader[],
  { seed, number, onBegin, keep }: {
    seed: number;
    number: number;
    onBegin?: (attempt: Omit<Attempt, "verdict" | "message" | "milliseconds">) => void;
    keep?: string;
  },
): Promise<Attempt> {
  const random = randomOf(seed, number);
  const reader = readers[number % readers.length];
  const damaged = Object.entries(reader.files).filter(([, { kind }]) => kind);
  const [file, { bytes, kind }] = damaged[below(random, damaged.length)];
  const mutant = mutate(bytes, kind!, random);
  const directory = Deno.makeTempDirSync({ prefix: "vitrail-fuzz-" });
  const begun = { number, reader: reader.name, file, what: mutant.what, size: mutant.bytes.length };
  try {
    for (const [name, contents] of Object.entries(reader.files)) {
      Deno.writeFileSync(`${directory}/${name}`, name === file ? mutant.bytes : contents.bytes);
    }
    onBegin?.(begun);
    const since = performance.now();
    let [verdict, message]: [Verdict, string] = ["accepted", ""];
    try {
      const complaint = await reader.read(directory);
      if (complaint !== undefined) [verdict, message] = ["complaint", String(complaint)];
    } catch (error) {
      message = error instanceof Error ? error.stack ?? error.message : String(error);
      verdict = error instanceof VitrailError ? "refused" : "uncaught";
      if (error instanceof VitrailError) {
        message = error.message;
        // deno-lint-ignore no-control-regex -- these are what is looked for
        if (/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/.test(message)) verdict = "complaint";
        if (message.length > 1000) verdict = "complaint";
      }
    }
    if (keep !== undefined && verdict === "accepted") {
      const place = `${keep}/${reader.name.replace(/\W+/g, "_")}`;
      Deno.mkdirSync(place, { recursive: true });
      Deno.writeFileSync(`${place}/${number}.${file}`, mutant.bytes);
    }
    return { ...begun, verdict, message, milliseconds: performance.now() - since };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
