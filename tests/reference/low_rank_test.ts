/**
 * The reference of the low-rank update against finite differences.
 *
 * @module
 */
import { assertGradient } from "./finite_difference.ts";
import { lowRank, lowRankBackward, type LowRankShape } from "./low_rank.ts";
import { doubles } from "./numbers.ts";

Deno.test("low rank: dX, dA and dB, added to all columns or to some", () => {
  const size = { rows: 5, inputs: 3, rank: 2, width: 7, scale: 1.5 };
  for (const block of [{ columns: 7, offset: 0 }, { columns: 3, offset: 2 }]) {
    const shape: LowRankShape = { ...size, ...block };
    const [x, out, dOut] = [15, 35, 35].map(doubles);
    const [down, up] = [doubles(6, 8), doubles(2 * block.columns, 9)];
    const { dX, dDown, dUp } = lowRankBackward(x, { dOut, down, up }, shape);
    const label = `offset ${block.offset}`;
    assertGradient(dX, { f: (x) => lowRank(x, { out, down, up }, shape), x, dOut, label });
    assertGradient(dDown, {
      f: (down) => lowRank(x, { out, down, up }, shape),
      x: down,
      dOut,
      label,
    });
    assertGradient(dUp, { f: (up) => lowRank(x, { out, down, up }, shape), x: up, dOut, label });
    assertGradient(dOut, { f: (out) => lowRank(x, { out, down, up }, shape), x: out, dOut, label });
  }
});
