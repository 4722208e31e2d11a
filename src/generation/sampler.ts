/**
 * Drawing the tokens of sequences, each on its own.
 *
 * @module
 */
import type { Device } from "../gpu/device.ts";
import type { NumericArray, Tensor } from "../gpu/tensor.ts";
import { logProbability } from "../kernels/log_probability.ts";
import { NOT_FINITE, sample } from "../kernels/sample.ts";
import type { Chooser, GeneratedSequence, RowFault } from "./chooser.ts";
import type { GenerateOptions, GenerateSettings } from "./generate_options.ts";
import type { Ahead } from "./run_ahead.ts";
import { TokenRules } from "./token_rules.ts";

/** A sequence under way: row s·P + p of the device continues prompt p for the s-th time. */
interface Row {
  prompt: number;
  ids: number[];
  logProbabilities: number[];
  finishReason?: "stop" | "length";
}

/** Draws tokens. */
export class Sampler implements Chooser {
  readonly ids: Tensor;
  readonly results: readonly Tensor[];
  fault: RowFault | undefined;
  readonly #settings: GenerateSettings;
  readonly #onTokens: GenerateOptions["onTokens"];
  readonly #rules: TokenRules;
  readonly #rows: Row[];
  readonly #tokens: Tensor; // (B, chunk)
  /** Logits that are overwritten, and logarithms of probabilities (B, chunk), if these are asked for. */
  readonly #scored: { scratch: Tensor; out: Tensor } | undefined;

  /** What it allocates belongs to the current scope. */
  constructor(
    device: Device,
    settings: GenerateSettings,
    options: {
      vocabularySize: number;
      scored: boolean;
      onTokens?: GenerateOptions["onTokens"];
    },
  ) {
    const { prompts, samples, chunk } = settings;
    const { vocabularySize, scored } = options;
    const batch = prompts.length * samples;
    this.#settings = settings;
    this.#onTokens = options.onTokens;
    this.#rules = new TokenRules(device, settings, { batch, vocabularySize });
    this.#rows = Array.from(
      { length: batch },
      (_, b) => ({ prompt: b % prompts.length, ids: [], logProbabilities: [] }),
    );
    this.ids = device.tensor([batch, 1], "u32");
    this.#tokens = device.tensor([batch, chunk], "u32");
    if (scored) {
      const scratch = device.tensor([batch, 1, vocabularySize]);
      this.#scored = { scratch, out: device.tensor([batch, chunk]) };
    }
    this.results = [this.#tokens, ...this.#scored ? [this.#scored.out] : []];
  }

  get done(): boolean {
    return this.fault !== undefined || this.#rows.every(({ finishReason }) => finishReason);
  }

  choose(logits: Tensor, { step, column }: { step: number; column: number }): void {
    const { seen } = this.#rules;
    let drawn = logits;
    if (this.#scored) {
      drawn = this.#scored.scratch;
      logits.device.commands.copy(logits.buffer, drawn.buffer, logits.byteLength);
    }
    this.#rules.mark(step);
    sample({ logits: drawn, seen, ids: this.ids, tokens: this.#tokens }, {
      ...this.#settings,
      position: step,
      column,
      sources: this.#settings.prompts.length,
      allFinite: true,
    });
    if (this.#scored) logProbability({ logits, ids: this.ids, out: this.#scored.out }, column);
    this.#rules.add(this.ids, step);
  }

  take([tokens, scores]: readonly NumericArray[], { begin, end }: Ahead): void {
    const { chunk } = this.#settings;
    this.#rows.forEach((row, b) => {
      if (row.finishReason || this.fault) return;
      const [from, to] = [b * chunk, b * chunk + end - begin];
      const found = this.#accept(row, Array.from(tokens.subarray(from, to)));
      row.ids.push(...found);
      if (scores) row.logProbabilities.push(...scores.subarray(from, from + found.length));
    });
  }

  finish(): GeneratedSequence[][] {
    const found: GeneratedSequence[][] = this.#settings.prompts.map(() => []);
    for (const { prompt, ids, logProbabilities, finishReason = "length" } of this.#rows) {
      const logProbability = logProbabilities.reduce((sum, one) => sum + one, 0);
      found[prompt].push({ ids, logProbabilities, logProbability, finishReason });
    }
    return found;
  }

  /** Which of a row's fresh tokens are its own: those before its end. */
  #accept(row: Row, fresh: readonly number[]): number[] {
    const { limits, stopIds, samples, prompts } = this.#settings;
    const room = limits[row.prompt] - row.ids.length;
    const isEnd = (id: number): boolean => id === NOT_FINITE || stopIds.includes(id);
    const end = fresh.findIndex((id, i) => i >= room || isEnd(id));
    if (end >= 0 && end < room && fresh[end] === NOT_FINITE) {
      this.fault = { prompt: row.prompt, ids: [...row.ids, ...fresh.slice(0, end)] };
      return [];
    }
    const own = end < 0 ? [...fresh] : fresh.slice(0, end);
    if (end >= 0 && end < room) row.finishReason = "stop";
    else if (own.length === room) row.finishReason = "length";
    const number = row.prompt * samples + Math.floor(this.#rows.indexOf(row) / prompts.length);
    const said = this.#onTokens?.(number, own) ?? false;
    if (said === false) return own;
    row.finishReason = "stop";
    return said === true ? own : own.slice(0, said);
  }
}
