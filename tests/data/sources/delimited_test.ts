/**
 * Tables of text: what Python's csv and pandas read of each, or a message that says what to do. A sweep over
 * thousands is in scripts/reference/read_tables.py.
 *
 * @module
 */
import assert from "node:assert/strict";
import { VitrailError } from "../../../src/errors.ts";
import { csvRecords } from "../../../src/data/sources/field_records.ts";

/** Each record as `line: text → label`. */
function read(path: string, text: string, names = { text: "text", label: "label" }): string[] {
  return Array.from(
    csvRecords(path, text, names),
    ({ text, pair, label, place }) =>
      `${place.slice(5)}: ${[text, pair ?? []].flat().join("&")} → ${label}`,
  );
}

/** A file, and the readings of Python. */
const READ: [name: string, text: string, records: string[]][] = [
  ["x.csv", 'text;label\na, b;x\n"c;""d""";y\n', ["2: a, b → x", '3: c;"d" → y']],
  ["x.csv", "text|label\na|x\n", ["2: a → x"]],
  ["x.csv", "sep=;\r\ntext;label\r\na, b;x\r\n", ["3: a, b → x"]],
  ["x.csv", "text\tlabel\na, b\tx\n", ["2: a, b → x"]],
  ["x.tsv", "text,label\na,x\n", ["2: a → x"]],
  ["x.csv", 'text,label\nhe said "hi" twice,x\n', ['2: he said "hi" twice → x']],
  ["x.csv", 'text,label\r\n"a\r\n\r\nb",x\r\n   \r\nc,y', ["2: a\r\n\r\nb → x", "6: c → y"]],
  ["x.csv", "text,label\ra,x\rb,y\r", ["2: a → x", "3: b → y"]],
  ["x.csv", '"text","label"\n"","x"\n', ["2:  → x"]],
  // As pandas writes them: quotes, tabs and line breaks between quotes.
  ["x.tsv", 'text\tlabel\n"say ""hi"""\tx\n"a\tb"\ty\n', ['2: say "hi" → x', "3: a\tb → y"]],
  ["x.tsv", '"text"\t"label"\n"a\nb"\t"x"\n', ["2: a\nb → x"]],
  // As GLUE has them: quotes are characters.
  ["x.tsv", 'text\tlabel\n"a" b\tx\n"c\ty\n', ['2: "a" b → x', '3: "c → y']],
  ["x.tsv", 'text\tlabel\n"a\tx\nb"\ty\n', ['2: "a → x', '3: b" → y']],
  // Quotes that could be either: doubled ones say that they count.
  ["x.tsv", 'text\tlabel\n"a\tx\nb"\ty\n"c""d"\tz\n', ["2: a\tx\nb → y", '4: c"d → z']],
];

for (const [name, text, records] of READ) {
  Deno.test(`${name}: ${JSON.stringify(text).slice(0, 70)}`, () => {
    assert.deepEqual(read(name, text), records);
  });
}

const REFUSED: [name: string, text: string, message: RegExp][] = [
  ["x.csv", "", /x\.csv: it is empty; wanted a line of names/],
  ["x.csv", "\n  \n", /it is empty/],
  [
    "x.csv",
    "text;label\na;b;c\n",
    /line 2 has 3 columns, line 1 has 2; quote texts that hold a semi/,
  ],
  [
    "x.csv",
    "text,label\n\na\n",
    /line 3 has 1 columns, .*; each line needs a cell for every column/,
  ],
  [
    "x.tsv",
    'text\tlabel\na\tb\tc\n"d\te\n',
    /line 2 has 3 columns, .*; a text holds a tab, or its quo/,
  ],
  [
    "x.csv",
    'text,label\n"a",x\nb, "c"\n',
    /line 3 has a blank before a quote, .*; write comma and quote/,
  ],
  ["x.csv", 'text,label\n"a" ,x\n', /line 2 has " ,x\\n" behind a closing quote; .* is written ""/],
  ["x.csv", 'text,label\n"a \\"b\\" c",x\n', /line 2 has "b.* behind a closing quote/],
  ["x.csv", 'text,label\na,x\n"b,y\nc,z\n', /line 3 opens a quote that never closes; close it/],
  [
    "x.csv",
    "text,label,text\na,x,b\n",
    /line 1 names the column "text" twice; give one another name/,
  ],
  ["x.csv", "text, label\na, x\n", /names no column "label" but " label"; take out the blanks/],
  [
    "x.csv",
    "body;mark\na,b,c,d;x\n",
    /names no column "text", only "body", "mark"; choose with --text/,
  ],
];

for (const [name, text, message] of REFUSED) {
  Deno.test(`${name} is refused: ${message.source.slice(0, 60)}`, () => {
    assert.throws(() => read(name, text), (error: Error) => {
      assert.ok(error instanceof VitrailError && !error.message.includes("\n"));
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("two names with a comma are the columns of a pair, unless one column is called so", () => {
  const csv = 'a,b,"a,b",label\n1,2,3,x\n';
  assert.deepEqual(read("x.csv", csv, { text: "b, a", label: "label" }), ["2: 2&1 → x"]);
  assert.deepEqual(read("x.csv", csv, { text: "a,b", label: "label" }), ["2: 3 → x"]);
  const three = { text: "a,b,c", label: "label" };
  assert.throws(
    () => read("x.csv", csv, three),
    /wanted one name, or two with a comma between them/,
  );
  assert.throws(() => read("x.csv", csv, { text: "a,c", label: "label" }), /names no column "c"/);
});
