/** One writer per directory. @module */
import assert from "node:assert/strict";
import { VitrailError } from "../../src/errors.ts";
import { DirectoryLock, LOCK_FILE, refuseLocked } from "../../src/formats/directory_lock.ts";

/** Takes the lock of a folder in a process of its own, and holds it until it is killed. */
async function holder(folder: string, then = ".beginWriting()"): Promise<Deno.ChildProcess> {
  const source = new URL("../../src/formats/directory_lock.ts", import.meta.url);
  const code = `
    import { DirectoryLock } from "${source}";
    try {
      new DirectoryLock(${JSON.stringify(folder)}, "train --out x")${then};
      console.log("locked");
      setInterval(() => {}, 1000);
    } catch (error) {
      console.log(error.message);
    }`;
  const args = ["eval", "--no-check", "--ext=ts", code];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "null" })
    .spawn();
  return await Promise.resolve(child);
}

async function firstLine(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value);
}

Deno.test("a second writer is refused by the first one's process, time and command; a third follows", () => {
  const folder = Deno.makeTempDirSync();
  {
    using _lock = new DirectoryLock(folder, "quantize --out\u001b[31m x");
    const message = new RegExp(
      `^Cannot write to .*: process ${Deno.pid} has been writing there since ` +
        String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(quantize --out\\u001b\[31m x\); wait until`,
    );
    const refused = { name: "VitrailError", message };
    assert.throws(() => new DirectoryLock(folder, "train"), refused);
    assert.throws(() => refuseLocked(folder), refused);
  }
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  refuseLocked(folder);
  using lock = new DirectoryLock(folder, "train");
  assert.equal(lock.unfinished, undefined);
  lock[Symbol.dispose]();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("of processes that start together one wins; killed, it leaves no lock, but what it was", async () => {
  const folder = Deno.makeTempDirSync();
  const children = await Promise.all([1, 2, 3].map(() => holder(folder)));
  const lines = await Promise.all(children.map(firstLine));
  const winner = lines.findIndex((line) => line === "locked\n");
  assert.ok(winner >= 0, lines.join());
  const { pid } = children[winner];
  for (const [i, line] of lines.entries()) {
    if (i === winner) continue;
    assert.ok(line.includes(`process ${pid} has been writing there since`), line);
    assert.ok(line.includes("(train --out x)"), line);
  }
  assert.throws(() => new DirectoryLock(folder, "train"), VitrailError);
  children[winner].kill("SIGKILL");
  await Promise.all(children.map(({ status }) => status));
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), [LOCK_FILE]);
  // Also to the one after the next, which is killed before it writes.
  const next = await holder(folder, "");
  assert.equal(await firstLine(next), "locked\n");
  next.kill("SIGKILL");
  await next.status;
  using lock = new DirectoryLock(folder, "train");
  assert.equal(lock.unfinished, "train --out x");
  lock[Symbol.dispose]();
  // One that ends without having written anything leaves the word where it is.
  using third = new DirectoryLock(folder, "train --out x");
  assert.equal(third.unfinished, "train --out x");
  third.beginWriting();
  third[Symbol.dispose]();
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  // A file of that name that is none of ours is no holder.
  Deno.writeTextFileSync(`${folder}/${LOCK_FILE}`, "[]");
  using odd = new DirectoryLock(folder, "train");
  assert.equal(odd.unfinished, undefined);
  odd[Symbol.dispose]();
  Deno.removeSync(folder, { recursive: true });
});
