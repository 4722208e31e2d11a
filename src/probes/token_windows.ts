/**
 * A long text in windows of one length, as a model of either family was trained to read them.
 *
 * @module
 */
import { Masking, nothingAsked } from "../data/pretraining/masking.ts";
import { maskVocabularyOf } from "../data/pretraining/mask_vocabulary.ts";
import { randomOf, shuffle } from "../data/random.ts";
import { VitrailError } from "../errors.ts";
import { checkOptions, count, seedRule } from "../formats/option_rules.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { ProbeInput } from "./probed_model.ts";
import type { ProbeSubject } from "./subject.ts";

/** What a model reads, and what it should say there. */
export interface LanguageBatch {
  /** Ids (B, T). */
  input: ProbeInput;
  /** A GPT's next tokens, or those that BERT's masks hide (B, T); -100 where nothing is asked. */
  targets: Tensor;
}

/** How a text is cut. */
export interface TokenWindowOptions {
  /** T, `[CLS]` and `[SEP]` of BERT included; the model's context if absent, and never more. */
  length?: number;
  /** Decides the order, and what is masked. */
  seed?: number;
}

/**
 * Windows in an order of their own. BERT's stand between `[CLS]` and `[SEP]`, and where a loss is asked
 * for 15 % of their tokens are masked as in its training.
 */
export class TokenWindows {
  /** How many there are. */
  readonly count: number;
  /** T. */
  readonly length: number;
  readonly #subject: ProbeSubject;
  readonly #ids: Uint32Array;
  readonly #room: number;
  readonly #order: Uint32Array;
  readonly #seed: number;
  readonly #masking: Masking | undefined;
  readonly #ends: [number, number] | undefined;

  /**
   * Cuts a text.
   *
   * @param ids the whole text
   * @throws {VitrailError} if it does not fill a window
   */
  constructor(subject: ProbeSubject, ids: Uint32Array, options: TokenWindowOptions = {}) {
    const { contextLength } = subject.model.config;
    this.#subject = subject;
    this.#ids = ids;
    this.#seed = options.seed ?? 0;
    const { length = contextLength } = options;
    checkOptions("Cannot cut a text into windows", { length, seed: this.#seed }, {
      length: count,
      seed: seedRule,
    });
    this.length = Math.min(length, contextLength);
    if (subject.family === "bert") {
      const vocabulary = maskVocabularyOf(subject.tokenizer);
      this.#masking = new Masking(vocabulary);
      this.#ends = [vocabulary.classId, vocabulary.separatorId];
    }
    this.#room = this.#ends ? this.length - 2 : this.length;
    // The last token of a GPT's window is asked for what follows it.
    this.count = Math.floor((ids.length - (this.#ends ? 0 : 1)) / this.#room);
    if (!(this.count >= 1 && this.#room >= 1)) {
      throw new VitrailError(
        `Cannot cut ${ids.length} tokens into windows of ${this.length}: they fill none; ` +
          "give more text, or a shorter --sequence",
      );
    }
    this.#order = Uint32Array.from({ length: this.count }, (_, i) => i);
    shuffle(this.#order, randomOf(this.#seed, 0));
  }

  /** Ids of one window, with nothing masked. */
  ids(window: number): Uint32Array {
    const begin = this.#order[window] * this.#room;
    const own = this.#ids.subarray(begin, begin + this.#room);
    if (!this.#ends) return own;
    return Uint32Array.from([this.#ends[0], ...own, this.#ends[1]]);
  }

  /** Windows as the model reads them, in the caller's scope. */
  plain(windows: readonly number[]): ProbeInput {
    const { model } = this.#subject;
    const ids = windows.flatMap((window) => [...this.ids(window)]);
    return { ids: model.ids(ids, [windows.length, this.length]) };
  }

  /** Windows with what is asked for there, in the caller's scope. */
  batch(windows: readonly number[]): LanguageBatch {
    const { model } = this.#subject;
    const shape = [windows.length, this.length];
    const rows = windows.map((window) => {
      const ids = this.ids(window).slice();
      const begin = this.#order[window] * this.#room;
      if (!this.#masking) {
        return { ids, targets: this.#ids.subarray(begin + 1, begin + 1 + this.length) };
      }
      const targets = nothingAsked(this.length);
      this.#masking.apply(ids, targets, randomOf(this.#seed, 1, window));
      return { ids, targets };
    });
    const ids = rows.flatMap((row) => [...row.ids]);
    const targets = Int32Array.from(rows.flatMap((row) => [...row.targets]));
    return model.device.pool.together(() => ({
      input: { ids: model.ids(ids, shape) },
      targets: model.device.upload(targets, shape),
    }));
  }
}
