/**
 * Metrics: one number for each sequence that says how a model answered, with its gradient.
 *
 * They are computed on the host, in float64: a probe reads the logits anyway.
 *
 * @module
 */
import { VitrailError } from "../errors.ts";
import type { Activation } from "./activation_cache.ts";

/** How the logits of a sequence become a number. */
export interface Metric {
  /** For headings and axes, with its unit. */
  name: string;
  /** (B, …, V) logits to B numbers. */
  values(logits: Activation): number[];
  /** The gradient of each sequence's number with respect to its own logits, of their shape. */
  gradient(logits: Activation): Float32Array;
}

/** Which place of each sequence is judged: its last, if absent. Logits without places need none. */
export interface MetricPlace {
  /** A place for each sequence, or one for all; negative ones count from the end. */
  at?: number | readonly number[];
}

/** One row of logits, and where it lies. */
interface Row {
  sequence: number;
  begin: number;
  logits: Float32Array;
}

/** The logit of an answer (B ids), or of one for all sequences. */
export function logit(answer: number | readonly number[], place: MetricPlace = {}): Metric {
  return ofRows("logit", place, ({ logits, sequence }) => {
    const id = pick(answer, sequence, logits.length);
    return { value: logits[id], gradient: [[id, 1]] };
  });
}

/** The logit of a right answer less that of a wrong one (Wang et al. 2022, arXiv:2211.00593, section 2). */
export function logitDifference(
  answers: { right: number | readonly number[]; wrong: number | readonly number[] },
  place: MetricPlace = {},
): Metric {
  return ofRows("logit difference", place, ({ logits, sequence }) => {
    const right = pick(answers.right, sequence, logits.length);
    const wrong = pick(answers.wrong, sequence, logits.length);
    return { value: logits[right] - logits[wrong], gradient: [[right, 1], [wrong, -1]] };
  });
}

/**
 * The logit of an answer's begin and that of its end, as spans are scored (Devlin et al. 2019,
 * arXiv:1810.04805, section 4.2). The logits are (B, T, 2), the places one for each sequence.
 */
export function spanScore(begins: readonly number[], ends: readonly number[]): Metric {
  const parts = [logit(0, { at: begins }), logit(1, { at: ends })];
  return {
    name: "score of the span",
    values: (logits) => {
      const [begin, end] = parts.map((part) => part.values(logits));
      return begin.map((value, b) => value + end[b]);
    },
    gradient: (logits) => {
      const [begin, end] = parts.map((part) => part.gradient(logits));
      return begin.map((value, i) => value + end[i]);
    },
  };
}

/** ln of the probability of an answer, in nats. */
export function logProbability(
  answer: number | readonly number[],
  place: MetricPlace = {},
): Metric {
  return ofRows("log probability, in nats", place, ({ logits, sequence }) => {
    const id = pick(answer, sequence, logits.length);
    const p = softmax(logits);
    return {
      value: Math.log(p[id]),
      gradient: Array.from(p, (pj, j) => [j, (j === id ? 1 : 0) - pj]),
    };
  });
}

/** The probability of an answer. */
export function probability(answer: number | readonly number[], place: MetricPlace = {}): Metric {
  return ofRows("probability", place, ({ logits, sequence }) => {
    const id = pick(answer, sequence, logits.length);
    const p = softmax(logits);
    return {
      value: p[id],
      gradient: Array.from(p, (pj, j) => [j, p[id] * ((j === id ? 1 : 0) - pj)]),
    };
  });
}

/**
 * The Kullback-Leibler divergence D(P‖Q) = Σ P·ln(P/Q) from a reference's distribution P to the model's Q,
 * in nats: 0 where they answer alike.
 *
 * @param reference logits of the run to compare with, of the same shape
 */
export function klDivergence(reference: Activation, place: MetricPlace = {}): Metric {
  return ofRows("KL divergence, in nats", place, ({ logits, begin }) => {
    const p = softmax(reference.data.subarray(begin, begin + logits.length));
    const q = softmax(logits);
    const value = p.reduce((sum, pj, j) => pj > 0 ? sum + pj * Math.log(pj / q[j]) : sum, 0);
    return { value, gradient: Array.from(p, (pj, j) => [j, q[j] - pj]) };
  });
}

/**
 * The mean loss of a sequence, −ln of the probability of each token that comes next, in nats: how well a
 * text is predicted, where the metrics above ask for one answer.
 *
 * @param targets (B·T) ids; at −100 nothing is asked
 */
export function meanLoss(targets: ArrayLike<number>): Metric {
  return {
    name: "loss, in nats",
    values: (logits) => tokenLosses(logits, targets).map(mean),
    gradient: (logits) => {
      const [, T, V] = logits.shape;
      const out = new Float32Array(logits.data.length);
      askedPlaces(logits, targets).forEach((places, b) => {
        for (const { t, id, p } of places) {
          p.forEach((pj, j) => {
            out[(b * T + t) * V + j] = (pj - (j === id ? 1 : 0)) / places.length;
          });
        }
      });
      return out;
    },
  };
}

/** The loss of each sequence at each place where something is asked, in nats; see `meanLoss`. */
export function tokenLosses(logits: Activation, targets: ArrayLike<number>): number[][] {
  return askedPlaces(logits, targets).map((row) => row.map(({ id, p }) => -Math.log(p[id])));
}

/** Of each sequence: where something is asked, the answer, and what the model gives each token. */
function askedPlaces(
  { data, shape: [B, T, V] }: Activation,
  targets: ArrayLike<number>,
): { t: number; id: number; p: Float64Array }[][] {
  return Array.from(
    { length: B },
    (_, b) =>
      Array.from({ length: T }, (_, t) => t).filter((t) => targets[b * T + t] !== -100).map((t) => {
        const row = b * T + t;
        const id = pick(targets, row, V);
        return { t, id, p: softmax(data.subarray(row * V, (row + 1) * V)) };
      }),
  );
}

/**
 * A metric of `sequences` sequences for a batch that holds them several times over, one time below the
 * other: each time is judged as if it stood alone.
 */
export function grouped(metric: Metric, sequences: number): Metric {
  return {
    name: metric.name,
    values: (logits) => groupsOf(logits, sequences).flatMap((group) => metric.values(group)),
    gradient: (logits) => {
      const out = new Float32Array(logits.data.length);
      const each = groupsOf(logits, sequences);
      each.forEach((group, g) => out.set(metric.gradient(group), g * out.length / each.length));
      return out;
    },
  };
}

/** A batch as groups of so many sequences: views. */
export function groupsOf({ data, shape }: Activation, sequences: number): Activation[] {
  const size = data.length / shape[0] * sequences;
  return Array.from({ length: shape[0] / sequences }, (_, g) => ({
    data: data.subarray(g * size, (g + 1) * size),
    shape: [sequences, ...shape.slice(1)],
  }));
}

/** The mean of numbers. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Softmax of one row, in float64. */
export function softmax(logits: ArrayLike<number>): Float64Array {
  const row = Float64Array.from(logits);
  const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const exps = row.map((x) => Math.exp(x - most));
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((x) => x / sum);
}

/** A metric that looks at one row of logits of each sequence. */
function ofRows(
  name: string,
  place: MetricPlace,
  judge: (row: Row) => { value: number; gradient: (readonly [number, number])[] },
): Metric {
  return {
    name,
    values: (logits) => rowsOf(logits, place).map((row) => judge(row).value),
    gradient: (logits) => {
      const out = new Float32Array(logits.data.length);
      for (const row of rowsOf(logits, place)) {
        for (const [j, d] of judge(row).gradient) out[row.begin + j] += d;
      }
      return out;
    },
  };
}

/** The row of each sequence that is judged. */
function rowsOf({ data, shape }: Activation, { at = -1 }: MetricPlace): Row[] {
  const [B, V] = [shape[0], shape.at(-1)!];
  const T = shape.length > 2 ? shape[1] : 1;
  return Array.from({ length: B }, (_, sequence) => {
    const given = shape.length > 2 ? typeof at === "number" ? at : at?.[sequence] : 0;
    const t = given < 0 ? T + given : given;
    if (!(Number.isInteger(t) && t >= 0 && t < T)) {
      throw new VitrailError(
        `Cannot judge place ${given} of sequence ${sequence}: it has places 0 to ${T - 1}`,
      );
    }
    const begin = (sequence * T + t) * V;
    return { sequence, begin, logits: data.subarray(begin, begin + V) };
  });
}

/** The id meant for a sequence. */
function pick(ids: number | ArrayLike<number>, sequence: number, classes: number): number {
  const id = typeof ids === "number" ? ids : ids[sequence];
  if (Number.isInteger(id) && id >= 0 && id < classes) return id;
  throw new VitrailError(
    `Cannot judge sequence ${sequence} by answer ${id}: the logits have answers 0 to ${
      classes - 1
    }`,
  );
}
