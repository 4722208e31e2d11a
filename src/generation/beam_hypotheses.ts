/**
 * What is known on the host of the beams of one prompt: where each came from, and the best sequences that
 * have ended. All rules are those of `transformers` 5.
 *
 * @module
 */
import type { GeneratedSequence } from "./chooser.ts";
import type { GenerateSettings } from "./generate_options.ts";

/** A token that a beam could go on with. */
export interface BeamCandidate {
  /** The token. */
  id: number;
  /** The beam that it goes on from. */
  beam: number;
  /** The sum of the scores up to it. */
  score: number;
  /** The logarithm of the probability that the model gave to it. */
  logProbability: number;
}

/** A candidate that was taken, and those before it. */
interface Node extends BeamCandidate {
  before: Node | undefined;
}

/** A sequence that has ended. */
interface Finished {
  /** Its last token. */
  last: Node;
  /** Whether that is one that ends a text. */
  stopped: boolean;
  /** Its score, divided by its length to the power of the penalty. */
  score: number;
}

/** How a search goes on. */
export type BeamSettings = Pick<
  GenerateSettings,
  "beams" | "lengthPenalty" | "earlyStopping" | "stopIds"
>;

/** The beams of one prompt. */
export class BeamHypotheses {
  /** Whether the search is over. */
  done = false;
  readonly #settings: BeamSettings;
  readonly #limit: number;
  #running: (Node | undefined)[];
  #finished: Finished[] = [];
  #length = 0;

  /** `limit` is how many tokens are added, at most. */
  constructor(settings: BeamSettings, limit: number) {
    this.#settings = settings;
    this.#limit = limit;
    this.#running = new Array(settings.beams).fill(undefined);
    this.done = limit === 0;
  }

  /** Takes the best candidates of a step, the best first. */
  add(candidates: readonly BeamCandidate[]): void {
    if (this.done) return;
    const { beams, stopIds, lengthPenalty, earlyStopping } = this.#settings;
    const nodes = candidates.map((one): Node => ({ ...one, before: this.#running[one.beam] }));
    const isLast = ++this.#length === this.#limit;
    // Those behind the first `beams` are there only so that enough of them go on.
    const ended = nodes.slice(0, beams).filter(({ id }) => isLast || stopIds.includes(id)).map(
      (last): Finished => ({
        last,
        stopped: stopIds.includes(last.id),
        score: last.score / this.#length ** lengthPenalty,
      }),
    );
    this.#running = nodes.filter(({ id }) => !stopIds.includes(id)).slice(0, beams);
    this.#finished = [...this.#finished, ...ended].sort((a, b) => b.score - a.score).slice(
      0,
      beams,
    );
    const isFull = this.#finished.length === beams;
    this.done = isLast || (isFull && (earlyStopping === true || !this.#canImprove()));
  }

  /** The best sequences, the best first. */
  best(count: number): GeneratedSequence[] {
    return this.#finished.slice(0, count).map(({ last, stopped, score }) => {
      const nodes: Node[] = [];
      for (let node: Node | undefined = last; node; node = node.before) nodes.unshift(node);
      const own = stopped ? nodes.slice(0, -1) : nodes;
      const logProbabilities = own.map(({ logProbability }) => logProbability);
      return {
        ids: own.map(({ id }) => id),
        logProbabilities,
        logProbability: logProbabilities.reduce((sum, one) => sum + one, 0),
        finishReason: stopped ? "stop" : "length",
        score,
      };
    });
  }

  /** The tokens of a beam under way. */
  running(beam: number): number[] {
    const ids: number[] = [];
    for (let node = this.#running[beam]; node; node = node.before) ids.unshift(node.id);
    return ids;
  }

  /** Whether the best beam could still be better than the worst sequence that has ended. */
  #canImprove(): boolean {
    const { earlyStopping, lengthPenalty } = this.#settings;
    const [best] = this.#running;
    if (!best) return false;
    const length = earlyStopping === "never" && lengthPenalty > 0 ? this.#limit : this.#length;
    return best.score / length ** lengthPenalty > this.#finished.at(-1)!.score;
  }
}
