import assert from "node:assert/strict";
import { EventWriter } from "../../src/training/tensorboard.ts";
import { crc32c } from "../../src/training/tensorboard_encoding.ts";
import { events, inner, scalarsOf, slowCrc32c, string } from "./event_file.ts";

function inDirectory(check: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    check(`${directory}/new/events`);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("CRC32C of the vectors of RFC 3720, and as computed bit by bit", () => {
  const bytes = (length: number, at: (i: number) => number) =>
    Uint8Array.from({ length }, (_, i) => at(i));
  assert.equal(crc32c(bytes(32, () => 0)), 0x8a9136aa);
  assert.equal(crc32c(bytes(32, () => 0xff)), 0x62a8ab43);
  assert.equal(crc32c(bytes(32, (i) => i)), 0x46dd794e);
  assert.equal(crc32c(bytes(32, (i) => 31 - i)), 0x113fdb5c);
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  const odd = bytes(197, (i) => i * 29);
  assert.equal(crc32c(odd), slowCrc32c(odd));
});

Deno.test("an independent decoder finds version, scalars and texts", () => {
  inDirectory((directory) => {
    const before = Date.now() / 1000;
    const writer = new EventWriter(directory);
    assert.match(writer.path, /\/events\.out\.tfevents\.\d{10}\.vitrail\.000$/);
    writer.scalar("loss/train", 3.14159, 197);
    writer.scalar("é", NaN, 2 ** 40 + 3);
    writer.text("samples", "# Call\r\n<b>me</b>", 29);
    writer.close();
    writer.close();
    const [version, loss, nan, text] = events(writer.path);
    const [first, second] = version;
    assert.equal(first[0], 1);
    assert.ok(first[1] as number >= before && first[1] as number <= Date.now() / 1000);
    assert.deepEqual([second[0], string(second[1])], [3, "brain.Event:2"]);

    assert.deepEqual(loss[1], [2, 197n]);
    const value = inner(inner(loss, 5), 1);
    assert.equal(string(value[0][1]), "loss/train");
    assert.deepEqual(value[1], [2, Math.fround(3.14159)]);
    assert.deepEqual(nan[1], [2, 2n ** 40n + 3n]);
    assert.deepEqual(inner(inner(nan, 5), 1)[1], [2, NaN]);

    assert.deepEqual(text[1], [2, 29n]);
    const summary = inner(inner(text, 5), 1);
    const tensor = inner(summary, 8);
    assert.deepEqual(tensor[0], [1, 7n]);
    assert.equal(string(tensor.find(([n]) => n === 8)![1]), "    # Call\n    <b>me</b>");
    assert.equal(string(inner(inner(summary, 9), 1)[0][1]), "text");
  });
});

Deno.test("values wait in memory until they are many, or flushed", () => {
  inDirectory((directory) => {
    using writer = new EventWriter(directory);
    writer.scalar("a", 1, 1);
    assert.equal(events(writer.path).length, 1);
    writer.flush();
    assert.equal(events(writer.path).length, 2);
    for (let step = 2; step <= 2000; step++) writer.scalar("a", step, step);
    const written = events(writer.path).length;
    assert.ok(written > 1000 && written < 2001, `${written} events`);
    writer.flush();
    assert.deepEqual(events(writer.path).at(-1)![1], [2, 2000n]);
  });
});

/** Steps 1 to `to`, two values at each and an evaluation at every third. */
function write(directory: string, to: number, purgeStep = 1): string {
  using writer = new EventWriter(directory, { purgeStep });
  for (let step = purgeStep; step <= to; step++) {
    writer.scalars({ "loss/train": 10 / step, "rate": step }, step);
    if (step % 3 === 0) writer.scalar("loss/validation", 11 / step, step);
  }
  return writer.path;
}

Deno.test("several values at one step are one event", () => {
  inDirectory((directory) => {
    const path = write(directory, 3);
    assert.equal(events(path).length, 2 + 3 + 1);
    assert.deepEqual(scalarsOf(directory).slice(-3), [
      { tag: "loss/train", step: 3, value: Math.fround(10 / 3) },
      { tag: "rate", step: 3, value: 3 },
      { tag: "loss/validation", step: 3, value: Math.fround(11 / 3) },
    ]);
  });
});

Deno.test("a resumed writer makes a later file that tells where it begins again", () => {
  inDirectory((directory) => {
    const first = write(directory, 31);
    const second = write(directory, 40, 30);
    assert.ok(first < second);
    const [, start, next] = events(second);
    assert.deepEqual(start[1], [2, 30n]);
    assert.deepEqual(inner(start, 7), [[1, 1n]]);
    assert.deepEqual(next[1], [2, 30n]);
    assert.deepEqual(events(first).at(-1)![1], [2, 29n]);
  });
});

Deno.test("wherever a writer was killed, a resumed one leaves every value once", () => {
  inDirectory((directory) => {
    // Up to the checkpoint's step, 6, all was flushed before the checkpoint was saved.
    const kept = Deno.statSync(write(directory, 6)).size;
    const path = write(directory, 12);
    const all = Deno.readFileSync(path);
    const wanted = scalarsOf(directory);
    assert.equal(wanted.length, 28);
    for (let length = kept; length <= all.length; length++) {
      for (const { name } of Deno.readDirSync(directory)) Deno.removeSync(`${directory}/${name}`);
      Deno.writeFileSync(path, all.subarray(0, length));
      write(directory, 12, 7);
      assert.deepEqual(scalarsOf(directory), wanted, `killed after ${length} bytes`);
    }
  });
});

Deno.test("a fresh run removes our older files, and only ours", () => {
  inDirectory((directory) => {
    const old = write(directory, 5);
    const other = `${directory}/events.out.tfevents.1700000000.elsewhere`;
    Deno.writeTextFileSync(other, "another program's");
    const path = write(directory, 2);
    const names = [...Deno.readDirSync(directory)].map(({ name }) => `${directory}/${name}`);
    assert.deepEqual(names.sort(), [other, path].sort());
    assert.equal(Deno.readTextFileSync(other), "another program's");
    Deno.removeSync(other);
    assert.ok(old === path || old < path);
    assert.deepEqual(scalarsOf(directory).map(({ step }) => step), [1, 1, 2, 2]);
  });
});

Deno.test("a step that is none, a closed writer and a place that is a file are faults", () => {
  inDirectory((directory) => {
    const writer = new EventWriter(directory);
    for (const step of [-1, 0.5, NaN]) {
      assert.throws(() => writer.scalar("a", 1, step), /VitrailError: .*wanted a whole number/);
    }
    writer.close();
    assert.equal(events(writer.path).length, 1);
    assert.throws(() => writer.scalar("a", 1, 1), /VitrailError: .*was closed/);
    assert.throws(() => writer.flush(), /was closed/);
    assert.throws(() => new EventWriter(writer.path), /VitrailError: Cannot make an event file in/);
  });
});
