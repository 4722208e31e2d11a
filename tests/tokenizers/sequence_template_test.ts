/** Templates of post-processors, and what is refused of them. @module */

import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { sequenceTemplate } from "../../src/tokenizers/sequence_template.ts";

const of = (post_processor: unknown) => sequenceTemplate({ toJson: () => ({ post_processor }) });

/** A template as text: ids or the text's letter, each with its segment. */
const shown = (post_processor: unknown) => {
  const found = of(post_processor);
  return found &&
    [found.single, found.pair].map((parts) =>
      parts.map((part) => `${"ids" in part ? part.ids : "AB"[part.text]}:${part.segment}`).join(" ")
    );
};

const sequence = (id: string, type_id = 0) => ({ Sequence: { id, type_id } });
const special = (id: string, type_id = 0) => ({ SpecialToken: { id, type_id } });
const template = (parts: Record<string, unknown> = {}) => ({
  type: "TemplateProcessing",
  single: [sequence("A")],
  pair: [sequence("B"), special("<end>", 1), sequence("A", 1)],
  special_tokens: { "<end>": { id: "<end>", ids: [7, 8], tokens: ["<", "end>"] } },
  ...parts,
});

Deno.test("every post-processor that tokenizers has", () => {
  const ends = { sep: ["s", 3], cls: ["c", 2] };
  assert.equal(of(null), undefined);
  assert.equal(of({ type: "ByteLevel", trim_offsets: false }), undefined);
  assert.deepEqual(shown({ type: "BertProcessing", ...ends }), [
    "2:0 A:0 3:0",
    "2:0 A:0 3:0 B:1 3:1",
  ]);
  assert.deepEqual(shown({ type: "RobertaProcessing", ...ends }), [
    "2:0 A:0 3:0",
    "2:0 A:0 3,3:0 B:0 3:0",
  ]);
  assert.deepEqual(shown(template()), ["A:0", "B:0 7,8:1 A:1"]);
  assert.deepEqual(
    shown({ type: "Sequence", processors: [{ type: "ByteLevel" }, template()] }),
    shown(template()),
  );
});

Deno.test("a post-processor that is unknown or damaged is refused by its name", () => {
  const wrong: [unknown, RegExp][] = [
    [3, /post_processor is 3, wanted an object/],
    [{ type: "Other" }, /post-processor "Other" is not supported, wanted BertProcessing, /],
    [
      { type: "BertProcessing", cls: ["c"], sep: ["s", 3] },
      /cls is \["c"\], wanted a token and its id/,
    ],
    [template({ pair: 3 }), /TemplateProcessing: pair is 3, wanted a list/],
    [template({ single: [null] }), /single\[0\] is null, wanted an object/],
    [template({ single: [{}] }), /SpecialToken is absent, wanted an object/],
    [template({ single: [sequence("C")] }), /Sequence\.id is "C", wanted "A" or "B"/],
    [template({ single: [special("toString")] }), /special_tokens has no "toString"/],
    [
      template({ special_tokens: { "<end>": { ids: [-1] } } }),
      /ids\[0\] is -1, wanted a whole number/,
    ],
    [{ type: "Sequence", processors: [template(), template()] }, /several of its parts put tokens/],
  ];
  for (const [part, message] of wrong) {
    assert.throws(() => of(part), (error: Error) => {
      assert.ok(error instanceof VitrailError, `${error.stack}`);
      assert.match(error.message, /^Cannot put texts together with this tokenizer: /);
      assert.match(error.message, message);
      return true;
    });
  }
});
