/**
 * Runs cli.ts as the launcher does: in a process of its own, with the launcher's permissions.
 *
 * @module
 */
import { resolve } from "node:path";
import { permissionsOf } from "../../src/cli/permissions.ts";

const ROOT = new URL("../../", import.meta.url);
const path = (name: string): string => new URL(name, ROOT).pathname;

/** Variables as the launcher grants them. */
const VARIABLES = Deno.readTextFileSync(path("vitrail")).match(/--allow-env=\S+/)![0];
/** Where the packages lie that corpora come in. */
const PACKAGES = new URL(import.meta.resolve("npm:commander@^14.0.0")).pathname
  .replace(/\/npm\/.*/, "/npm");
const TEMPORARY = ".vitrail-01234567-89ab.tmp";

/** What a process left. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * The command line that starts cli.ts with these arguments in a folder, with the permissions that the
 * launcher grants them, or those of another command line.
 */
export function cliCommand(
  args: readonly string[],
  { cwd, cache, granted = args }: { cwd: string; cache?: string; granted?: readonly string[] },
): string[] {
  const { read, write } = permissionsOf(granted, {
    cwd,
    packages: PACKAGES,
    cache: cache ? resolve(cwd, cache) : undefined,
    temporary: TEMPORARY,
  });
  return [
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--no-remote",
    "--config",
    path("deno.json"),
    VARIABLES,
    ...read.map((place) => `--allow-read=${place}`),
    ...write.map((place) => `--allow-write=${place}`),
    path("cli.ts"),
    ...args,
  ];
}

/** Runs any command in a folder. */
export async function runCommand(
  [command, ...args]: readonly string[],
  { cwd, input, cache = "" }: { cwd: string; input?: string; cache?: string },
): Promise<Outcome> {
  const child = new Deno.Command(command, {
    args,
    cwd,
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    // Without a folder of this kind, Vulkan drivers complain on stderr; the launcher makes one too.
    // Nothing is measured unless a test is about that: what others see must not hang on which kernels
    // are fast here.
    env: {
      XDG_RUNTIME_DIR: cwd,
      NO_COLOR: "1",
      VITRAIL_CACHE: cache,
      VITRAIL_TEMPORARY: TEMPORARY,
    },
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs cli.ts in a folder. */
export function runCli(
  args: readonly string[],
  options: { cwd: string; input?: string; cache?: string; granted?: readonly string[] },
): Promise<Outcome> {
  return runCommand(cliCommand(args, options), options);
}

/** Every file below a folder and its bytes, to tell whether any was touched. */
export function snapshot(folder: string, inside = ""): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(`${folder}/${inside}`)) {
    const place = `${inside}${name}`;
    if (isDirectory) Object.assign(files, { [place + "/"]: "" }, snapshot(folder, `${place}/`));
    else files[place] = Deno.readFileSync(`${folder}/${place}`).toString();
  }
  return files;
}
