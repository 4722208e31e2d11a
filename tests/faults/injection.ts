/**
 * Calls that are made to fail at their first step on the device, at their second, and so on to their last:
 * on a ghost of the device, where a call costs the host's time alone.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  Bert,
  createBertConfig,
  createGptConfig,
  type Device,
  Gpt,
  logit,
  openDevice,
  ProbeSubject,
  trainBytePairTokenizer,
  VitrailError,
} from "../../mod.ts";
import { ghostOf } from "../../src/gpu/ghost.ts";
import { PIECES, tinyTokenizer } from "../data/pretraining/tiny_bert_tokenizer.ts";

export const opened = await openDevice();
export const device = ghostOf(opened);
opened.destroy();

/** What is on the device: buffers on loan, textures, and what was created and not yet destroyed. */
interface Held {
  buffers: number;
  textures: number;
  reads: number;
}

let numbers = 0;
const raw = { staged: 0 };
const createBuffer = device.raw.createBuffer.bind(device.raw);
device.raw.createBuffer = (descriptor) => {
  const buffer = createBuffer(descriptor);
  if (descriptor.label !== "read-back") return buffer;
  raw.staged++;
  let gone = false;
  return Object.assign(buffer, {
    // Numbers that differ: nothing is found in zeros.
    getMappedRange: () =>
      Float32Array.from({ length: descriptor.size / 4 }, (_, i) => 1 + (i % 7 + numbers++ % 5) / 8)
        .buffer,
    destroy: () => {
      if (!gone) raw.staged--;
      gone = true;
    },
  });
};

export const held = ({ pool, textures }: Device): Held => ({
  buffers: pool.memory.liveBuffers,
  textures: textures.ownCount,
  reads: raw.staged,
});

/** Steps on the device until one fails; those behind it succeed, as after a message too large. */
const fault = { left: Infinity, hit: false };
function step(): void {
  if (fault.left-- !== 0) return;
  fault.hit = true;
  throw new VitrailError("injected");
}

for (
  const [object, names] of [
    [device.pool, ["allocate"]],
    [device.textures, ["own", "get"]],
    [device.commands, ["dispatch", "copy", "write", "copyToTexture", "readLater", "clear"]],
  ] as unknown as [Record<string, (...args: unknown[]) => unknown>, string[]][]
) {
  for (const name of names) {
    const original = object[name].bind(object);
    object[name] = (...args) => {
      step();
      return original(...args);
    };
  }
}

/** Runs a call that fails at each of its steps, and demands the count from before. */
export async function failEverywhere(name: string, call: () => unknown): Promise<void> {
  const run = async (): Promise<void> => void await call();
  fault.left = Infinity;
  await run(); // makes what is kept for good
  const before = held(device);
  await run();
  assert.deepEqual(held(device), before, `${name}, without a fault`);
  let at = 0;
  for (;; at += at < 60 ? 1 : 1 + Math.floor(at / 8)) {
    Object.assign(fault, { left: at, hit: false });
    try {
      await run();
      if (!fault.hit) break;
    } catch (error) {
      if (!fault.hit) throw error;
      assert.match(`${error}`, /injected/, `${name}, step ${at}`);
    } finally {
      fault.left = Infinity;
    }
    assert.deepEqual(held(device), before, `${name}, a fault at step ${at}`);
  }
  assert.ok(at > 0 || name.startsWith("an id"), `${name} does nothing on the device`);
}

export const size = {
  vocabularySize: PIECES.length,
  contextLength: 19,
  channels: 8,
  layers: 2,
  heads: 2,
};
export const config = createGptConfig(size);
export const bertConfig = createBertConfig(size, { initializerRange: 0.2 });
export const model = new Gpt(device, config);
export const bert = new Bert(device, bertConfig, { heads: { kind: "pretraining" } });
export const ids = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => (3 * i + 1) % 11);
export const batch = (count = 16) => ({
  inputs: Uint32Array.from(ids(count)),
  targets: Int32Array.from(ids(count)),
});
export const input = { ids: model.ids(ids(6)) };
export const other = { ids: model.ids(ids(6).reverse()) };
export const metric = logit(3);
export const cells = [[{ at: "blocks.0.attn.hook_z", heads: [1] }]];
const adamW = { learningRate: 1e-3, minimumLearningRate: 0, warmupSteps: 1 };
export const settings = {
  ...adamW,
  schedule: "cosine" as const,
  accumulation: 1,
  seed: 0,
  patience: 0,
};
export const labels = ["a", "b", "c"];
export const fixture = (path: string): string =>
  new URL(`../fixtures/${path}`, import.meta.url).pathname;
export const directory = Deno.makeTempDirSync({ prefix: "vitrail faults " });
Deno.test.afterAll(() => Deno.removeSync(directory, { recursive: true }));
export const tokenizer = tinyTokenizer();
export const wordings = await trainBytePairTokenizer(["a b ab cd da ".repeat(9)], {
  vocabularySize: 270,
});

export const berts = new ProbeSubject(bert, tokenizer);
export const templates = {
  name: "letters",
  targets: [{ name: "x", words: ["a"] }, { name: "y", words: ["b"] }],
  attributes: [{ name: "p", words: ["c"] }, { name: "q", words: ["d"] }],
  templates: ["[TARGET] , [ATTRIBUTE]"],
} as never;

export function boom(): never {
  throw new VitrailError("of the caller");
}

/** An error of the caller's own ends a call as one of the device does. */
export async function refused(call: () => unknown): Promise<void> {
  await assert.rejects(
    async () => void await call(),
    /of the caller|injected|Cannot/,
  );
}

/** What is made is given back by its owner. */
export function dispose(made: Disposable): void {
  using _made = made;
}

/** A test for each kind of calls, and one for what they all say on a device that is gone. */
export function testCalls(calls: Record<string, Record<string, () => unknown>>): void {
  for (const [kind, some] of Object.entries(calls)) {
    Deno.test(`an error half-way gives everything back: ${kind}`, async (t) => {
      for (const [name, call] of Object.entries(some)) {
        await t.step(name, () => failEverywhere(name, call));
      }
    });
  }
  Deno.test("after the device was destroyed each of these calls says so", async () => {
    device.destroy();
    for (const [kind, some] of Object.entries(calls)) {
      if (kind === "callbacks") continue; // which expect an error of their own
      for (const [name, call] of Object.entries(some)) {
        const ended = (error: unknown): boolean =>
          error instanceof VitrailError && /: the GPU device was destroyed/.test(error.message);
        await assert.rejects(async () => void await call(), ended, name);
      }
    }
  });
}
