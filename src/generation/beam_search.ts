/**
 * Beam search: of all continuations of a prompt's beams, the likeliest go on. The device chooses them and
 * moves what belongs to them; the host reads in chunks what was chosen, and finds out which sequences ended.
 *
 * @module
 */
import type { Device } from "../gpu/device.ts";
import type { NumericArray, Tensor } from "../gpu/tensor.ts";
import { type Beams, chooseBeams, followBeams } from "../kernels/beam.ts";
import { NOT_FINITE } from "../kernels/sample.ts";
import { type BeamCandidate, BeamHypotheses } from "./beam_hypotheses.ts";
import type { Chooser, GeneratedSequence, RowFault } from "./chooser.ts";
import { candidatesOf, type GenerateOptions, type GenerateSettings } from "./generate_options.ts";
import type { Ahead } from "./run_ahead.ts";
import { TokenRules } from "./token_rules.ts";

/** What stands in the place of the logarithm of no probability, as in `transformers`. */
const OUT_OF_THE_RUNNING = -1e9;

/** Searches beams: row j·P + p is beam j of prompt p. */
export class BeamSearch implements Chooser {
  readonly ids: Tensor;
  readonly results: readonly Tensor[];
  fault: RowFault | undefined;
  readonly #settings: GenerateSettings;
  readonly #onTokens: GenerateOptions["onTokens"];
  readonly #rules: TokenRules;
  readonly #beams: Beams;
  readonly #pads: Tensor | undefined;
  readonly #longest: number;
  readonly #hypotheses: BeamHypotheses[];
  /** Whose keys and values each beam reads (B, capacity), now and after the next step. */
  #rows: [now: Tensor, next: Tensor];
  /** The other place of the histories, if there are any. */
  #otherHistory: Tensor | undefined;

  /** What it allocates belongs to the current scope. */
  constructor(
    device: Device,
    settings: GenerateSettings,
    options: { vocabularySize: number; capacity: number; onTokens?: GenerateOptions["onTokens"] },
  ) {
    const { prompts, beams, limits, stopIds, chunk } = settings;
    const batch = prompts.length * beams;
    const lengths = prompts.map(({ length }) => length);
    this.#settings = settings;
    this.#onTokens = options.onTokens;
    this.#rules = new TokenRules(device, settings, { ...options, batch });
    this.#longest = Math.max(...lengths);
    this.#hypotheses = limits.map((limit) => new BeamHypotheses(settings, limit));
    // At first all beams of a prompt are the same: one of them goes on, or all would be the same for good.
    const scores = Float32Array.from(
      { length: batch },
      (_, b) => b < prompts.length ? 0 : OUT_OF_THE_RUNNING,
    );
    const best = candidatesOf(settings);
    this.ids = device.tensor([batch, 1], "u32");
    this.#beams = {
      scores: device.upload(scores),
      ids: this.ids,
      parents: device.tensor([batch], "u32"),
      stops: device.upload(Uint32Array.from([...stopIds, 0])),
      results: device.tensor([chunk, prompts.length, best, 4], "u32"),
    };
    this.results = [this.#beams.results];
    const pads = Uint32Array.from(
      { length: batch },
      (_, b) => this.#longest - lengths[b % prompts.length],
    );
    this.#pads = pads.some((pad) => pad > 0) ? device.upload(pads) : undefined;
    const capacity = 4 * Math.ceil(options.capacity / 4);
    const rows = Uint32Array.from({ length: batch * capacity }, (_, i) => Math.floor(i / capacity));
    this.#rows = [
      device.upload(rows, [batch, capacity]),
      device.tensor([batch, capacity], "u32"),
    ];
    const { history } = this.#rules;
    this.#otherHistory = history && device.tensor(history.history.shape, "u32");
  }

  get rows(): Tensor {
    return this.#rows[0];
  }

  get done(): boolean {
    return this.fault !== undefined || this.#hypotheses.every(({ done }) => done);
  }

  choose(logits: Tensor, { step, column }: { step: number; column: number }): void {
    const { repetitionPenalty: penalty, stopIds } = this.#settings;
    const { seen, history } = this.#rules;
    const length = this.#longest + step;
    this.#rules.mark(step);
    chooseBeams(this.#beams, { logits, seen, penalty, column, stopCount: stopIds.length });
    const [before, after] = this.#rows;
    followBeams({ before, after }, this.#beams, { length, pads: this.#pads, ownRow: true });
    this.#rows = [after, before];
    if (!history) return;
    const other = this.#otherHistory!;
    followBeams({ before: history.history, after: other }, this.#beams, {
      length,
      pads: this.#pads,
      ownRow: false,
    });
    this.#otherHistory = history.history;
    history.history = other;
  }

  take([results]: readonly NumericArray[], { begin, end }: Ahead): void {
    const best = candidatesOf(this.#settings);
    const scores = new Float32Array(results.buffer);
    this.#hypotheses.forEach((hypotheses, prompt) => {
      for (let column = 0; column < end - begin && !hypotheses.done; column++) {
        const at = (column * this.#hypotheses.length + prompt) * best * 4;
        if (results[at] === NOT_FINITE) {
          this.fault ??= { prompt, ids: hypotheses.running(0) };
          return;
        }
        hypotheses.add(Array.from({ length: best }, (_, i): BeamCandidate => {
          const [id, beam] = results.subarray(at + 4 * i);
          const [score, logProbability] = scores.subarray(at + 4 * i + 2);
          return { id, beam, score, logProbability };
        }));
      }
    });
  }

  finish(): GeneratedSequence[][] {
    const { samples } = this.#settings;
    return this.#hypotheses.map((hypotheses, prompt) => {
      return hypotheses.best(samples).map((sequence, s) => {
        const said = this.#onTokens?.(prompt * samples + s, sequence.ids);
        return typeof said === "number" ? cut(sequence, said) : sequence;
      });
    });
  }
}

/** The first tokens of a sequence that its hearer ends there. */
function cut(sequence: GeneratedSequence, length: number): GeneratedSequence {
  const logProbabilities = sequence.logProbabilities.slice(0, length);
  return {
    ...sequence,
    ids: sequence.ids.slice(0, length),
    logProbabilities,
    logProbability: logProbabilities.reduce((sum, one) => sum + one, 0),
    finishReason: "stop",
  };
}
