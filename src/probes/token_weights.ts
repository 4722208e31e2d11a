/**
 * Which tokens a direction of the residual stream speaks for.
 *
 * @module
 */
import { Run } from "../autograd/run.ts";
import type { Gpt } from "../models/gpt.ts";
import type { ProbeSubject } from "./subject.ts";

/** A token that a direction speaks for or against. */
export interface TokenWeight {
  /** The token. */
  token: string;
  /** What one unit of the direction adds to its logit, before the last norm divides by its scale. */
  weight: number;
}

/** Tokens for and against, the strongest first. */
export interface TokenSides {
  /** Tokens that a GPT becomes likelier to say. */
  promoted: TokenWeight[];
  /** And those that it becomes less likely to say. */
  suppressed: TokenWeight[];
}

/** Logits that are read at once, at most. */
const LOGITS = 1 << 23;

/**
 * What directions d (C) of a GPT's residual stream add to its logits by the shortest way, (d − mean(d))·γ·W_U:
 * the last norm without its scale, which hangs on all else that is in the stream, and without its bias
 * (Geva et al. 2022, arXiv:2203.14680, section 3; Elhage et al. 2021, "direct path").
 *
 * @param directions one for each list of tokens
 * @param count tokens for and tokens against
 */
export async function tokenWeights(
  subject: { model: Gpt } & Pick<ProbeSubject, "tokenizer" | "token">,
  directions: readonly Float64Array[],
  count: number,
): Promise<TokenSides[]> {
  const { model } = subject;
  const { channels: C, vocabularySize: V } = model.config;
  const norm = model.parameters.find(({ name }) => name === "transformer.ln_f.weight")!;
  const gain = await norm.read();
  const together = Math.max(1, Math.floor(LOGITS / V));
  const found: TokenSides[] = [];
  for (let from = 0; from < directions.length; from += together) {
    const some = directions.slice(from, from + together);
    const rows = new Float32Array(some.length * C);
    some.forEach((direction, i) => {
      const mean = direction.reduce((sum, v) => sum + v, 0) / C;
      direction.forEach((v, c) => rows[i * C + c] = (v - mean) * gain[c]);
    });
    const [{ data: logits }] = await model.device.compute(() => [
      model.unembed(new Run(model.device), model.device.upload(rows, [some.length, C])),
    ]);
    const { vocabularySize } = subject.tokenizer;
    for (let row = 0; row < some.length * V; row += V) {
      // A vocabulary may be rounded up: of tokens that do not exist nobody wants to know.
      const own = logits.subarray(row, row + Math.min(V, vocabularySize));
      const order = Uint32Array.from(own.keys()).sort((a, b) => own[b] - own[a] || a - b);
      const named = (ids: Uint32Array) =>
        Array.from(ids, (id) => ({ token: subject.token(id), weight: own[id] }));
      const most = Math.min(count, order.length);
      found.push({
        promoted: named(order.subarray(0, most)),
        suppressed: named(order.slice(order.length - most).reverse()),
      });
    }
  }
  return found;
}
