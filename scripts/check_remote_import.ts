/**
 * Proof: a script that is served over HTTP imports `mod.ts` by its address and generates, in an empty
 * folder, with no configuration and no permission but to import. The same ids come out as here.
 *
 *     deno run --allow-read --allow-write --allow-net=localhost --allow-run scripts/check_remote_import.ts
 *
 * The server is this process; npm packages come from where Deno keeps them. Writing is for the empty
 * folder alone.
 *
 * @module
 */
import { createGptConfig, generate, Gpt, openDevice } from "../mod.ts";

const ROOT = new URL("../", import.meta.url);
const SCRIPT = "/generate_by_address.ts";
const SIZE = { vocabularySize: 10, contextLength: 16, channels: 8, layers: 1, heads: 2 };
const PROMPT = [0, 1, 2];
const OPTIONS = { maxNewTokens: 8, seed: 1 };
const TYPES: Record<string, string> = {
  ts: "application/typescript",
  wgsl: "text/plain; charset=utf-8",
  json: "application/json",
};

/** What a stranger would write. */
const script = (address: string): string => `
import { createGptConfig, generate, Gpt, openDevice } from "${address}/mod.ts";

const device = await openDevice();
const model = new Gpt(device, createGptConfig(${JSON.stringify(SIZE)}));
const [ids] = await generate(model, ${JSON.stringify(PROMPT)}, ${JSON.stringify(OPTIONS)});
console.log(JSON.stringify(ids));
device.destroy();
`;

const served: string[] = [];
const missing: string[] = [];
const server = Deno.serve({ hostname: "localhost", port: 0, onListen: () => {} }, (request) => {
  const { pathname, origin } = new URL(request.url);
  const headers = { "content-type": TYPES[pathname.split(".").at(-1)!] ?? "text/plain" };
  if (pathname === SCRIPT) return new Response(script(origin), { headers });
  try {
    const text = Deno.readTextFileSync(new URL(`.${pathname}`, ROOT));
    served.push(pathname);
    return new Response(text, { headers });
  } catch {
    missing.push(pathname);
    return new Response("not found", { status: 404 });
  }
});

const host = `localhost:${server.addr.port}`;
const folder = Deno.makeTempDirSync({ prefix: "vitrail_remote_" });
try {
  const { success, stdout, stderr } = await new Deno.Command("deno", {
    args: [
      "run",
      "--no-config",
      "--no-lock",
      "--no-prompt",
      `--allow-import=${host}`,
      `http://${host}${SCRIPT}`,
    ],
    cwd: folder,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`the script failed:\n${decoder.decode(stderr)}`);
  const there: number[] = JSON.parse(decoder.decode(stdout));
  const device = await openDevice();
  const model = new Gpt(device, createGptConfig(SIZE));
  const [here] = await generate(model, PROMPT, OPTIONS);
  device.destroy();
  const shaders = served.filter((path) => path.endsWith(".wgsl")).length;
  console.log(`${served.length} files over HTTP, ${shaders} of them shaders`);
  console.log(`ids by address: ${there.join(" ")}`);
  console.log(`ids from here:  ${here.join(" ")}`);
  const left = [...Deno.readDirSync(folder)].map((entry) => entry.name);
  if (there.length !== OPTIONS.maxNewTokens || there.join() !== here.join()) {
    throw new Error("the ids differ");
  }
  if (missing.length > 0) throw new Error(`asked for files that are not there: ${missing}`);
  if (left.length > 0) throw new Error(`the script left files behind: ${left}`);
} catch (cause) {
  console.error(`Cannot import mod.ts by its address: ${(cause as Error).message}`);
  Deno.exitCode = 1;
} finally {
  Deno.removeSync(folder, { recursive: true });
  await server.shutdown();
}
