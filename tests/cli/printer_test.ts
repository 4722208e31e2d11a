/** What reaches a terminal: nothing that it would obey, whatever files and names hold. @module */

import assert from "node:assert/strict";
import { paintTokens } from "../../src/cli/paint.ts";
import { coloured, type Output, printText, rendered } from "../../src/cli/printer.ts";
import { folder } from "../data/files.ts";
import { runCli } from "./run_cli.ts";

const HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\x7f\u202egnp.exe\u2066\u2028\x00";
const SHOWN = "\\u001b]0;owned\\u0007\\u001b[2J\\u000d\\u009b31m\\u007f\\u202egnp.exe" +
  "\\u2066\\u2028\\u0000";
// deno-lint-ignore no-control-regex
const OBEYED = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/;

Deno.test("controls are spelled out; line breaks, tabs, other scripts and our colours stay", () => {
  assert.equal(rendered(HOSTILE), SHOWN);
  assert.equal(rendered("a\n\tשלום 日本語 😀\n"), "a\n\tשלום 日本語 😀\n");
  assert.equal(
    rendered(coloured(HOSTILE, "48;5;17", "97")),
    `\x1b[48;5;17m\x1b[97m${SHOWN}\x1b[0m`,
  );
  const painted = rendered(paintTokens([{ text: HOSTILE, value: 1 }], true));
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(painted.replace(/\x1b\[(48;5;\d+|97|0)m/g, ""), OBEYED);
  // JSON means the same with its controls spelled out.
  assert.equal(JSON.parse(rendered(JSON.stringify(HOSTILE))), HOSTILE);
});

Deno.test("text of a model is exact in a pipe, and safe on a terminal", () => {
  const shown = (terminal: boolean): string => {
    const bytes: number[] = [];
    const out: Output = {
      // A pipe that takes a few bytes at a time.
      writeSync: (some) => bytes.push(...some.subarray(0, 7)) && Math.min(7, some.length),
      isTerminal: () => terminal,
    };
    printText(HOSTILE + "\n", out);
    return new TextDecoder().decode(Uint8Array.from(bytes));
  };
  assert.equal(shown(false), HOSTILE + "\n");
  assert.equal(shown(true), SHOWN + "\n");
  const closed: Output = {
    writeSync: () => {
      throw new Deno.errors.BrokenPipe();
    },
    isTerminal: () => false,
  };
  printText("seen enough", closed);
});

Deno.test("paths, names and labels of the command line and of files do not reach a terminal raw", async () => {
  const name = "\x1b]0;owned\x07\u202e.csv";
  using files = folder({ [name]: "text,label\na,x\x1b[2J\nb,\x9b31m" });
  const refused = [
    ["data", `${HOSTILE.replace("\x00", "")}.txt`],
    [`tr\x1b[2Jain`],
    ["generate", `--model=${HOSTILE.replace("\x00", "")}`, "--prompt", "x"],
    "finetune classify --from scratch --out x --text-field te\x1bxt --data".split(" ").concat(name),
  ];
  for (const args of refused) {
    const { code, stdout, stderr } = await runCli(args, { cwd: files.path });
    assert.notEqual(code, 0);
    assert.doesNotMatch(stdout + stderr, OBEYED, args.join(" "));
    assert.match(stderr, /\\u00/);
  }
});

Deno.test("no other module of the command line writes to standard output or error", () => {
  const root = new URL("../../", import.meta.url);
  const modules = ["cli.ts"];
  for (const { name } of Deno.readDirSync(new URL("src/cli/", root))) {
    modules.push(`src/cli/${name}`);
  }
  assert.ok(modules.length > 40);
  // What permissions.ts prints is read by the launcher.
  const own = /\/(printer|permissions)\.ts$/;
  for (const name of modules.filter((name) => !own.test(name))) {
    const code = Deno.readTextFileSync(new URL(name, root)).replace(/^\s*(\*|\/\/).*$/gm, "");
    assert.doesNotMatch(code, /\bconsole\.|\bDeno\.(stdout|stderr)\b|\bprocess\.std/, name);
  }
});
