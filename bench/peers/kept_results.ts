/**
 * The file in which the comparisons on an adapter are kept: a problem that is run again takes the place
 * of its last result.
 *
 * @module
 */
import type { Comparison } from "./compare.ts";

interface KeptResults {
  adapter: string;
  software: boolean;
  deno: string;
  comparisons: Comparison[];
}

const ROOT = new URL("../../", import.meta.url);

/** Writes comparisons among those of earlier runs, and returns the path within the repository. */
export function keep(
  comparisons: readonly Comparison[],
  { adapter, software }: { adapter: string; software: boolean },
): string {
  const name = adapter.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "");
  const path = `bench/results/peers_${name}.json`;
  const key = ({ task, label }: Comparison): string => `${task} ${label}`;
  const all = new Map(
    [...earlier(new URL(path, ROOT)), ...comparisons].map((comparison) => [
      key(comparison),
      comparison,
    ]),
  );
  const results: KeptResults = {
    adapter,
    software,
    deno: Deno.version.deno,
    comparisons: [...all.values()],
  };
  Deno.mkdirSync(new URL("bench/results/", ROOT), { recursive: true });
  Deno.writeTextFileSync(new URL(path, ROOT), JSON.stringify(results, short, 2) + "\n");
  return path;
}

function earlier(file: URL): Comparison[] {
  try {
    return (JSON.parse(Deno.readTextFileSync(file)) as KeptResults).comparisons;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Six digits are more than any figure here is good for. */
function short(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value;
}
