/**
 * The reference of embeddings against finite differences.
 *
 * @module
 */
import { embedding, embeddingBackward } from "./embedding.ts";
import { assertGradient } from "./finite_difference.ts";
import { doubles } from "./numbers.ts";

Deno.test("embedding: dToken and dPosition, with ids that occur again", () => {
  const shape = { channels: 3, time: 4, offset: 2 };
  const ids = [5, 0, 5, 5, 1, 0, 6, 1];
  const [token, position, dOut] = [doubles(21, 1), doubles(21, 2), doubles(24, 3)];
  const zeros = new Float64Array(21);
  const { dToken, dPosition } = embeddingBackward(ids, dOut, {
    ...shape,
    dToken: zeros,
    dPosition: zeros,
  });
  assertGradient(dToken, {
    f: (token) => embedding(ids, { token, position }, shape),
    x: token,
    dOut,
    label: "dToken",
  });
  assertGradient(dPosition, {
    f: (position) => embedding(ids, { token, position }, shape),
    x: position,
    dOut,
    label: "dPosition",
  });
});
