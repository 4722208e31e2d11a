/**
 * Which tokens a masked language model has to guess, and what stands in their place.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { checkOptions, part } from "../../formats/option_rules.ts";
import { below, type Random, shuffle } from "../random.ts";

/** What masking and packing must know of a vocabulary. */
export interface MaskVocabulary {
  /** Number of ids. */
  size: number;
  /** `[CLS]`, which begins every sequence. */
  classId: number;
  /** `[SEP]`, which ends every segment. */
  separatorId: number;
  /** `[MASK]`. */
  maskId: number;
  /** `[PAD]`. */
  padId: number;
  /** All ids that are never masked and never put in a token's place, those above included. */
  specialIds: readonly number[];
  /** By id: 1 where a token goes on with the word of the one before. */
  continues: Uint8Array;
}

/** How tokens are masked. */
export interface MaskOptions {
  /** Part of the tokens to guess; default 0.15. */
  probability?: number;
  /** Mask all pieces of a word or none. */
  wholeWord?: boolean;
}

/** Where nothing is asked. */
const IGNORED = -100;

/** Masks sequences, each time other tokens (Devlin et al. 2019, section 3.1). */
export class Masking {
  readonly #vocabulary: MaskVocabulary;
  readonly #probability: number;
  readonly #wholeWord: boolean;
  readonly #special: Uint8Array;
  readonly #ordinary: Uint32Array;

  /**
   * Masks by a vocabulary.
   *
   * @throws {VitrailError} if the vocabulary has nothing but special tokens
   */
  constructor(vocabulary: MaskVocabulary, options: MaskOptions = {}) {
    this.#vocabulary = vocabulary;
    this.#probability = options.probability ?? 0.15;
    this.#wholeWord = options.wholeWord ?? false;
    checkOptions("Cannot mask tokens", { probability: this.#probability }, { probability: part });
    this.#special = new Uint8Array(vocabulary.size);
    for (const id of vocabulary.specialIds) this.#special[id] = 1;
    this.#ordinary = Uint32Array.from(this.#special.keys().filter((id) => !this.#special[id]));
    if (this.#ordinary.length === 0) {
      throw new VitrailError("Cannot mask tokens: the vocabulary has none but special ones");
    }
  }

  /**
   * Chooses 15 % of the tokens of one sequence, at least one: of these, 80 % become `[MASK]`, 10 %
   * another token and 10 % stay. With whole words, a word that would exceed the share is left out.
   *
   * @param ids the sequence, changed in place
   * @param targets its row, filled with -100: receives the ids that were chosen
   */
  apply(ids: Uint32Array, targets: Int32Array, random: Random): void {
    const { maskId, continues } = this.#vocabulary;
    // Words, or tokens: begin and end of each, before anything is put in their places.
    const units: [number, number][] = [];
    let count = 0;
    for (let i = 0; i < ids.length; i++) {
      if (this.#special[ids[i]]) continue;
      count++;
      const last = units.at(-1);
      if (this.#wholeWord && continues[ids[i]] && last?.[1] === i) last[1]++;
      else units.push([i, i + 1]);
    }
    let left = Math.max(1, Math.round(count * this.#probability));
    const order = Uint32Array.from(units.keys());
    shuffle(order, random);
    for (const unit of order) {
      if (left === 0) break;
      const [begin, end] = units[unit];
      if (end - begin > left) continue;
      left -= end - begin;
      for (let i = begin; i < end; i++) {
        targets[i] = ids[i];
        const choice = random();
        if (choice < 0.8) ids[i] = maskId;
        else if (choice < 0.9) ids[i] = this.#ordinary[below(random, this.#ordinary.length)];
      }
    }
  }
}

/** A row in which nothing is asked yet. */
export function nothingAsked(length: number): Int32Array {
  return new Int32Array(length).fill(IGNORED);
}
