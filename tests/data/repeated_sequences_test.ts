import assert from "node:assert/strict";
import { repeatedBatch, type RepeatedOptions } from "../../mod.ts";

const [batch, sequence, vocabularySize] = [5, 29, 31];

function check(options: Partial<RepeatedOptions>): ReturnType<typeof repeatedBatch> {
  const found = repeatedBatch({ batch, sequence, period: [3, 11], vocabularySize, ...options });
  const { begin = 0, firstId = 1 } = options;
  found.periods.forEach((P, b) => {
    const x = found.inputs.subarray(b * sequence, (b + 1) * sequence);
    const y = found.targets.subarray(b * sequence, (b + 1) * sequence);
    assert.equal(x[0], begin);
    for (let t = 1; t < sequence; t++) {
      assert.ok(x[t] >= firstId && x[t] < vocabularySize, `${x[t]}`);
      if (t > P) assert.equal(x[t], x[t - P]);
      // The target is what comes next, and what followed this token a period before.
      if (t < sequence - 1 && t > P) assert.equal(y[t], x[t + 1]);
      if (t > P) assert.equal(y[t], x[t - P + 1]);
      else assert.equal(y[t], -100);
    }
  });
  return found;
}

Deno.test("blocks repeat after a first token, and targets begin where a token has been seen before", () => {
  const { periods, shape } = check({});
  assert.deepEqual(shape, [batch, sequence]);
  const drawn = Array.from({ length: 40 }, (_, index) => check({ index }).periods).flat();
  assert.deepEqual([Math.min(...drawn), Math.max(...drawn)], [3, 11]);
  assert.equal(new Set(check({ period: 7 }).periods).size, 1);
  check({ begin: 30, firstId: 4, seed: 9 });
  assert.ok(periods.every((P) => P >= 3 && P <= 11));
});

Deno.test("a batch is a function of seed and index", () => {
  assert.deepEqual(check({ seed: 1, index: 2 }), check({ seed: 1, index: 2 }));
  assert.notDeepEqual(check({ seed: 1, index: 2 }).inputs, check({ seed: 1, index: 3 }).inputs);
  assert.notDeepEqual(check({ seed: 1, index: 2 }).inputs, check({ seed: 2, index: 2 }).inputs);
});

Deno.test("distinct blocks hold no token twice, others do", () => {
  const twice = (distinct: boolean) => {
    const { inputs } = check({ period: 28, distinct });
    return Array.from({ length: batch }, (_, b) => {
      return new Set(inputs.subarray(b * sequence + 1, (b + 1) * sequence)).size < sequence - 1;
    });
  };
  assert.ok(!twice(true).includes(true));
  assert.ok(twice(false).includes(true));
});

Deno.test("periods that cannot be are refused", () => {
  assert.throws(
    () => check({ period: 31, distinct: true }),
    /Cannot repeat 31 tokens of 30: wanted a period from 1 to 30, as no token may come twice/,
  );
  assert.throws(() => check({ period: [5, 3] }), /Cannot repeat 5 to 3 tokens of 30/);
  assert.throws(() => check({ period: 0 }), /Cannot repeat tokens: period is 0/);
});
