/**
 * WordPiece vocabularies that we train, against what Python's `tokenizers` learns from the same
 * text. Its `##` characters come in the order of a hash table, another one at every run; the fixture
 * says which, and given that order every piece and every id is the same.
 *
 * @module
 */
import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { encodePair } from "../../src/tokenizers/bert_encoder.ts";
import { JsonTokenizer } from "../../src/tokenizers/tokenizer.ts";
import {
  countBertWords,
  learnPieces,
  trainWordPieceTokenizer,
} from "../../src/tokenizers/train_word_piece.ts";
import { BERT_SPECIAL_TOKENS } from "../../src/tokenizers/word_piece_json.ts";
import python from "../fixtures/tokenizers/bert.json" with { type: "json" };

const TEXT = Deno.readTextFileSync(new URL("../fixtures/tokenizers/text.txt", import.meta.url));

/** Pieces in the order of their ids. */
function piecesOf(tokenizer: { toJson(): unknown }): string[] {
  const { model } = tokenizer.toJson() as { model: { vocab: Record<string, number> } };
  return Object.entries(model.vocab).sort(([, a], [, b]) => a - b).map(([piece]) => piece);
}

for (const { vocabularySize, continuing, tokens } of python.trained) {
  Deno.test(`WordPiece of ${vocabularySize}: every piece and its id are Python's`, async () => {
    const pieces = learnPieces(await countBertWords([TEXT]), {
      vocabularySize,
      specialTokens: [...BERT_SPECIAL_TOKENS],
      continuing,
    });
    assert.deepEqual(pieces, tokens);
  });

  Deno.test(`WordPiece of ${vocabularySize}: ## characters go by code point`, async () => {
    const pieces = piecesOf(await trainWordPieceTokenizer([TEXT], { vocabularySize }));
    const first = tokens.indexOf(continuing[0]);
    assert.deepEqual(pieces.slice(0, first), tokens.slice(0, first));
    const inside = pieces.slice(first, first + continuing.length);
    assert.deepEqual(inside.toSorted(), continuing.toSorted());
    const points = inside.map((piece) => piece.codePointAt(2)!);
    assert.deepEqual(points, points.toSorted((a, b) => a - b));
    assert.equal(pieces.length, vocabularySize);
  });
}

Deno.test("a trained file says what BERT does, and is read back as it was", async () => {
  const tokenizer = await trainWordPieceTokenizer([TEXT], { vocabularySize: 700 });
  const again = new JsonTokenizer(JSON.parse(JSON.stringify(tokenizer.toJson())));
  BERT_SPECIAL_TOKENS.forEach((token, id) => assert.equal(again.tokenToId(token), id));
  const texts = [TEXT, ...python.texts.map(({ text }) => text)];
  for (const text of texts) {
    assert.deepEqual(again.encode(text), tokenizer.encode(text));
    const { ids, segments } = encodePair(again, text, "The whale");
    assert.deepEqual([ids[0], ids.at(-1), segments[0], segments.at(-1)], [2, 3, 0, 1]);
  }
  // Nothing in its own text is unknown, and decoding gives the words back.
  assert.ok(!tokenizer.encode(TEXT).includes(1));
  assert.equal(
    again.decode(again.encode("Call me Ishmaël, SOME years")),
    "call me ishmael, some years",
  );
});

Deno.test("a limit on the alphabet keeps the most frequent characters; the rest are unknown", async () => {
  const tokenizer = await trainWordPieceTokenizer(["aaaa bbb ab cc ä 叫"], {
    vocabularySize: 197,
    alphabetLimit: 2,
  });
  const pieces = piecesOf(tokenizer);
  assert.deepEqual(pieces.slice(5, 9), ["a", "b", "##a", "##b"]);
  assert.ok(!pieces.some((piece) => /c|叫/.test(piece)), pieces.join());
  assert.deepEqual(Array.from(tokenizer.encode("c 叫 aä")).slice(0, 2), [1, 1]);
});

Deno.test("further special tokens come after BERT's, and texts may arrive in parts", async () => {
  const asked: number[] = [];
  const options = { vocabularySize: 450, specialTokens: ["[CITE]", "[MASK]"] };
  const whole = await trainWordPieceTokenizer([TEXT], options);
  const inParts = await trainWordPieceTokenizer(TEXT.split(/(?<=\S)(?=\n\S)/), {
    ...options,
    onProgress: (done) => asked.push(done),
  });
  assert.deepEqual(inParts.toJson(), whole.toJson());
  assert.deepEqual(piecesOf(whole).slice(0, 6), [...BERT_SPECIAL_TOKENS, "[CITE]"]);
  assert.deepEqual(Array.from(whole.encode("[CITE][MASK]")), [5, 4]);
  assert.equal(asked.at(-1), 450);
});

Deno.test("what cannot be trained is refused with what to do", async () => {
  const refused = async (start: Promise<unknown>, message: RegExp) => {
    await assert.rejects(start, (e: Error) => e instanceof VitrailError && message.test(e.message));
  };
  const abc = ["ab abc"];
  await refused(
    trainWordPieceTokenizer(abc, { vocabularySize: 9 }),
    /of 9 pieces: 5 special tokens and the characters need at least 10; choose a larger/,
  );
  assert.equal((await trainWordPieceTokenizer(abc, { vocabularySize: 10 })).vocabularySize, 10);
  await refused(trainWordPieceTokenizer([" \n\0"]), /Cannot train .* empty text/);
});
