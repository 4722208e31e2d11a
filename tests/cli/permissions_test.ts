/**
 * What each command line may read and write: what its flags name, read as commander reads them, and nothing
 * that stands in a text, an unknown flag or another flag's value.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type FlagTable, flagTable } from "../../src/cli/flag_table.ts";
import { parseArguments, permissionsOf } from "../../src/cli/permissions.ts";
import { createProgram } from "../../src/cli/program.ts";
import { folder } from "../data/files.ts";
import { runCli } from "./run_cli.ts";

const TABLE = flagTable(createProgram());
const TEMPORARY = ".vitrail-01234567-89ab.tmp";

Deno.test("the table is that of the commands; if not, run `deno task flags`", () => {
  const kept = Deno.readTextFileSync(new URL("../../src/cli/flag_table.json", import.meta.url));
  assert.deepEqual(JSON.parse(kept), JSON.parse(JSON.stringify(TABLE)));
});

/** Grants as one word each, such as `r:a` and `w:out`, relative to the folder; the cache is `CACHE`. */
function grants(args: string, files: Record<string, string> = {}): string {
  using place = folder(files);
  const { read, write, refused } = permissionsOf(args.split(" "), {
    cwd: place.path,
    cache: "/CACHE",
    temporary: TEMPORARY,
  });
  const short = (path: string): string => {
    const near = path === place.path
      ? "."
      : path.replace(`${place.path}/`, "").replace(TEMPORARY, "TMP");
    return near === "/CACHE" ? "CACHE" : near.replace(/^\/tmp\/corpus$/, "../corpus");
  };
  const only = read.filter((path) => !write.includes(path));
  return [
    ...only.map((path) => `r:${short(path)}`),
    ...write.map((path) => `w:${short(path)}`),
    ...refused,
  ]
    .join(" ").split(" ").sort().join(" ").trim();
}

const CACHED = "w:CACHE";
const CASES: [string, string][] = [
  // What only reads writes nothing but the cache.
  ["generate --model m --prompt /etc/passwd", `r:m ${CACHED}`],
  ["generate --model=m --adapter a --prompt=../../x --stop /a /b --json", `r:a r:m ${CACHED}`],
  ["evaluate --model m --data t.txt", `r:m r:t.txt ${CACHED}`],
  ["classify --model m --adapter a /etc/shadow ../x", `r:a r:m ${CACHED}`],
  ["tag --model m --data -", `r:m ${CACHED}`],
  ["answer --model m --context-file c.txt /etc", `r:c.txt r:m ${CACHED}`],
  ["fill-mask --model m --data d.csv", `r:d.csv r:m ${CACHED}`],
  ["pipeline --classifier c --writer w --template t /x", `r:c r:t r:w ${CACHED}`],
  ["tokenizer encode --model m /etc/x", "r:m"],
  ["data ../corpus", "r:../corpus"],
  ["data brown", "r:brown"],
  ["doctor /etc", ""],
  ["tune", CACHED],
  ["profile step", ""],
  ["probe attention --model m /etc/passwd /etc/group", `r:m ${CACHED}`],
  ["probe lens --model m --lens l.st text", `r:l.st r:m ${CACHED}`],
  ["probe bias --model m --sets s.json --pairs p.csv", `r:m r:p.csv r:s.json ${CACHED}`],
  // What writes, writes what its output flags name: a file with one unfinished name beside it.
  ["probe attention --model m --html o.html --svg s.svg x", `r:m ${CACHED} w:TMP w:o.html w:s.svg`],
  ["probe attention --model m --html=new/o.html x", `r:m ${CACHED} w:new`],
  [
    "probe lens --model m --lens l.st --train-on t.txt",
    `r:m r:t.txt ${CACHED} w:TMP w:l.st w:l.st.part`,
  ],
  ["probe sae --model m --out s.st --data d", `r:d r:m ${CACHED} w:TMP w:s.st`],
  ["profile --kernel k.wgsl --trace t.json", "r:k.wgsl w:TMP w:t.json"],
  ["profile kernel k.wgsl --json j.json", "r:k.wgsl w:TMP w:j.json"],
  ["report a b", "r:a r:b w:TMP w:report.html"],
  ["report --out c.html a b", "r:a r:b w:TMP w:c.html"],
  ["train --data t.txt --out runs/a", `r:t.txt ${CACHED} w:runs/a`],
  ["train --data t.txt --out /big/runs/a/", `r:t.txt w:/big/runs/a ${CACHED}`],
  ["train --data t.txt --out a --out b", `r:t.txt ${CACHED} w:b`],
  ["train --data t.txt --tokenizer tk --from f --out .", `r:f r:t.txt r:tk w:. ${CACHED}`],
  [
    "finetune classify --data d.csv --validation v --model m --out o",
    `r:d.csv r:m r:v ${CACHED} w:o`,
  ],
  ["pretrain bert --data d --out o", `r:d ${CACHED} w:o`],
  ["quantize --model m --out o", "r:m w:o"],
  ["merge --model m --adapter a --out o", "r:a r:m w:o"],
  ["tokenizer train --data d --out o", "r:d w:o"],
  ["data prepare --data d --out o", "r:d w:o"],
  ["demo", `${CACHED} w:runs/demo`],
  ["finetune tag --data t --out o --config=c", `r:c r:t ${CACHED} w:o`],
  ["finetune answer --data t --model m --out o", `r:m r:t ${CACHED} w:o`],
  ["finetune generate --data t --model m --out o", `r:m r:t ${CACHED} w:o`],
  ["tokenizer decode --model m 1,2", "r:m"],
  ["probe patch --model m --data d.jsonl --svg s.svg", `r:d.jsonl r:m ${CACHED} w:TMP w:s.svg`],
  ["probe attribute --model m /etc/passwd", `r:m ${CACHED}`],
  ["probe linear --model m --data d", `r:d r:m ${CACHED}`],
  ["probe neurons --model m --data d --html=h.html", `r:d r:m ${CACHED} w:TMP w:h.html`],
  ["probe induction --out o", `${CACHED} w:o`],
  ["probe induction --model m --seed /etc", `r:m ${CACHED}`],
  ["profile generate --preset /etc", ""],
  ["profile kernels --only /etc --json j", "w:TMP w:j"],
  // What a flag takes as its value is no flag, and what stands behind `--` is none either.
  ["generate --model m --prompt --out /etc", `r:m ${CACHED}`],
  ["generate --model m -- --out /etc", `r:m ${CACHED}`],
  ["generate --out /etc --model m --prompt x", `r:m ${CACHED}`],
  ["train --lr=1e-3 --data t.txt --out", `r:t.txt ${CACHED}`],
  ["--out /etc train --data t.txt", ""],
  ["/etc/passwd", ""],
  ["constructor --__proto__ /etc", ""],
  [
    "train --out / --data d",
    `Cannot write to /: it is the root of the file system; choose a folder in it r:d ${CACHED}`,
  ],
  ["data a,b/c.txt", "r:."],
];

Deno.test("each command may do what its flags name", () => {
  for (const [args, wanted] of CASES) {
    assert.equal(grants(args), wanted.split(" ").sort().join(" ").trim(), args);
  }
  const tried = CASES.map(([args]) => args);
  const names = Object.keys(TABLE).filter((name) => name !== "" && name !== "test");
  const leaves = names.filter((name) => !names.some((other) => other.startsWith(`${name} `)));
  assert.deepEqual(
    leaves.filter((name) => !tried.some((args) => `${args} `.startsWith(`${name} `))),
    [],
  );
});

Deno.test("a file of flags and the record of a run say more", () => {
  const config = JSON.stringify({
    data: "c.txt",
    out: "c-out",
    "from": "f",
    seed: 1,
    prompt: "/etc",
  });
  assert.equal(
    grants("train --config c.json", { "c.json": config }),
    `r:c.json r:c.txt r:f ${CACHED} w:c-out`,
  );
  assert.equal(
    grants("train --config c.json --out mine --data -", { "c.json": config }),
    `r:c.json r:f ${CACHED} w:mine`,
  );
  const run = {
    "run/training.json": JSON.stringify({ data: "old.txt", out: "/etc", tokenizer: "tk" }),
  };
  assert.equal(grants("train --out run --resume", run), `r:old.txt r:tk ${CACHED} w:run`);
  assert.equal(grants("train --out run", run), `${CACHED} w:run`);
  const adapter = {
    "a/adapter_config.json": JSON.stringify({ base_model_name_or_path: "base" }),
    "base/config.json": "{}",
  };
  assert.equal(grants("generate --model a --prompt x", adapter), `r:a r:base ${CACHED}`);
  for (const broken of ["{", "[]", '{"data":{"toString":1},"out":[]}', "null"]) {
    assert.equal(
      grants("train --config c.json", { "c.json": broken }),
      `r:c.json ${CACHED}`,
      broken,
    );
  }
});

Deno.test("values are those that commander finds", () => {
  let seen: Record<string, unknown> = {};
  for (
    const args of [
      "--data a --prompt x --data b",
      "--data=a=b --special y z --no-tune",
      "--data --out --out y",
      "--data a --out -",
      "--special a b --data c --special d",
    ]
  ) {
    const line = ["tokenizer", "train", "--out", "o", ...args.split(" ")];
    const program = createProgram();
    const tokenizer = program.commands.find((one) => one.name() === "tokenizer")!;
    const train = tokenizer.commands.find((one) => one.name() === "train")!;
    train.allowUnknownOption().allowExcessArguments().action((flags) => void (seen = flags));
    program.parse(line, { from: "user" });
    const { named } = parseArguments(line, TABLE as FlagTable);
    for (const name of ["data", "out"]) {
      const values = named.filter(({ flag }) => flag === `--${name}`).map(({ path }) => path);
      assert.deepEqual(values, [seen[name]], `${args}: ${name}`);
    }
  }
});

Deno.test("what is not named is denied by Deno itself", async () => {
  using place = folder({ "a.txt": "Call me Ishmael.\n".repeat(99), "kept/x": "kept" });
  const allowed = await runCli(["data", "prepare", "--data", "a.txt", "--out", "tokens"], {
    cwd: place.path,
  });
  assert.equal(allowed.code, 0, allowed.stderr);
  const denied = await runCli(["tokenizer", "train", "--data", "a.txt", "--out", "kept"], {
    cwd: place.path,
    granted: ["data", "prepare", "--data", "a.txt", "--out", "tokens"],
  });
  assert.equal(denied.code, 1);
  assert.match(
    denied.stderr,
    /^error: Cannot write to kept: Deno was not started with leave to; start it with/,
  );
  const unread = await runCli(["data", "kept"], { cwd: place.path, granted: ["data", "a.txt"] });
  assert.match(unread.stderr, /^error: Cannot read kept: .*read access to "kept"/);
});
