/**
 * Generation: tokens are drawn on the device and read back in chunks, because every read costs
 * 11 ms under Deno however little it reads; and while the host waits for one chunk, the device writes
 * the next.
 *
 * @module
 */
import { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import { endOfTextIds } from "../formats/gpt_config.ts";
import type { Device } from "../gpu/device.ts";
import type { NumericArray, Tensor } from "../gpu/tensor.ts";
import type { CacheFormat } from "../kernels/attention_decode.ts";
import { sample, type SampleSettings } from "../kernels/sample.ts";
import type { Gpt } from "../models/gpt.ts";
import { lastRow } from "./last_row.ts";

/** Chunks in flight, at most. */
const MOST_AHEAD = 6;
/** A wait for a read of more than so many milliseconds says that there could be more in flight. */
const WAITED = 3;

/** How to continue a prompt. */
export interface GenerateOptions extends Partial<SampleSettings> {
  /** Tokens to add, at most. */
  maxNewTokens?: number;
  /** Sequences to write from the one prompt. */
  samples?: number;
  /** A sequence ends before any of these ids: before those that end a text in the model's
   * configuration if absent. */
  stopIds?: readonly number[];
  /** Called for each sequence with its new tokens as they arrive; true ends that sequence. */
  onTokens?: (sequence: number, ids: number[]) => boolean | void;
  /** Tokens between two reads. */
  chunk?: number;
  /** What keys and values are kept in: f32, or f16 for half the memory; as the weights are if absent. */
  cache?: CacheFormat;
}

/**
 * Continues `prompt` (token ids) and returns the new ids of each sequence, without the prompt.
 *
 * @throws {VitrailError} if the prompt is empty, holds an id outside the vocabulary, or leaves no room
 * in the model's context for `maxNewTokens`.
 */
export async function generate(
  model: Gpt,
  prompt: ArrayLike<number>,
  options: GenerateOptions = {},
): Promise<number[][]> {
  const { maxNewTokens = 100, samples = 1, onTokens, chunk = 16 } = options;
  const { stopIds = endOfTextIds(model.config) } = options;
  const settings = checkSettings(options);
  const { contextLength, vocabularySize } = model.config;
  if (prompt.length === 0) {
    throw new VitrailError("Cannot continue an empty prompt: give at least one token");
  }
  if (prompt.length + maxNewTokens > contextLength) {
    throw new VitrailError(
      `Cannot write ${maxNewTokens} tokens after a prompt of ${prompt.length}: the model's context ` +
        `is ${contextLength}; ask for ${Math.max(0, contextLength - prompt.length)} at most, ` +
        "or shorten the prompt",
    );
  }
  const { device } = model;
  using scope = device.detachedScope();
  const run = new Run(device);
  const capacity = prompt.length + maxNewTokens;
  const ids = scope.run(() => model.ids(prompt, [1, prompt.length]));
  using decoder = model.decoder({ batch: samples, capacity, cache: options.cache });
  const tensors = scope.run(() => ({
    seen: device.upload(seenIds(prompt, vocabularySize, samples), [samples, vocabularySize]),
    ids: device.tensor([samples, 1], "u32"),
    tokens: device.tensor([samples, Math.max(1, maxNewTokens)], "u32"),
  }));
  const out: number[][] = Array.from({ length: samples }, () => []);
  const ended = new Array<boolean>(samples).fill(false);
  /** Records and submits the tokens from `begin` on, and sets them aside to be read. */
  const write = (begin: number): Ahead =>
    scope.run(() => {
      const end = Math.min(begin + chunk, maxNewTokens);
      for (let position = begin; position < end; position++) {
        using _step = device.scope();
        const logits = decoder.length === 0
          ? repeated(model.unembed(run, lastRow(decoder.prefill(run, ids))), samples)
          : decoder.step(tensors.ids);
        sample({ ...tensors, logits }, { ...settings, position });
      }
      const read = device.readLater(tensors.tokens);
      device.commands.submit();
      return { begin, end, read };
    });
  /** Tells the tokens that have come. */
  const take = (tokens: NumericArray, { begin, end }: Ahead): void => {
    for (let s = 0; s < samples; s++) {
      if (ended[s]) continue;
      const fresh = Array.from(tokens.slice(s * maxNewTokens + begin, s * maxNewTokens + end));
      const stop = fresh.findIndex((id) => stopIds.includes(id));
      const kept = stop < 0 ? fresh : fresh.slice(0, stop);
      out[s].push(...kept);
      ended[s] = (onTokens?.(s, kept) ?? false) || stop >= 0;
    }
  };
  await inFlight({ count: maxNewTokens, write, take, done: () => ended.every(Boolean) });
  return out;
}

/** A chunk of tokens that the device has been given to write. */
interface Ahead {
  /** Its first token. */
  begin: number;
  /** The token after its last. */
  end: number;
  /** Its tokens, to come. */
  read: ReturnType<Device["readLater"]>;
}

/**
 * Writes `count` tokens chunk by chunk, with always more than one in flight, so that the device writes one
 * while the host waits for another. There are as few as that takes, since a sequence that ends throws
 * away what was written ahead: as long as the host has to wait for a read, there is one more of them.
 */
async function inFlight(parts: {
  count: number;
  write: (begin: number) => Ahead;
  take: (tokens: NumericArray, chunk: Ahead) => void;
  done: () => boolean;
}): Promise<void> {
  const { count, write, take, done } = parts;
  const ahead: Ahead[] = [];
  let [written, depth] = [0, 2];
  try {
    while (!done() && (written < count || ahead.length > 0)) {
      if (written < count && ahead.length < depth) {
        ahead.push(write(written));
        written = ahead.at(-1)!.end;
      } else {
        const begun = performance.now();
        const chunk = ahead.shift()!;
        const [tokens] = await chunk.read.numbers();
        if (performance.now() - begun > WAITED) depth = Math.min(depth + 1, MOST_AHEAD);
        take(tokens, chunk);
      }
    }
  } finally {
    ahead.forEach(({ read }) => read.cancel());
  }
}

/** (1, …) as (count, …). */
function repeated(x: Tensor, count: number): Tensor {
  if (count === 1) return x;
  const out = x.device.tensor([count, ...x.shape.slice(1)]);
  const bytes = 4 * x.size;
  for (let i = 0; i < count; i++) {
    x.device.commands.copy(x.buffer, out.buffer, bytes, { target: i * bytes });
  }
  return out;
}

function seenIds(
  prompt: ArrayLike<number>,
  vocabulary: number,
  samples: number,
): Uint32Array<ArrayBuffer> {
  const seen = new Uint32Array(samples * vocabulary);
  for (let s = 0; s < samples; s++) {
    for (let i = 0; i < prompt.length; i++) seen[s * vocabulary + prompt[i]] = 1;
  }
  return seen;
}

function checkSettings(options: GenerateOptions): SampleSettings {
  const settings: SampleSettings = {
    temperature: options.temperature ?? 1,
    topK: options.topK ?? 0,
    topP: options.topP ?? 1,
    minP: options.minP ?? 0,
    repetitionPenalty: options.repetitionPenalty ?? 1,
    seed: options.seed ?? 0,
  };
  const want = (name: string, value: number, holds: boolean, wanted: string): void => {
    if (!holds) throw new VitrailError(`Cannot sample with ${name} ${value}: wanted ${wanted}`);
  };
  const { temperature, topK, topP, minP, repetitionPenalty } = settings;
  want("temperature", temperature, temperature >= 0, "0 (greedy) or more");
  want("top-k", topK, Number.isInteger(topK) && topK >= 0, "a whole number, 0 for all");
  want("top-p", topP, topP > 0 && topP <= 1, "more than 0 and at most 1");
  want("min-p", minP, minP >= 0 && minP <= 1, "0 to 1");
  want("repetition penalty", repetitionPenalty, repetitionPenalty > 0, "more than 0");
  return settings;
}
