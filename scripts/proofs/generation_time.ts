/**
 * Proof: the time of generation is linear in the number of new tokens. Without the key/value cache each
 * token would run all those before it again, and the second half would take three times the first.
 *
 *     deno run --allow-read scripts/proofs/generation_time.ts
 *
 * Exit code 1 if a line explains less than 99 % of the variance, or if the second half of the tokens
 * takes twice as long as the first.
 *
 * @module
 */
import { formatTable } from "../../bench/harness.ts";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import { generate } from "../../src/generation/generate.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpt } from "../../src/models/gpt.ts";

const COUNTS = [64, 128, 192, 256, 320, 384, 448, 512];
/**
 * The fastest round counts, since whatever else the machine does only ever adds time. Rounds go on until
 * three in a row made no figure better by a fiftieth.
 */
const [LEAST_ROUNDS, MOST_ROUNDS, QUIET_ROUNDS, BETTER] = [5, 30, 3, 0.98];

/** Slope and intercept of the least-squares line, and the share of the variance it explains. */
function fitLine(x: number[], y: number[]): { slope: number; intercept: number; r2: number } {
  const mean = (v: number[]) => v.reduce((a, b) => a + b, 0) / v.length;
  const [mx, my] = [mean(x), mean(y)];
  const sum = (f: (i: number) => number) => x.reduce((s, _, i) => s + f(i), 0);
  const slope = sum((i) => (x[i] - mx) * (y[i] - my)) / sum((i) => (x[i] - mx) ** 2);
  const intercept = my - slope * mx;
  const r2 = 1 - sum((i) => (y[i] - slope * x[i] - intercept) ** 2) / sum((i) => (y[i] - my) ** 2);
  return { slope, intercept, r2 };
}

const device = await openDevice();
const model = new Gpt(
  device,
  createGptConfig({ vocabularySize: 512, contextLength: 520, channels: 64, layers: 2, heads: 4 }),
);
const timed = async (maxNewTokens: number): Promise<number> => {
  const begun = performance.now();
  const [ids] = await generate(model, [1, 2, 3], { maxNewTokens, seed: 1 });
  if (ids.length !== maxNewTokens) throw new Error(`Asked for ${maxNewTokens}, got ${ids.length}`);
  return performance.now() - begun;
};
await timed(COUNTS.at(-1)!);
const best = COUNTS.map(() => Infinity);
let rounds = 0;
for (
  let quiet = 0;
  rounds < LEAST_ROUNDS || quiet < QUIET_ROUNDS && rounds < MOST_ROUNDS;
  rounds++
) {
  quiet++;
  for (const [i, count] of COUNTS.entries()) {
    const took = await timed(count);
    if (took < BETTER * best[i]) quiet = 0;
    best[i] = Math.min(best[i], took);
  }
}
console.log(`Time against new tokens on ${device.description}, fastest of ${rounds} rounds`);
console.log(formatTable(
  ["new tokens", "ms", "ms a token"],
  COUNTS.map((n, i) => [`${n}`, best[i].toFixed(1), (best[i] / n).toFixed(3)]),
));
const { slope, intercept, r2 } = fitLine(COUNTS, best);
const [half, whole] = [best[COUNTS.indexOf(256)], best[COUNTS.indexOf(512)]];
const halves = (whole - half) / half;
console.log(
  `line: ${slope.toFixed(3)} ms a token and ${intercept.toFixed(1)} ms; R² ${r2.toFixed(5)}`,
);
console.log(`tokens 257 to 512 / tokens 1 to 256: ${halves.toFixed(3)}`);
device.destroy();
if (r2 < 0.99 || halves >= 2) {
  console.error("The time of generation is not linear in the number of new tokens");
  Deno.exitCode = 1;
}
