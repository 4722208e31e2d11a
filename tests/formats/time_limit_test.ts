/** Work that takes longer than it may is ended, and other work is as if it were called. @module */

import assert from "node:assert/strict";
import { withinTime } from "../../src/formats/time_limit.ts";

const fault = () => new Error("too long");

Deno.test("what ends in time returns and throws what it would", () => {
  const list = Uint32Array.of(1, 2);
  assert.equal(withinTime(() => list, { seconds: 9, fault }), list);
  const error = new TypeError("its own");
  const fail = (): never => {
    throw error;
  };
  assert.throws(() => withinTime(fail, { seconds: 9, fault }), (e) => e === error);
  const nested = withinTime(
    () => withinTime(() => 3, { seconds: 9, fault }) + withinTime(() => 4, { seconds: 9, fault }),
    { seconds: 9, fault },
  );
  assert.equal(nested, 7);
});

Deno.test("patterns that backtrack without end, and loops, are ended", () => {
  const patterns = [
    /^(a+)+$/u,
    /(a|a)*$/u,
    /(a|aa)+$/u,
    /([a-z]+)*\d/u,
    /(.*)*x/u,
    /(a*)*c/v,
    /(?=(a+)+c)/u,
    /.*.*.*.*.*.*.*=/u,
  ];
  const text = "a".repeat(3000) + "b";
  for (const pattern of patterns) {
    const search = () => pattern.test(text);
    assert.throws(() => withinTime(search, { seconds: 0.05, fault }), /too long/, `${pattern}`);
  }
  const forever = (): never => {
    for (;;) { /* never ends */ }
  };
  assert.throws(() => withinTime(forever, { seconds: 0.05, fault }), /too long/);
  assert.equal(withinTime(() => "well again", { seconds: 9, fault }), "well again");
});
