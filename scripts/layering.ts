/**
 * The rule of the house: which file may import which. Pure functions over what
 * `deno info --json` and the sources say.
 *
 * @module
 */

/** One import: both ends as paths from the root of the repository, with forward slashes. */
export interface Edge {
  /** The importing file. */
  from: string;
  /** What it imports: a path, or a specifier such as `npm:commander@14`. */
  to: string;
  /** The import as it is written. */
  specifier: string;
}

/** Part of what `deno info --json` prints. */
export interface ModuleInfo {
  /** Every module of the graph. */
  modules: {
    specifier: string;
    error?: string;
    dependencies?: {
      specifier: string;
      code?: { specifier?: string };
      type?: { specifier?: string };
    }[];
  }[];
}

/**
 * Levels from the ground up: a folder imports from itself and from levels below its own.
 * Folders on one level are peers and import nothing from one another.
 */
const LEVELS: readonly (readonly string[])[] = [
  ["errors", "project"],
  ["formats", "tokenizers", "data"],
  ["shaders"],
  ["gpu"],
  ["kernels"],
  ["tuning"],
  ["autograd"],
  ["nn"],
  ["optim", "models"],
  ["training", "generation", "inference", "probes"],
  ["profiling"],
  ["mod"],
  ["cli"],
];
/** They import nothing from gpu or above, but one another: data is text that was tokenized. */
const BELOW_GPU = LEVELS[1];
/** Models take ids and never text. */
const TAKE_NO_TEXT = ["gpu", "kernels", "autograd", "nn", "models", "optim"];

/** The part of the house that a path belongs to, if it has one. */
export function partOf(path: string): string | undefined {
  if (path === "mod.ts") return "mod";
  if (path === "cli.ts" || path.startsWith("src/cli/")) return "cli";
  if (path === "deno.json") return "project";
  if (path === "src/errors.ts") return "errors";
  if (path.startsWith("shaders/")) return "shaders";
  return path.match(/^src\/([^/]+)\//)?.[1];
}

/** What is wrong with one import, in words; nothing if it may stay. */
export function checkEdge({ from, to }: Edge): string | undefined {
  if (/^[a-z]+:/.test(to)) return undefined;
  const [importer, imported] = [partOf(from), partOf(to)];
  const level = (part?: string) => LEVELS.findIndex((parts) => parts.includes(part ?? ""));
  const wrong = (reason: string) => `${from} imports ${to}: ${reason}`;
  for (const [path, part] of [[from, importer], [to, imported]]) {
    if (level(part) < 0) return wrong(`${path} has no level; give it one in scripts/layering.ts`);
  }
  if (imported === "shaders" && !["kernels", "gpu"].includes(importer!)) {
    return wrong("only kernels and gpu import shaders");
  }
  if (importer === imported && importer !== "shaders") return undefined;
  if (level(importer) < level(imported)) return wrong(`${importer} lies below ${imported}`);
  if (level(importer) === level(imported) && !BELOW_GPU.includes(importer!)) {
    return wrong(`${importer} and ${imported} lie on one level`);
  }
  if (TAKE_NO_TEXT.includes(importer!) && ["tokenizers", "data"].includes(imported!)) {
    return wrong(`${importer} takes ids and never text`);
  }
  return undefined;
}

/** What is wrong with a specifier in a module that others import by its address. */
export function checkSpecifier({ from, specifier }: Edge): string | undefined {
  if (/^(\.\.?\/|node:)/.test(specifier)) return undefined;
  if (/^npm:(@[^/@]+\/)?[^/@]+@\d+\.\d+\.\d+/.test(specifier)) return undefined;
  return `${from} imports "${specifier}": the import map of this repository does not travel, so ` +
    "write a relative path, node: or npm:name@1.2.3";
}

/** What is wrong with a source: the doors to the device are one file each. */
export function checkSource(path: string, source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, "");
  const faults = [];
  const touchesGpu = /\bnavigator\b[^;\n]*\bgpu\b|\bgpu\b[^;\n]*=[^;\n]*\bnavigator\b/;
  if (path !== "src/gpu/device.ts" && touchesGpu.test(code)) {
    faults.push(`${path} mentions navigator.gpu: only src/gpu/device.ts may`);
  }
  if (path !== "src/gpu/commands.ts" && /\bqueue\s*[?!]?\s*\.\s*submit\b/.test(code)) {
    faults.push(`${path} calls queue.submit: only src/gpu/commands.ts may`);
  }
  return faults;
}

/** The imports of a graph's local modules, with `root` (a `file:` URL ending in `/`) taken off. */
export function edgesOf(info: ModuleInfo, root: string): Edge[] {
  const local = (url: string) => url.startsWith(root) ? decodeURI(url.slice(root.length)) : url;
  return info.modules.filter((m) => m.specifier.startsWith(root)).flatMap((m) =>
    (m.dependencies ?? []).flatMap(({ specifier, code, type }) => {
      const targets = new Set([code?.specifier, type?.specifier].filter((t) => t !== undefined));
      return [...targets].map((to) => ({ from: local(m.specifier), to: local(to), specifier }));
    })
  );
}
