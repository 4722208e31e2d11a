/**
 * Which tokens may come next, and which are less likely, because of those that a sequence has.
 *
 * @module
 */
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { appendHistory, banIds, type History, markHistory } from "../kernels/history.ts";
import { SEEN } from "../kernels/sample.ts";
import type { GenerateSettings } from "./generate_options.ts";

/** What the marks of a step are made from. Row b of all continues prompt b mod P. */
export class TokenRules {
  /** (B, V) u32: marks of the ids, as `sample` reads them. */
  readonly seen: Tensor;
  /** What the sequences have, where a rule asks for it. */
  readonly history: (History & { longest: number }) | undefined;
  readonly #settings: GenerateSettings;
  readonly #ends: Tensor | undefined;

  /** Rules for `batch` sequences; what it allocates belongs to the current scope. */
  constructor(
    device: Device,
    settings: GenerateSettings,
    size: { batch: number; vocabularySize: number },
  ) {
    const { batch, vocabularySize } = size;
    const { minNewTokens, noRepeatNgram, repetitionPenalty, beams, stopIds, prompts } = settings;
    const shape = [batch, vocabularySize];
    this.#settings = settings;
    if (minNewTokens > 0) {
      const ends = stopIds.filter((id) => id < vocabularySize);
      if (ends.length > 0) this.#ends = device.upload(Uint32Array.from(ends));
    }
    // A beam takes another's place, and its tokens with it.
    if (noRepeatNgram > 0 || this.#ends || (beams > 1 && repetitionPenalty !== 1)) {
      this.seen = device.tensor(shape, "u32");
      this.history = historyOf(device, settings, batch);
      return;
    }
    this.seen = device.zeros(shape, "u32");
    if (repetitionPenalty === 1) return;
    const seen = new Uint32Array(batch * vocabularySize);
    for (let b = 0; b < batch; b++) {
      const prompt = prompts[b % prompts.length];
      for (let i = 0; i < prompt.length; i++) seen[b * vocabularySize + prompt[i]] = SEEN;
    }
    device.write(this.seen, seen);
  }

  /** Makes the marks for the token after `step` new ones. */
  mark(step: number): void {
    const { minNewTokens, noRepeatNgram: ngram } = this.#settings;
    if (!this.history) return;
    markHistory(this.history, this.seen, { length: this.history.longest + step, ngram });
    if (this.#ends && step < minNewTokens) banIds(this.seen, this.#ends);
  }

  /** Takes note of the tokens (B) that come after `step` new ones. */
  add(ids: Tensor, step: number): void {
    if (this.history) appendHistory(this.history, ids, this.history.longest + step);
  }
}

/** The prompts as histories with room for what comes behind them. */
function historyOf(
  device: Device,
  { prompts, limits }: GenerateSettings,
  batch: number,
): History & { longest: number } {
  const longest = Math.max(...prompts.map(({ length }) => length));
  const capacity = longest + Math.max(...limits);
  const ids = new Uint32Array(batch * capacity);
  const pads = new Uint32Array(batch);
  for (let b = 0; b < batch; b++) {
    const prompt = prompts[b % prompts.length];
    ids.set(Uint32Array.from(prompt), b * capacity);
    pads[b] = longest - prompt.length;
  }
  return { history: device.upload(ids, [batch, capacity]), pads: device.upload(pads), longest };
}
