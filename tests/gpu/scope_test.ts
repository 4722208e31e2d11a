import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { accumulate } from "../../src/kernels/add.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const live = (): number => device.pool.memory.liveBuffers;
const upload = (): Tensor => device.upload(Float32Array.of(1, 2, 3, 4));
const tick = (): Promise<void> => new Promise((done) => setTimeout(done, 0));

Deno.test("a scope owns what synchronous code makes, and gives it back", () => {
  const before = live();
  {
    using scope = device.scope();
    upload();
    const kept = upload();
    scope.keep(kept);
    {
      using inner = device.scope();
      inner.keep(upload()); // goes to the scope around it
      upload();
    }
    assert.equal(live(), before + 3);
    device.pool.release(kept.buffer);
  }
  assert.equal(live(), before);
});

Deno.test("what others make while a scope is held across an await is theirs", async () => {
  const before = live();
  let mine: Tensor;
  let [theirs, late]: Tensor[] = [];
  {
    using scope = device.scope();
    mine = upload();
    await tick();
    theirs = upload();
    late = scope.run(upload);
    assert.deepEqual([...await mine.read()], [1, 2, 3, 4], "it stays valid until the disposal");
    const adopted = scope.adopt(upload());
    assert.equal(scope.adopt(adopted), adopted, "twice is once");
    assert.equal(live(), before + 4);
  }
  assert.deepEqual([...await theirs.read()], [1, 2, 3, 4]);
  await assert.rejects(mine.read(), /Cannot read a tensor of shape \(4\): its memory was given/);
  await assert.rejects(late.read(), /its memory was given back/);
  device.pool.release(theirs.buffer);
  assert.equal(live(), before);
});

Deno.test("a call that starts in the same stretch of code takes nothing of what comes after it", async () => {
  const before = live();
  const other = async (): Promise<number> => {
    using _scope = device.scope();
    return (await upload().read())[1];
  };
  const running = other(); // has not ended, and its scope is open
  const mine = upload();
  {
    using inner = device.scope();
    inner.keep(upload());
    const [found] = await Promise.all([running, mine.read()]);
    assert.equal(found, 2);
  }
  assert.deepEqual([...await mine.read()], [1, 2, 3, 4]);
  device.pool.release(mine.buffer);
  assert.equal(live(), before + 1, "only what was kept outside of all scopes is left");
});

Deno.test("code that calls something asynchronous and does not wait keeps its scope", async () => {
  const before = live();
  let pending: Promise<unknown>;
  {
    using _scope = device.scope();
    pending = upload().read();
    upload();
  }
  assert.equal(live(), before);
  await pending;
});

Deno.test("a detached scope owns what is made in its run, whatever runs in between", async () => {
  const before = live();
  const [began, made]: string[][] = [[], []];
  const call = async (name: string): Promise<number> => {
    using scope = device.detachedScope();
    const x = scope.run(upload);
    began.push(name);
    await tick();
    const y = scope.run(() => {
      using _inner = device.scope();
      upload();
      return upload();
    });
    made.push(name);
    assert.throws(() => y.reshape([2, 2]), /Cannot reshape a tensor of shape \(4\): its memory/);
    return (await x.read())[0];
  };
  assert.deepEqual(await Promise.all([call("a"), call("b"), call("c")]), [1, 1, 1]);
  assert.deepEqual([began, made], [["a", "b", "c"], ["a", "b", "c"]]);
  assert.equal(live(), before);
  const over = device.detachedScope();
  over[Symbol.dispose]();
  assert.throws(() => over.run(upload), /Cannot run in this scope: it was disposed of/);
  assert.throws(() => over.adopt(device.nothing), /this scope was disposed of/);
});

Deno.test("memory that was given back is recognised, also when it has been lent again", async () => {
  const before = live();
  let [x, view, rows]: Tensor[] = [];
  {
    using _scope = device.scope();
    x = device.zeros([128]);
    view = x.reshape([2, 64]);
    rows = view.rows(1, 2);
  }
  using _scope = device.scope();
  const again = device.zeros([128]);
  assert.equal(again.buffer.raw, x.buffer.raw, "the memory is lent again");
  device.pool.release(x.buffer); // changes nothing: the loan is another
  assert.equal(live(), before + 1);
  const { commands } = device;
  for (const old of [x, view, rows]) {
    const shape = `\\(${old.shape.join(", ")}\\)`;
    const gone = (action: string): RegExp =>
      new RegExp(`^VitrailError: Cannot ${action} of shape ${shape}: its memory was given back`);
    await assert.rejects(old.read(), gone("read a tensor"));
    assert.throws(() => device.readLater(again, old), gone("read a tensor"));
    assert.throws(() => old.reshape([old.size]), gone("reshape a tensor"));
    assert.throws(() => old.rows(0, 1), gone("take rows of a tensor"));
    assert.throws(() => device.write(old, new Float32Array(old.size)), gone("write into a tensor"));
    assert.throws(
      () => accumulate(again, old),
      gone("dispatch add.accumulate, whose \\w+ is a tensor"),
    );
  }
  for (const { buffer } of [x, view]) {
    const gone = /of shape \(128\): its memory was given back/;
    assert.throws(() => commands.clear(buffer), gone);
    assert.throws(() => commands.copy(buffer, again.buffer, 4), gone);
    assert.throws(() => commands.copy(again.buffer, buffer, 4), gone);
    assert.throws(() => commands.write(buffer, Float32Array.of(1)), gone);
    assert.throws(() => device.pool.slice(buffer, 0, 256), gone);
  }
  assert.deepEqual([...await again.read()], new Array(128).fill(0));
});
Deno.test("no scope of the library is held across an await", async () => {
  const held: string[] = [];
  const scan = async (folder: URL): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const url = new URL(name + (isDirectory ? "/" : ""), folder);
      if (isDirectory) await scan(url);
      else if (name.endsWith(".ts")) held.push(...heldScopes(await Deno.readTextFile(url), name));
    }
  };
  await scan(new URL("../../src/", import.meta.url));
  assert.deepEqual(held, []);
  const example = "{\n  using s = device.scope();\n  if (a) {\n    b();\n  }\n  await c;\n}";
  assert.deepEqual(heldScopes(example, "x.ts"), ["x.ts:2"], "the scan finds what it looks for");
});

/** Lines on which a scope is opened in whose block an `await` follows. */
function heldScopes(source: string, name: string): string[] {
  const lines = source.split("\n");
  return lines.flatMap((line, opened) => {
    if (!/= [\w.]+\.scope\(\);/.test(line)) return [];
    let depth = 0;
    for (const after of lines.slice(opened + 1)) {
      depth += after.split("{").length - after.split("}").length;
      if (depth < 0) return [];
      if (/\bawait\b/.test(after) && !/^\s*(\*|\/\/)/.test(after)) return [`${name}:${opened + 1}`];
    }
    return [];
  });
}
