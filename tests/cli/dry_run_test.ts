/**
 * `--dry-run` as a user calls it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createGptConfig } from "../../src/formats/gpt_config.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpt } from "../../src/models/gpt.ts";
import { languageModelling } from "../../src/training/task.ts";
import { Trainer } from "../../src/training/trainer.ts";
import { folder } from "../data/files.ts";
import { runCli, snapshot } from "./run_cli.ts";

const SIZES = "--layers 2 --heads 3 --channels 36 --sequence 29 --batch 3 --vocabulary 197";
const words = (text: string): string[] => text.split(" ");
const lineOf = (text: string, name: string): string =>
  text.match(new RegExp(`^ *${name} +(\\S.*)$`, "m"))?.[1] ?? "";

Deno.test("train --dry-run says what real steps use, and writes nothing", async () => {
  using place = folder({});
  const { code, stdout, stderr } = await runCli(words(`train --dry-run ${SIZES}`), {
    cwd: place.path,
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(snapshot(place.path), {});
  const device = await openDevice();
  try {
    const size = { vocabularySize: 197, contextLength: 29, channels: 36, layers: 2, heads: 3 };
    const none = { embeddingDropout: 0, attentionDropout: 0, residualDropout: 0 };
    const model = new Gpt(device, createGptConfig(size, none));
    const trainer = new Trainer(languageModelling(model, 29), { clip: 1 });
    const batch = { inputs: new Uint32Array(87), targets: new Int32Array(87) };
    for (let i = 0; i < 3; i++) trainer.step([batch], 1e-3);
    await trainer.figures();
    const used = device.pool.memory.peakBytes + device.textures.bytes;
    const said = Number.parseFloat(lineOf(stdout, "memory, when most is in use")) * 1e6;
    assert.ok(Math.abs(said / used - 1) < 0.1, `${said} bytes said, ${used} used`);
    assert.equal(lineOf(stdout, "parameters"), model.parameterCount.toLocaleString("en"));
  } finally {
    device.destroy();
  }
  assert.match(stdout, /^GPT: 2 layers, C 36, 3 heads, V 197, T 29, on /);
  assert.match(stdout, /^87 tokens a step: 3 sequences of 29$/m);
  assert.match(
    stdout,
    /^A step takes [\d.]+ m?s, measured over \d+ here; 1,000 steps take about [\d:]+, and 10 evaluations of 20 batches up to [\d:]+$/m,
  );
  assert.match(stdout, /^Largest batch: \d+, which takes .* MB\. One more: Cannot allocate/m);
});

Deno.test("a run that does not fit ends in exit code 1", async () => {
  using place = folder({});
  const cwd = place.path;
  const small = await runCli(words(`train --dry-run --no-time ${SIZES} --memory 0.001`), { cwd });
  assert.equal(small.code, 1);
  assert.match(small.stdout, /^Does not fit: more than 1 MB$/m);
  assert.match(small.stdout, /^Not even one sequence fits: 1 would take \S+ MB of 1\.0 MB$/m);
  const characters = await runCli(words("train --dry-run --tokenizer characters"), { cwd });
  assert.equal(characters.code, 1);
  assert.match(characters.stderr, /Cannot count the characters of a text that is not given/);
});

Deno.test("pretrain bert --dry-run, with micro-steps", async () => {
  using place = folder({});
  const { code, stdout, stderr } = await runCli(
    words(`pretrain bert --dry-run --no-time ${SIZES} --accumulation 2 --no-next-sentence`),
    { cwd: place.path },
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^174 tokens a step: 2 micro-steps of 3 sequences of 29$/m);
  assert.ok(!stdout.includes("A step takes"), stdout);
  assert.match(stdout, /^ +logits.* MB$/m);
});
