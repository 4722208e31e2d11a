/** Labelled texts from CSV, JSONL and folders: what is read, and what is told where they are broken. @module */

import assert from "node:assert/strict";
import {
  type LabelledTextOptions,
  readLabelledTexts,
} from "../../../src/data/labels/labelled_texts.ts";
import { mailBody } from "../../../src/data/sources/spam_assassin.ts";
import { stratifiedSplit } from "../../../src/data/labels/stratified_split.ts";
import { readTexts } from "../../../src/data/sources/texts.ts";

/** Writes files into a folder, and hands its path on. */
async function withFiles(
  files: Record<string, string>,
  check: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = `${folder}/${name}`;
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(path, text);
    }
    await check(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** What one file is read as: `text → labels` a line. */
async function read(name: string, text: string, options?: LabelledTextOptions): Promise<string[]> {
  let found: string[] = [];
  await withFiles({ [name]: text }, async (folder) => {
    const { examples, labels, kind, empty } = await readLabelledTexts(`${folder}/${name}`, options);
    found = [
      ...examples.map((one) => `${one.place}: ${one.text} → ${one.labels.join("+")}`),
      `${kind}: ${labels.join(", ")}; ${empty} empty`,
    ];
  });
  return found;
}

Deno.test("CSV: quotes, commas, texts over several lines, empty lines, any order of columns", async () => {
  const csv =
    '\ufefflabel,id,text\r\nham,1,"a, ""b"""\r\n\r\nspam,2,"c\nd"\r\nham,3,é\r\nham,4,\r\n';
  assert.deepEqual(await read("x.csv", csv), [
    'line 2: a, "b" → ham',
    "line 4: c\nd → spam",
    "line 6: é → ham",
    "single: ham, spam; 1 empty",
  ]);
  assert.deepEqual(
    await read("x.tsv", 'body\ty\n"a\t1\nb"\t2\n', {
      textField: "body",
      labelField: "y",
    }),
    ['line 2: "a → 1', 'line 3: b" → 2', "single: 1, 2; 0 empty"],
  );
});

Deno.test("several labels and numbers, from CSV and from JSONL", async () => {
  const multiple = { kind: "multiple" as const };
  assert.deepEqual(await read("x.csv", "text,label\na,x|y\nb,\nc,y | x|y\n", multiple), [
    "line 2: a → x+y",
    "line 3: b → ",
    "line 4: c → y+x",
    "multiple: x, y; 0 empty",
  ]);
  const lists = '{"text":"a","label":["x"]}\n\n{"text":"b","label":[]}\n';
  assert.deepEqual(await read("x.jsonl", lists), [
    "line 1: a → x",
    "line 3: b → ",
    "multiple: x; 0 empty",
  ]);
  const numbers = '{"text":"a","label":-1.5}\n{"text":"b","label":2}\n';
  assert.deepEqual(
    (await read("x.jsonl", numbers, { kind: "number" })).at(-1),
    "number: label; 0 empty",
  );
  assert.deepEqual((await read("x.jsonl", numbers)).at(-1), "single: -1.5, 2; 0 empty");
});

Deno.test("a folder with a folder for each label", async () => {
  await withFiles(
    { "ham/1.txt": "a", "ham/deep/2.txt": "b", "spam/1.txt": "c" },
    async (folder) => {
      const { examples, labels } = await readLabelledTexts(folder);
      assert.deepEqual(examples.map(({ text, labels }) => text + labels), [
        "aham",
        "bham",
        "cspam",
      ]);
      assert.deepEqual(labels, ["ham", "spam"]);
      Deno.writeTextFileSync(`${folder}/stray.txt`, "d");
      await assert.rejects(readLabelledTexts(folder), /"stray.txt" lies in no folder of a label/);
    },
  );
});

const BROKEN: [string, string, LabelledTextOptions, RegExp][] = [
  ["x.csv", "", {}, /it is empty; wanted a line of names/],
  ["x.csv", "text,label\n", {}, /it holds no labelled text/],
  [
    "x.csv",
    "txt,label\na,b\n",
    {},
    /line 1 names no column "text", only "txt", "label"; .*--text-field/,
  ],
  ["x.csv", "text,label\na,b\nc,d,e\n", {}, /line 3 has 3 columns, line 1 has 2; quote texts/],
  ["x.csv", 'text,label\na,b\n"c,d\n', {}, /line 3 opens a quote that never closes/],
  ["x.csv", "text,label\na,b\nc,\n", {}, /line 3 has the label "", wanted one text or number/],
  ["x.csv", "text,label\na,b\nc,b\n", {}, /every text is "b"; wanted two labels at least/],
  [
    "x.csv",
    "text,label\na,b\nc,x\n",
    { known: ["a", "b"] },
    /line 3 has the label "x", which is not known; wanted one of "a", "b"/,
  ],
  [
    "x.csv",
    "text,label\na,1\nc,x\n",
    { kind: "number" },
    /line 3 has the label "x", wanted a number/,
  ],
  [
    "x.csv",
    "text,label\na,1\nc,2|3\n",
    { kind: "number" },
    /line 3 has 2 numbers, the first record has 1/,
  ],
  ["x.csv", "text,label\na,\nc,\n", { kind: "multiple" }, /no record has a label/],
  ["x.jsonl", '{"text":"a","label":1}\n{"text":"a"\n', {}, /line 2 is not JSON/],
  ["x.jsonl", '\n{"text":"a"}\n', {}, /line 2 has no "label"; choose with --label-field/],
  ["x.jsonl", '{"label":"a"}\n', {}, /line 1 has no text in "text"; choose with --text-field/],
  [
    "x.jsonl",
    '{"text":"a","label":{"b":1}}\n',
    {},
    /line 1 has the label \{"b":1\}, wanted one text/,
  ],
  ["x.txt", "a", {}, /its name says nothing about labels; wanted \.csv/],
];

for (const [name, text, options, message] of BROKEN) {
  Deno.test(`broken labelled texts are told: ${message.source.slice(0, 60)}`, async () => {
    await assert.rejects(read(name, text, options), (error: Error) => {
      assert.equal(error.name, "VitrailError");
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  });
}

Deno.test("the body of a mail is what stands below its headers", () => {
  const mail =
    "From a@b  Thu\r\nSubject: x\r\n y\r\n\r\nFirst line\r\n\r\nSubject: in the body\r\n";
  assert.equal(mailBody(mail), "First line\n\nSubject: in the body");
  assert.equal(mailBody("Subject: nothing else\n"), "");
});

Deno.test("a split holds out the share of every label, and no copy of a text that is learnt from", () => {
  const examples = Array.from({ length: 97 }, (_, i) => ({
    // Every third text is a copy of the one before.
    text: `text ${i % 3 === 2 ? i - 1 : i}`,
    labels: [i % 3 === 2 ? names(i - 1) : names(i)],
    place: `line ${i}`,
  }));
  const { train, validation } = stratifiedSplit(examples, { fraction: 0.2, seed: 3 });
  assert.equal(train.length + validation.length, 97);
  const learnt = new Set(train.map(({ text }) => text));
  assert.deepEqual(validation.filter(({ text }) => learnt.has(text)), []);
  for (const label of ["a", "b", "c"]) {
    const share = (side: typeof train) => side.filter((one) => one.labels[0] === label).length;
    const [held, all] = [share(validation), share(examples)];
    assert.ok(Math.abs(held - 0.2 * all) <= 1, `${label}: ${held} of ${all}`);
  }
  const places = (seed: number) =>
    stratifiedSplit(examples, { fraction: 0.2, seed }).validation.map(({ place }) => place);
  assert.deepEqual(places(3), validation.map(({ place }) => place));
  assert.notDeepEqual(places(4), places(3));
  const two = examples.slice(0, 1);
  assert.throws(() => stratifiedSplit(two, { fraction: 0.5 }), /1 would be left to train on and 0/);
});

/** Of three labels, one is rare. */
function names(i: number): string {
  return i % 7 === 0 ? "c" : i % 2 === 0 ? "a" : "b";
}

Deno.test("single texts: a line each of plain files, a field of records", async () => {
  await withFiles({
    "x.txt": "one\r\n\r\ntwo",
    "x.jsonl": '{"body":"a"}\n{"body":" "}\n',
    "x.csv": 'body\n"a\nb"\n',
    "no.txt": "\n \n",
  }, async (folder) => {
    const texts = (name: string) =>
      Array.fromAsync(readTexts(`${folder}/${name}`, { textField: "body" }));
    assert.deepEqual(await texts("x.txt"), ["one", "two"]);
    assert.deepEqual(await texts("x.jsonl"), ["a"]);
    assert.deepEqual(await texts("x.csv"), ["a\nb"]);
    await assert.rejects(texts("no.txt"), /it holds no text/);
  });
});
