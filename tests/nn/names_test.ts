/**
 * Parameters chosen by name, and frozen.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import { loadBert, loadGpt } from "../../src/models/files.ts";
import { freeze, matchesName } from "../../src/nn/names.ts";

const FIXTURES = new URL("../fixtures", import.meta.url).pathname;
const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

Deno.test("a pattern names whole components, to the end of a name or anywhere", () => {
  const name = "transformer.h.10.attn.c_attn";
  const cases: [string, boolean, boolean][] = [
    ["c_attn", true, true],
    ["attn.c_attn", true, true],
    [name, true, true],
    ["attn", false, true], // c_attn only ends so
    ["h.1", false, false], // block 10 is not block 1
    ["h.10", false, true],
    ["h.*", false, true],
    ["h.*.attn.*", true, true],
    ["*", true, true],
    ["h*attn", false, false], // * stays within a component
    ["c.attn", false, false],
    ["C_attn", false, false],
    ["", false, false],
  ];
  for (const [pattern, end, anywhere] of cases) {
    assert.equal(matchesName(name, pattern, "end"), end, `${pattern} at the end`);
    assert.equal(matchesName(name, pattern, "anywhere"), anywhere, `${pattern} anywhere`);
  }
});

Deno.test("what is named is frozen, the rest stays free", () => {
  const { parameters } = loadGpt(device, `${FIXTURES}/gpt2/model`);
  const frozen = freeze(parameters, ["wte", "h.0", "h.1.ln_*"]);
  const names = parameters.filter((p) => p.frozen).map(({ name }) => name);
  assert.deepEqual(new Set(frozen.map(({ name }) => name)), new Set(names));
  assert.deepEqual(
    names.toSorted(),
    parameters.map(({ name }) => name)
      .filter((n) => /\.wte\.|\.h\.0\.|\.h\.1\.ln_[12]\./.test(n)).toSorted(),
  );
  assert.equal(names.length, 1 + 12 + 4);
});

Deno.test("a pattern that names nothing, or a part of a packed tensor, is told", () => {
  const { parameters } = loadBert(device, `${FIXTURES}/bert/single`);
  assert.throws(() => freeze(parameters, ["embeddings", "h.0"]), {
    name: "VitrailError",
    message: "Cannot freeze h.0: no parameter has that in its name; wanted whole parts of names " +
      "such as bert.embeddings.word_embeddings.weight, with * for any letters",
  });
  assert.throws(() => freeze(parameters, ["query"]), {
    name: "VitrailError",
    message:
      /^Cannot freeze query: bert\.encoder\.layer\.0\.attention\.self\.query\.weight lies in/,
  });
  assert.ok(parameters.every((p) => !p.frozen), "a refusal freezes nothing");
  assert.equal(freeze(parameters, ["layer.1.attention.self.*"]).length, 2);
});
