import assert from "node:assert/strict";
import { ProgressBar, type ProgressOptions } from "../../src/training/progress.ts";
import { formatDuration, formatNumber, formatRate } from "../../src/training/progress_format.ts";

/** A bar on a stream that remembers each write, with a clock to turn by hand. */
function watch(terminal: boolean, options: Partial<ProgressOptions> = {}) {
  const writes: string[] = [];
  const clock = { time: 0 };
  const stream = {
    // Half of what it is given, as a pipe may.
    writeSync(bytes: Uint8Array): number {
      const count = Math.ceil(bytes.length / 2);
      pending.push(...bytes.subarray(0, count));
      if (count === bytes.length) {
        writes.push(new TextDecoder().decode(Uint8Array.from(pending.splice(0))));
      }
      return count;
    },
    isTerminal: () => terminal,
  };
  const pending: number[] = [];
  const bar = new ProgressBar({
    total: 197,
    label: "train",
    stream,
    width: 120,
    now: () => clock.time,
    ...options,
  });
  return { bar, writes, clock };
}

Deno.test("a terminal gets one line with bar, count, rate, time left and fields", () => {
  const { bar, writes, clock } = watch(true);
  clock.time = 2000;
  bar.update(58, { loss: 3.14159, "tok/s": 12345, note: "a\x1b[31mb" });
  assert.deepEqual(writes, [
    "\rtrain  ███████░░░░░░░░░░░░░░░░░   29%  58/197 steps  29.0 steps/s  ETA 0:05  loss 3.142" +
    "  12345 tok/s  note a\\u001b[31mb\x1b[K",
  ]);
});

Deno.test("a terminal is drawn ten times a second at most, and the last state always", () => {
  const { bar, writes, clock } = watch(true);
  for (let step = 1; step <= 197; step++) {
    clock.time += 10;
    bar.update(step, {});
  }
  assert.equal(writes.length, 20);
  bar.finish();
  bar.finish();
  bar.update(3, {});
  assert.equal(writes.length, 21);
  assert.match(
    writes[20],
    // deno-lint-ignore no-control-regex -- the bar ends by clearing the rest of its line
    /^\rtrain {2}█+ {2}100% {2}197\/197 steps {2}100 steps\/s {2}in 0:02\x1b/,
  );
  assert.ok(writes[20].endsWith("\x1b[K\n"));
});

Deno.test("a narrow terminal loses fields and bar, and never its last column", () => {
  for (let width = 1; width < 120; width++) {
    const { bar, writes } = watch(true, { width });
    bar.update(29, { loss: 3.25, "tok/s": 12345 });
    const shown = writes[0].slice(1, -3);
    assert.ok([...shown].length < width, `${width} columns: ${shown}`);
    if (width > 50) assert.match(shown, /^train {2}█*░+ {2} 14% {2}29\/197 steps/);
  }
});

Deno.test("a line stands above the bar and cannot steer the terminal", () => {
  const { bar, writes } = watch(true);
  bar.line("before");
  bar.update(29, {});
  bar.line("one\x1b[2J\u202e\n\ttwo");
  assert.equal(writes[0], "before\n");
  assert.ok(writes[2].startsWith("\r\x1b[Kone\\u001b[2J\\u202e\n\ttwo\ntrain  █"), writes[2]);
});

Deno.test("elsewhere a plain line is written at once, every ten seconds and at the end", () => {
  const { bar, writes, clock } = watch(false);
  for (let step = 1; step <= 29; step++) {
    clock.time += 1000;
    bar.update(step, { loss: 1 / step });
  }
  bar.line("sample");
  bar.finish();
  assert.deepEqual(writes, [
    "train  0%  1/197 steps  1.00 steps/s  ETA 3:16  loss 1\n",
    "train  5%  11/197 steps  1.00 steps/s  ETA 3:06  loss 0.09091\n",
    "train  10%  21/197 steps  1.00 steps/s  ETA 2:56  loss 0.04762\n",
    "sample\n",
    "train  14%  29/197 steps  1.00 steps/s  in 0:29  loss 0.03448\n",
  ]);
});

Deno.test("the rate forgets a slow beginning, and steps done before a resumed run", () => {
  const { bar, writes, clock } = watch(false, { total: 2000, plainEvery: 0 });
  bar.begin(1000);
  clock.time = 1;
  bar.update(1000.5, {});
  assert.match(writes.shift()!, /- steps\/s {2}ETA --:--/, "a millisecond is too short for a rate");
  clock.time = 60_000;
  bar.update(1001, {});
  assert.match(writes[0], /1001\/2000 steps {2}60.0 s\/step {2}ETA 16:39:00/);
  for (let step = 1002; step <= 1100; step++) {
    clock.time += 1000;
    bar.update(step, {});
  }
  assert.match(writes.at(-1)!, /1100\/2000 steps {2}1.00 steps\/s {2}ETA 15:00/);
});

Deno.test("a closed pipe, no update and nothing to do end no run", () => {
  const broken = new ProgressBar({
    total: 3,
    label: "x",
    stream: {
      writeSync(): number {
        throw new Deno.errors.BrokenPipe("gone");
      },
    },
  });
  broken.update(1, {});
  broken.line("x");
  broken.finish();
  const silent = watch(true);
  silent.bar.finish();
  assert.deepEqual(silent.writes, []);
  const empty = watch(false, { total: 0 });
  empty.bar.update(0, {});
  assert.deepEqual(empty.writes, ["train  100%  0/0 steps  - steps/s  ETA --:--\n"]);
});

Deno.test("times, numbers and rates at their edges", () => {
  const times = [0, 59.4, 59.6, 3599.7, 86_399, Infinity, NaN].map(formatDuration);
  assert.deepEqual(times, ["0:00", "0:59", "1:00", "1:00:00", "23:59:59", "--:--", "--:--"]);
  const numbers = [0, -3, 12345678, 3.14159, 0.0006, 2.5e6 + 0.5, NaN, -Infinity];
  assert.deepEqual(
    numbers.map(formatNumber),
    ["0", "-3", "12345678", "3.142", "6.00e-4", "2.50e+6", "NaN", "-Infinity"],
  );
  const rates = [1234.5, 99.99, 1, 0.5, 0.0001].map((rate) => formatRate(rate, "step"));
  assert.deepEqual(
    rates,
    ["1235 steps/s", "100 steps/s", "1.00 steps/s", "2.00 s/step", "10000 s/step"],
  );
});
