/**
 * The command stream: what the host writes in the middle of it, and slices of buffers.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openDevice } from "../../src/gpu/device.ts";
import { Tensor } from "../../src/gpu/tensor.ts";
import { add } from "../../src/kernels/add.ts";
import { numbers } from "../compare.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const of = (value: number, size: number) => new Float32Array(size).fill(value);

Deno.test("the host's writes and the device's work keep their order, small and large", async () => {
  // The second is more than one submit carries: it goes by way of the queue.
  for (const size of [29, 300_000]) {
    using _scope = device.scope();
    const x = device.upload(of(1, size));
    const two = add(x, x);
    device.write(x, of(5, size));
    const ten = add(x, x);
    device.write(two, of(7, size));
    const [a, b, c] = await device.read(x, ten, two);
    assert.deepEqual([a[size - 1], b[size - 1], c[size - 1]], [5, 10, 7]);
  }
});

Deno.test("what is written may change at once: the stream has its own copy", async () => {
  using _scope = device.scope();
  const x = device.zeros([4]);
  const data = of(3, 4);
  device.write(x, data);
  data.fill(9);
  assert.deepEqual(await x.read(), of(3, 4));
});

Deno.test("a later read sees what was there when it was asked for, whatever comes between", async () => {
  using _scope = device.scope();
  const x = device.upload(of(1, 29));
  const reads = Array.from({ length: 5 }, (_, i) => {
    const read = device.readLater(x, add(x, x));
    device.write(x, of(i + 2, 29));
    if (i % 2 === 0) device.commands.submit();
    return read;
  });
  // Nobody waits for the second; the last is still to be submitted.
  reads[1].cancel();
  for (const i of [4, 0, 3, 2]) {
    const [own, twice] = await reads[i].numbers();
    assert.deepEqual([own, twice], [of(i + 1, 29), of(2 * i + 2, 29)]);
  }
  assert.deepEqual(await x.read(), of(6, 29));
  device.check();
});

Deno.test("what is set aside and not submitted may be cancelled", async () => {
  using _scope = device.scope();
  const x = device.upload(of(3, 4));
  device.readLater(x).cancel();
  assert.deepEqual(await x.read(), of(3, 4));
  device.check();
});

Deno.test("many writes in one submit overflow into the next, in order", async () => {
  using _scope = device.scope();
  const size = 50_000;
  const x = device.zeros([size]);
  for (let i = 1; i <= 12; i++) {
    device.write(x, of(i, size));
    device.commands.copy(x.buffer, add(x, x).buffer, 4);
  }
  assert.deepEqual(await x.read(), of(12, size));
});

Deno.test("a slice is read, written, cleared, copied and bound as a buffer of its own", async () => {
  using _scope = device.scope();
  const data = numbers(192, 1);
  const whole = device.upload(data);
  const part = (at: number, size: number): Tensor =>
    new Tensor(device, device.pool.slice(whole.buffer, at * 4, size * 4), [size], "f32");
  const middle = part(64, 64);
  assert.equal(middle.buffer, part(64, 64).buffer, "the same part is the same slice");
  const doubled = add(middle, part(128, 64));
  device.commands.clear(part(64, 64).buffer);
  const other = device.upload(data);
  device.commands.copy(other.buffer, part(128, 64).buffer, 12, { source: 4, target: 8 });
  device.write(part(0, 64), of(2, 64));
  const [found, sum] = await device.read(whole, doubled);
  const expected = data.slice();
  expected.set(data.subarray(1, 4), 130);
  expected.fill(0, 64, 128).fill(2, 0, 64);
  assert.deepEqual(found, expected);
  assert.deepEqual(sum, Float32Array.from({ length: 64 }, (_, i) => data[64 + i] + data[128 + i]));
  assert.deepEqual(await middle.read(), of(0, 64));
});

Deno.test("slices give nothing back and take nothing", () => {
  using _scope = device.scope();
  const whole = device.tensor([128]);
  const before = device.pool.memory;
  device.pool.release(device.pool.slice(whole.buffer, 256, 256));
  assert.deepEqual(device.pool.memory, before);
});
