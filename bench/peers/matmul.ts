/**
 * Our matmul beside those of jax-js, tfjs and ONNX Runtime Web: one process, one adapter, the same
 * operands, a chain of eight products to a read-back, rounds interleaved so that a slow moment hits
 * everybody.
 *
 *     deno run --no-lock --allow-read --allow-env bench/peers/matmul.ts
 *
 * `--sizes 512,1024`, `--rounds 9`, `--calls 8`, `--only jax` (ourselves and whose name holds it).
 * `--no-lock` keeps the peers out of the project's lock file. Exit code 1 if a product is wrong.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { formatTable, median, seededNumbers } from "../harness.ts";
import { jaxJs } from "./jax_js.ts";
import { onnxruntimeWeb } from "./onnxruntime_web.ts";
import { countWork, type Peer, type Problem, type Session } from "./peer.ts";
import { tfjs } from "./tfjs.ts";
import { vitrail } from "./vitrail.ts";

/** Largest difference to our product, as a fraction of its largest element. */
const TOLERANCE = 1e-4;
/** Elements of everybody's first product that are computed again in double precision. */
const SAMPLES = 256;

interface Contender {
  peer: Peer;
  session: Session;
  dispatches: number;
  waits: number;
  difference: number;
  times: number[];
}

/** max |x - y| / max |x|. */
function difference(x: Float32Array, y: Float32Array): number {
  let [most, largest] = [0, 0];
  if (x.length !== y.length) return Infinity;
  for (let i = 0; i < x.length; i++) {
    // Written so that a NaN counts as infinitely wrong.
    const d = Math.abs(x[i] - y[i]);
    most = d <= most ? most : Number.isNaN(d) ? Infinity : d;
    largest = Math.max(largest, Math.abs(x[i]));
  }
  return most / largest;
}

/** The same for sampled elements of a·b, summed in double precision. */
function differenceToExact({ n, a, b }: Problem, product: Float32Array): number {
  const exact = new Float32Array(SAMPLES);
  const given = new Float32Array(SAMPLES);
  for (let s = 0; s < SAMPLES; s++) {
    const [row, column] = [(s * 7919) % n, (s * 104729) % n];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
    exact[s] = sum;
    given[s] = product[row * n + column];
  }
  return difference(exact, given);
}

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "512,1024" },
    rounds: { type: "string", default: "9" },
    calls: { type: "string", default: "8" },
    only: { type: "string", default: "" },
  },
});
const [rounds, calls] = [Number(values.rounds), Number(values.calls)];
const counter = countWork();
const peers = [jaxJs, tfjs, onnxruntimeWeb].filter((p) => p.name.includes(values.only));
let wrong = 0;

for (const n of values.sizes.split(",").map(Number)) {
  // Elements of b have variance 1/n, so that a chain of products neither grows nor vanishes.
  const b = seededNumbers(n * n, 2).map((x) => x * Math.sqrt(12 / n));
  const problem = { n, a: seededNumbers(n * n, 1), b };
  const contenders: Contender[] = [];
  let reference: Float32Array | undefined;
  for (const peer of [vitrail, ...peers]) {
    try {
      const session = await peer.open(problem);
      const single = await session.run(1);
      counter.reset();
      const chain = await session.run(calls);
      const { dispatches, waits } = counter.work;
      const off = Math.max(
        differenceToExact(problem, single),
        difference(reference ?? chain, chain),
      );
      reference ??= chain;
      contenders.push({ peer, session, dispatches, waits, difference: off, times: [] });
      if (!(off <= TOLERANCE)) wrong++;
    } catch (cause) {
      console.error(`${peer.name} does not run here: ${(cause as Error).stack ?? cause}`);
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const { session, times } of contenders) {
      const begun = performance.now();
      await session.run(calls);
      times.push(performance.now() - begun);
    }
  }
  const [ours, ...others] = contenders.map((c) => median(c.times));
  console.log(`\n${n}³, f32, ${calls} products to a read-back, median of ${rounds} rounds`);
  console.log(formatTable(
    ["", "GFLOP/s", "speed, ours = 1", "dispatches", "waits", "difference"],
    contenders.map(({ peer, times, dispatches, waits, difference }) => [
      peer.name,
      (calls * 2 * n ** 3 / median(times) / 1e6).toFixed(1),
      (ours / median(times)).toFixed(3),
      `${dispatches}`,
      `${waits}`,
      difference.toExponential(1),
    ]),
  ));
  if (others.length > 0) {
    console.log(`ours / best of the others: ${(Math.min(...others) / ours).toFixed(2)}`);
  }
  contenders.forEach(({ session }) => session.dispose());
}
if (wrong > 0) {
  console.error(`${wrong} products differ by more than ${TOLERANCE}`);
  Deno.exitCode = 1;
}
// Libraries that keep a device or a worker open would keep the process waiting.
Deno.exit();
