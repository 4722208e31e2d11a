/** `vitrail probe patch` and `probe attribute`, in a process with the launcher's permissions. @module */
import assert from "node:assert/strict";
import {
  Bert,
  type BertHeadsSettings,
  createBertConfig,
  createGptConfig,
  Gpt,
  openDevice,
  saveBert,
  saveGpt,
  trainCharacterTokenizer,
} from "../../mod.ts";
import { type Folder, folder } from "../data/files.ts";
import { PIECES, tinyTokenizer } from "../data/pretraining/tiny_bert_tokenizer.ts";
import { runCli } from "./run_cli.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const size = { contextLength: 13, channels: 24, layers: 2, heads: 2 };

async function bert(heads: BertHeadsSettings): Promise<Folder> {
  const made = folder({ "m/tokenizer.json": JSON.stringify(tinyTokenizer().toJson()) });
  const config = createBertConfig({ ...size, vocabularySize: PIECES.length });
  await saveBert(new Bert(device, { ...config, initializerRange: 0.2 }, { heads }), made.at("m"));
  return made;
}

async function gpt(): Promise<Folder> {
  const tokenizer = await trainCharacterTokenizer(["abcde \n"]);
  const made = folder({ "m/tokenizer.json": JSON.stringify(tokenizer.toJson()) });
  const config = createGptConfig({ ...size, vocabularySize: tokenizer.vocabularySize });
  await saveGpt(new Gpt(device, { ...config, initializerRange: 0.2 }), made.at("m"));
  return made;
}

async function probe(made: Folder, name: string, ...args: string[]) {
  const words = ["probe", name, "--model", "m", "--json", ...args];
  const { code, stdout, stderr } = await runCli(words, { cwd: made.path });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function refused(made: Folder, message: RegExp, ...args: string[]): Promise<void> {
  const { code, stderr } = await runCli(["probe", ...args, "--model", "m"], { cwd: made.path });
  assert.equal(code, 1, stderr);
  assert.match(stderr, message);
  assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
}

Deno.test("patching: what differs in one token lies at its place before the first block, exactly", async () => {
  using made = await gpt();
  const files = ["--html", "p.html", "--svg", "p.svg"];
  const asked = ["--right", "d", "--wrong", "e", "--at", "resid_pre,z"];
  const found = await probe(made, "patch", "abcd", "aacd", ...asked, ...files);
  assert.equal(found.metric, "logit difference");
  const [places, heads] = found.maps;
  assert.deepEqual(places.columns.names, ["a", "b / a", "c", "d"]);
  assert.deepEqual(places.effects[0], [0, 1, 0, 0]);
  assert.deepEqual([heads.rows.names, heads.columns.names], [["0", "1"], ["0", "1"]]);
  assert.match(Deno.readTextFileSync(made.at("p.html")), /Activation patching/);
  assert.match(Deno.readTextFileSync(made.at("p.svg")), /^<svg .*residual stream/s);
  Deno.writeTextFileSync(
    made.at("pairs.jsonl"),
    ["aacd", "cacd"].map((corrupted) =>
      JSON.stringify({ clean: "abcd", corrupted, right: "d", wrong: "e" })
    ).join("\n"),
  );
  const many = await probe(made, "patch", "--data", "pairs.jsonl", "--at", "resid_pre");
  assert.equal(many.pairs.length, 2);
  assert.ok(many.maps[0].effects[0].slice(2).every((effect: number) => effect === 0));
  const estimated = await probe(made, "patch", "abcd", "aacd", ...asked, "--estimate");
  assert.deepEqual([estimated.estimated, estimated.clean.toFixed(4)], [
    true,
    found.clean.toFixed(4),
  ]);
});

Deno.test("patching: texts of different lengths are told with the tokens of both", async () => {
  using made = await gpt();
  await refused(made, /3 and 4 tokens: "a" "b" "c" and "a" "b" "b" "c"/, "patch", "abc", "abbc");
  await refused(made, /did you mean resid_pre/, "patch", "abc", "abd", "--at", "resid_per");
  await refused(made, /fewer than two texts/, "patch", "abc");
  Deno.writeTextFileSync(made.at("x.jsonl"), '{"clean": "abc"}\n');
  await refused(made, /line 1: corrupted is absent/, "patch", "--data", "x.jsonl");
});

Deno.test("attribution: scores add up, and gradients alone are others", async () => {
  using made = await bert({ kind: "masked-language" });
  const text = "ab [MASK] c";
  const found = await probe(made, "attribute", text, "--baseline", "[PAD]", "--html", "a.html");
  assert.ok(found.gap < 0.01, `a gap of ${found.gap}`);
  const sum = found.scores.reduce((a: number, b: number) => a + b, 0);
  const wanted = found.value - found.baseline;
  assert.ok(Math.abs(sum - wanted) <= 0.01 * Math.abs(wanted), `${sum} for ${wanted}`);
  assert.deepEqual(found.tokens, ["[CLS]", "a", "##b", "[MASK]", "c", "[SEP]"]);
  assert.match(Deno.readTextFileSync(made.at("a.html")), /Integrated gradients/);
  const slopes = await probe(made, "attribute", text, "--method", "gradient");
  assert.notDeepEqual(slopes.scores, found.scores);
});

Deno.test("attribution: questions that cannot be understood are told", async () => {
  using masked = await bert({ kind: "masked-language" });
  await refused(masked, /it has 2 \[MASK\]; wanted one/, "attribute", "[MASK] ab [MASK]");
  using tagger = await bert({ kind: "token-classification", labels: ["X", "Y"] });
  const where = ["--place", "1"];
  await refused(
    tagger,
    /label "Z": this model has X, Y/,
    "attribute",
    "ab",
    "--right",
    "Z",
    ...where,
  );
  await refused(tagger, /place 9 of "ab": .* 0 to 3/, "attribute", "ab", "--place", "9");
});
