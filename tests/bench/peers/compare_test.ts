/**
 * The comparison finds a wrong result in any round, and goes on without a library that does not run.
 *
 * @module
 */
import assert from "node:assert/strict";
import { compare, type Comparison } from "../../../bench/peers/compare.ts";
import { markdownTable } from "../../../bench/peers/report.ts";
import type { Peer, Task } from "../../../bench/peers/task.ts";

const counter = { work: { dispatches: 0, waits: 0 }, adapters: new Set<string>(), reset: () => {} };
const options = { counter, only: "", seconds: 10 };

/** A library that answers with the given results, one a run. */
function answering(name: string, ...results: number[][]): Peer<number> {
  return {
    name,
    open: () => {
      let run = 0;
      return Promise.resolve({
        run: () => Promise.resolve(results[Math.min(run++, results.length - 1)]),
        dispose: () => {},
      });
    },
  };
}

function taskOf(peers: Peer<number>[], tolerance = 0): Task<number> {
  const rounds = 3;
  return { name: "count", call: "a call", tolerance, rounds, aim: 2, peers, problems: () => [] };
}

const problem = { label: "to two", data: 2, calls: 1 };
const ours = answering("ours", [1, 2]);

Deno.test("equal results are equal, and every round counts", async () => {
  const { equal, rounds, outcomes, ratio } = await compare(
    taskOf([ours, answering("theirs", [1, 2])]),
    problem,
    options,
  );
  assert.equal(equal, true);
  assert.equal(rounds, 3);
  assert.equal(outcomes.length, 2);
  const [mine, theirs] = outcomes.map(({ milliseconds }) => milliseconds.median);
  assert.equal(ratio, theirs / mine);
});

const wrong: Record<string, Peer<number>> = {
  "another number in the last round": answering("wrong", [1, 2], [1, 2], [1, 2], [1, 3]),
  "a result that is too short": answering("wrong", [1]),
  "a result that is no number": answering("wrong", [1, NaN]),
};
for (const [what, peer] of Object.entries(wrong)) {
  Deno.test(`found: ${what}`, async () => {
    assert.equal((await compare(taskOf([ours, peer], 0.1), problem, options)).equal, false);
  });
}

Deno.test("found: a first result that double precision does not confirm", async () => {
  const differenceToExact = () => 0.2;
  const { equal } = await compare(taskOf([ours], 0.1), { ...problem, differenceToExact }, options);
  assert.equal(equal, false);
});

Deno.test("a library that does not run is named, and ours must run", async () => {
  const absent: Peer<number> = {
    name: "absent",
    open: () => Promise.reject(new Error("it has no gradients")),
  };
  const { equal, failures, ratio } = await compare(taskOf([ours, absent]), problem, options);
  assert.deepEqual(failures, [{ name: "absent", reason: "it has no gradients" }]);
  assert.equal(ratio, undefined);
  assert.equal(equal, true);
  await assert.rejects(compare(taskOf([absent, ours]), problem, options), /no gradients/);
});

Deno.test("there is always one round, and no more than there is time for", async () => {
  const { rounds } = await compare(taskOf([ours]), problem, { ...options, seconds: 0 });
  assert.equal(rounds, 1);
});

Deno.test("the table names the best of the peers", () => {
  const outcome = (name: string, median: number) => ({
    name,
    milliseconds: { median, shortest: median, longest: median },
    dispatches: 1,
    waits: 1,
    difference: 0,
  });
  const comparison: Comparison = {
    task: "layer_norm",
    label: "2×3",
    call: "",
    calls: 1,
    rounds: 1,
    date: "",
    outcomes: [outcome("ours", 2), outcome("slow", 12), outcome("quick", 8)],
    failures: [],
    ratio: 4,
    aim: 5,
    equal: false,
  };
  assert.equal(
    markdownTable([comparison]).split("\n").at(-1),
    "| layer norm, 2×3 | 2.0 | 8.0 | quick | **4.0×** | 5× | NO |",
  );
});
