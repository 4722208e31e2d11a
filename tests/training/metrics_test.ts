import assert from "node:assert/strict";
import { metricNumber, MetricsFile, readMetrics } from "../../src/training/metrics.ts";

function inDirectory(check: (path: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    check(`${directory}/metrics.jsonl`);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** The steps of a run from `from` up to `to`, an evaluation after every third. */
function run(path: string, from: number, to: number): void {
  using file = new MetricsFile(path);
  file.truncateAfter(from);
  for (let step = from + 1; step <= to; step++) {
    file.append({ step, loss: Math.fround(10 / step), gradientNorm: step === 7 ? NaN : 1 / 3 });
    if (step % 3 === 0) file.append({ step, validationLoss: 11 / step, note: "é\n" });
  }
  file.sync();
}

Deno.test("a resumed run leaves the bytes of an uninterrupted one, wherever it was killed", () => {
  inDirectory((path) => {
    run(path, 0, 29);
    const whole = Deno.readFileSync(path);
    const checkpoint = 6;
    const reached = readMetrics(path).filter(({ step }) => step <= checkpoint).length;
    const lines = new TextDecoder().decode(whole).split("\n").slice(0, reached).join("\n");
    const kept = new TextEncoder().encode(lines).length;
    // From the checkpoint's last record, its line break missing, to far beyond it, byte by byte.
    for (let length = kept; length < kept + 300; length++) {
      Deno.writeFileSync(path, whole.subarray(0, length));
      run(path, checkpoint, 29);
      assert.deepEqual(Deno.readFileSync(path), whole, `killed after ${length} bytes`);
    }
  });
});

Deno.test("numbers that JSON lacks survive as strings, others to the last bit", () => {
  inDirectory((path) => {
    {
      using file = new MetricsFile(path);
      file.append({ step: 3, a: NaN, b: Infinity, c: -Infinity, d: null, e: 0.1 + 0.2, f: "x" });
    }
    const [record] = readMetrics(path);
    const values = ["a", "b", "c", "d", "e", "f", "g"].map((name) => metricNumber(record[name]));
    assert.deepEqual(record, {
      step: 3,
      a: "NaN",
      b: "Infinity",
      c: "-Infinity",
      d: null,
      e: 0.30000000000000004,
      f: "x",
    });
    assert.deepEqual(values, [
      NaN,
      Infinity,
      -Infinity,
      undefined,
      0.30000000000000004,
      undefined,
      undefined,
    ]);
  });
});

Deno.test("records after the step go, wherever they stand, and the rest keeps its bytes", () => {
  inDirectory((path) => {
    const odd = '{ "step": 2, "loss": 1.50 }\n';
    Deno.writeTextFileSync(path, `{"step":5}\n${odd}{"step":3}\n{"step":2}\n{"st`);
    assert.deepEqual(readMetrics(path).map(({ step }) => step), [5, 2, 3, 2]);
    using file = new MetricsFile(path);
    file.truncateAfter(2);
    assert.equal(Deno.readTextFileSync(path), `${odd}{"step":2}\n`);
    file.append({ step: 3 });
    assert.equal(Deno.readTextFileSync(path), `${odd}{"step":2}\n{"step":3}\n`);
    file.truncateAfter(-1);
    assert.equal(Deno.readTextFileSync(path), "");
    file.append({ step: 0 });
    assert.deepEqual(readMetrics(path), [{ step: 0 }]);
  });
});

Deno.test("a broken line that was not torn is named and nothing is lost", () => {
  inDirectory((path) => {
    const content = '{"step":1}\n{"loss":2}\n{"step":3}\n';
    Deno.writeTextFileSync(path, content);
    const fault = /VitrailError: Cannot read .*: line 2 is .*loss.*wanted a JSON object with a/;
    assert.throws(() => readMetrics(path), fault);
    assert.throws(() => new MetricsFile(path), fault);
    assert.equal(Deno.readTextFileSync(path), content);
  });
});

Deno.test("a record without a step, a closed file and a missing folder are faults", () => {
  inDirectory((path) => {
    const file = new MetricsFile(path);
    assert.throws(() => file.append({ step: NaN }), /VitrailError: .*step is NaN/);
    file.close();
    file.close();
    assert.throws(() => file.append({ step: 1 }), /VitrailError: Cannot append to .*was closed/);
    assert.throws(() => file.truncateAfter(1), /Cannot truncate .*was closed/);
    assert.equal(Deno.readTextFileSync(path), "");
    assert.throws(() => new MetricsFile(`${path}/no/file`), /VitrailError: Cannot open/);
    assert.throws(() => readMetrics(`${path}.no`), /VitrailError: Cannot read .*no such file/);
  });
});

Deno.test("a file whose records are damaged is refused before anything is cut", () => {
  const good = '{"step":1,"loss":2}\n{"step":2,"loss":"NaN"}\n';
  for (
    const bad of [
      '{"step":-3,"loss":2}\n',
      '{"step":1.5}\n',
      '{"step":"1"}\n',
      '{"loss":1}\n',
      '{"step":1,"loss":{"toString":1}}\n',
      '{"step":1,"loss":true}\n',
      "[1]\n",
      `{"step":1,"loss":${"[".repeat(20_000)}${"]".repeat(20_000)}}\n`,
      "\xff\n",
    ]
  ) {
    const path = `${Deno.makeTempDirSync()}/metrics.jsonl`;
    const bytes = Uint8Array.from(good + bad, (c) => c.charCodeAt(0));
    Deno.writeFileSync(path, bytes);
    assert.throws(
      () => new MetricsFile(path),
      /^VitrailError: Cannot read .*(line 3 is|not UTF-8)/,
    );
    assert.deepEqual(Deno.readFileSync(path), bytes);
  }
});
