/**
 * Generation with a cache, a sequence at a time: 256 tokens of a GPT with random weights, greedily. Its
 * least work is to read every weight once a token, so its roof is the adapter's bandwidth.
 *
 * @module
 */
import { createGptConfig } from "../src/formats/gpt_config.ts";
import { generate } from "../src/generation/generate.ts";
import type { Device } from "../src/gpu/device.ts";
import { Gpt } from "../src/models/gpt.ts";
import type { Roof } from "../src/profiling/roof.ts";
import { median } from "./harness.ts";

/** How fast a model wrote. */
export interface GenerationResult {
  /** Sizes in words. */
  shape: string;
  /** New tokens a second, the prompt's pass within the time. */
  tokensPerSecond: number;
  /** The time of reading the weights once a token at the adapter's bandwidth, by the time taken. */
  roofShare: number;
}

/** Writes several times, of which the median counts; GPT-2 (124 M) on a GPU. */
export async function measureGeneration(
  device: Device,
  { roof, runs }: { roof: Roof; runs: number },
): Promise<GenerationResult> {
  const [layers, heads, C, V, tokens] = device.isCpu
    ? [6, 6, 384, 512, 256]
    : [12, 12, 768, 50257, 256];
  const prompt = Array.from({ length: 16 }, (_, i) => (i * 31) % V);
  await device.finish();
  device.pool.trim();
  using scope = device.detachedScope();
  const size = { vocabularySize: V, contextLength: prompt.length + tokens, channels: C, layers };
  const model = scope.run(() => new Gpt(device, createGptConfig({ ...size, heads })));
  const timed = async (): Promise<number> => {
    const begun = performance.now();
    await generate(model, prompt, { maxNewTokens: tokens, temperature: 0 });
    return (performance.now() - begun) / tokens;
  };
  await timed();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) times.push(await timed());
  const milliseconds = median(times);
  // Of the positions a token reads one row.
  const numbers = model.parameters.reduce((sum, { size }) => sum + size, 0) -
    size.contextLength * C;
  return {
    shape: `${layers} layers, C ${C}, V ${V}, ${tokens} tokens`,
    tokensPerSecond: 1000 / milliseconds,
    roofShare: numbers * 4 / 1e6 / roof.gigabytes / milliseconds,
  };
}
