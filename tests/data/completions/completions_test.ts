/**
 * Prompts and completions: what is learnt, what is only read, what does not fit, and what is no example.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  completionBatch,
  encodeExamples,
  encodeTurns,
} from "../../../src/data/completions/completion_batches.ts";
import {
  chatPieces,
  type Example,
  hasExamples,
  parseExample,
  readExamples,
} from "../../../src/data/completions/completions.ts";

/** A token for each character; 1 ends a text. */
const tokenizer = {
  endOfText: 1,
  encode: (text: string) => Uint32Array.from(text, (c) => c.charCodeAt(0)),
};
/** What ids say: `·` for the end of a text, `_` for what is no target. */
const shown = (ids: ArrayLike<number>): string =>
  Array.from(ids, (id) => id === 1 ? "·" : id === -100 ? "_" : String.fromCharCode(id)).join("");

const pair = (prompt: string, completion: string): Example => parseExample({ prompt, completion })!;
const encoded = (example: Example, limit = 100) => {
  const { examples, ...counts } = encodeExamples([example], tokenizer, { limit });
  return { read: shown(examples[0].inputs), asked: shown(examples[0].targets), ...counts };
};

Deno.test("the completion and the end of the text are learnt, the prompt is only read", () => {
  assert.deepEqual(encoded(pair("ab ", "cde")), {
    read: "ab cde",
    asked: "__cde·",
    shortened: 0,
    cut: 0,
  });
  const { examples } = encodeExamples([pair("ab", "cd")], { ...tokenizer, endOfText: undefined }, {
    limit: 9,
  });
  assert.deepEqual([...examples[0].targets], [-100, 99, 100], "no end of text, none is learnt");
});

Deno.test("a completion without a prompt begins after the end of another text", () => {
  assert.deepEqual(encoded(pair("", "cd")), { read: "·cd", asked: "cd·", shortened: 0, cut: 0 });
  const bare = { ...tokenizer, endOfText: undefined };
  const { examples } = encodeExamples([pair("", "cd")], bare, { limit: 9 });
  assert.equal(shown(examples[0].targets), "d", "the first token follows nothing");
});

Deno.test("what is too long loses the prompt's beginning, then the completion's end, and is counted", () => {
  const example = pair("abcdef", "ghi");
  assert.deepEqual(encoded(example, 9).shortened, 0);
  assert.deepEqual(encoded(example, 7), {
    read: "cdefghi",
    asked: "___ghi·",
    shortened: 1,
    cut: 0,
  });
  assert.deepEqual(encoded(example, 4), { read: "fghi", asked: "ghi·", shortened: 1, cut: 0 });
  assert.deepEqual(encoded(example, 2), { read: "fg", asked: "gh", shortened: 1, cut: 1 });
  assert.deepEqual(encoded(pair("a", "bcdefgh"), 3), {
    read: "abc",
    asked: "bcd",
    shortened: 0,
    cut: 1,
  });
  const both = [pair("abcdef", "g"), pair("a", "g"), pair("abcdef", "ghijk")];
  const { shortened, cut } = encodeExamples(both, tokenizer, { limit: 4 });
  assert.deepEqual({ shortened, cut }, { shortened: 2, cut: 1 });
});

Deno.test("of a conversation the assistant's turns are learnt, to their ends", () => {
  const messages = [
    { role: "system", content: "S" },
    { role: "user", content: "U" },
    { role: "assistant", content: "A" },
    { role: "user", content: "V" },
    { role: "assistant", content: "B" },
  ];
  const template = "{role}>{content};";
  assert.deepEqual(chatPieces(messages, { template }), [
    { text: "system>S;user>U;assistant>", learnt: false },
    { text: "A;", learnt: true },
    { text: "user>V;assistant>", learnt: false },
    { text: "B;", learnt: true },
  ]);
  const example = parseExample({ messages }, { template })!;
  const { read, asked } = encoded(example);
  assert.equal(read, "system>S;user>U;assistant>A;user>V;assistant>B;");
  assert.equal(asked, "_".repeat(25) + "A;" + "_".repeat(17) + "B;·");
  // What follows the last learnt turn is neither learnt nor ended.
  const ending = parseExample({ messages: messages.slice(0, 4) }, { template })!;
  assert.ok(encoded(ending).asked.endsWith("A;" + "_".repeat(7)));
});

Deno.test("a conversation to go on with is what the model read while it learnt", () => {
  const template = "[{role}] {content}\n";
  const messages = [{ role: "user", content: "Hail!" }, {
    role: "assistant",
    content: "$& {role}",
  }];
  const asked = chatPieces(messages.slice(0, 1), { template, reply: true });
  const learnt = chatPieces(messages, { template });
  assert.deepEqual(asked, learnt.slice(0, 1));
  assert.deepEqual(learnt[1], { text: "$& {role}\n", learnt: true }, "contents are no templates");
  const { ids } = encodeTurns(asked, tokenizer);
  assert.deepEqual(ids, encodeTurns(learnt, tokenizer).ids.slice(0, ids.length));
  for (const bad of ["{role}", "{content}{content}"]) {
    assert.throws(() => chatPieces(messages, { template: bad }), {
      name: "VitrailError",
      message: /^Cannot use the template .*: it has \{content\} [02] times, wanted once/,
    });
  }
});

Deno.test("batches are padded behind, and padding is no target", () => {
  const { examples } = encodeExamples([pair("ab", "c"), pair("a", "bcdefghijk")], tokenizer, {
    limit: 29,
  });
  const { shape, inputs, targets } = completionBatch(examples, { padId: 1, limit: 29 });
  assert.deepEqual(shape, [2, 16]);
  assert.equal(shown(inputs), "abc" + "·".repeat(13) + "abcdefghijk" + "·".repeat(5));
  assert.equal(shown(targets), "_c·" + "_".repeat(13) + "bcdefghijk·" + "_".repeat(5));
  assert.deepEqual(completionBatch(examples, { padId: 1, limit: 13 }).shape, [2, 13]);
});

/** Writes a file, and calls `use` with its path. */
function withFile(text: string, use: (path: string) => void, suffix = ".jsonl"): void {
  const path = Deno.makeTempFileSync({ suffix });
  try {
    Deno.writeTextFileSync(path, text);
    use(path);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("examples are read from JSONL, both kinds in one file; other files are text", () => {
  const chat = { messages: [{ role: "user", content: "u" }, { role: "assistant", content: "a" }] };
  const lines = [{ prompt: "p", completion: "c", source: 7 }, chat].map((r) => JSON.stringify(r));
  withFile(`\n${lines[0]}\r\n\n${lines[1]}`, (path) => {
    assert.ok(hasExamples(path));
    const [first, second, ...rest] = readExamples(path, { template: "{content}|" });
    assert.equal(rest.length, 0);
    assert.deepEqual(first, {
      pieces: [{ text: "p", learnt: false }, { text: "c", learnt: true }],
      place: "line 2",
    });
    assert.deepEqual(second, {
      pieces: [{ text: "u|", learnt: false }, { text: "a|", learnt: true }],
      place: "line 4",
    });
  });
  withFile('{"text":"a"}\n', (path) => assert.equal(hasExamples(path), false));
  withFile('{"prompt":"a"}\n', (path) => assert.equal(hasExamples(path), false), ".txt");
  assert.equal(hasExamples("-"), false);
});

Deno.test("what is no example is told with its line, in one line", () => {
  const good = '{"prompt":"p","completion":"c"}\n';
  const cases: [string, RegExp][] = [
    ["{", /line 2 is not JSON; wanted one record a line$/],
    ["7", /line 2 holds 7, wanted a JSON object \{ … \}; wanted one record a line$/],
    ["null", /line 2 holds null, wanted a JSON object/],
    ['{"text":"t"}', /line 2 has neither prompt and completion nor messages$/],
    ['{"prompt":"p"}', /line 2 has absent as completion, wanted a text$/],
    ['{"prompt":3,"completion":"c"}', /line 2 has 3 as prompt, wanted a text$/],
    ['{"prompt":"p","completion":""}', /line 2 has an empty completion; nothing is left to learn$/],
    ['{"messages":[]}', /line 2 has \[\] as messages, wanted a list of them$/],
    ['{"messages":[null]}', /line 2 has the message null, wanted role and content, both texts$/],
    ['{"messages":[{"role":"user"}]}', /line 2 has the message \{"role":"user"\}, wanted role/],
    [
      '{"messages":[{"role":"user","content":"u"}]}',
      /line 2 has no message of the assistant; nothing is left to learn$/,
    ],
  ];
  for (const [line, message] of cases) {
    withFile(good + line, (path) => {
      assert.throws(() => readExamples(path), (error: Error) => {
        assert.match(error.message, message);
        assert.match(error.message, /^Cannot read [^\n]*$/);
        return error.name === "VitrailError";
      });
    });
  }
  withFile(" \n", (path) => assert.throws(() => readExamples(path), /it holds no record$/));
  assert.throws(() => readExamples("no/such.jsonl"), /Cannot read no\/such\.jsonl: no such file/);
  const silent = { pieces: [{ text: "ab", learnt: false }], place: "line 9" };
  assert.throws(() => encodeExamples([silent], tokenizer, { limit: 9 }), {
    name: "VitrailError",
    message: /^Cannot learn from line 9: no token of it is left to learn/,
  });
});
