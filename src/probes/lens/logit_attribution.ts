/**
 * Direct logit attribution: how much each component of a model adds to one logit by itself, without what
 * later layers make of it (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; Wang et
 * al. 2022, arXiv:2211.00593, section 3).
 *
 * The residual stream is a sum, and a layer norm whose scale s is held at what it was in this pass is
 * affine:
 *
 *   norm(x) = w ⊙ (x - mean(x))/s + b
 *
 * So a logit u·norm(Σ_i c_i) is Σ_i d·c_i + u·b, with the direction d = (w⊙u - mean(w⊙u))/s. All layers of
 * a GPT write into one stream: d is the same for each, and the sum is exact. In a BERT every sum is
 * normalized in its turn, and d is carried back through one norm after another: exact as well, with every
 * scale held. Its head then has an activation between (for whole sequences a tanh), of which the ratio g(a)/a
 * is held in the same way: the parts still add up to the logit, but to hold the ratio is a choice (the
 * identity rule of Achtibat et al. 2024, arXiv:2402.05602).
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { matmul } from "../../kernels/matmul.ts";
import { Gpt } from "../../models/gpt.ts";
import { hookPoints } from "../../models/hook_points.ts";
import type { Activation } from "../activation_cache.ts";
import {
  type Answers,
  type Contribution,
  dot,
  type LogitDirection,
  logitDirection,
  throughNorm,
} from "./logit_direction.ts";
import { PlainWeights } from "../plain_weights.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";
import { runWithCache } from "../run_with_hooks.ts";

export type { Contribution };

/** Which logit. */
export interface AttributionOptions {
  /** The token, or for a classifier the label, whose logit is taken apart. */
  answer: number;
  /** Another whose logit is subtracted: what is taken apart is then the difference. */
  against?: number;
  /** Place in the sequence; negative ones count from the end. The last if absent. */
  at?: number;
  /** Which sequence of the batch; the first if absent. */
  sequence?: number;
}

/** A logit in parts. */
export interface LogitAttribution {
  /** The logit, or the difference of two, as the model computed it. */
  logit: number;
  /** Parts in the order of the forward pass, biases last. They add up to the logit, but for rounding. */
  components: Contribution[];
  /** What each layer's attention writes, in parts. */
  attention: { heads: Float64Array; bias: number }[];
  /** What each layer's MLP writes, in parts; of a model without MLPs nothing. */
  mlp: { neurons: Float64Array; bias: number }[];
}

/** In which directions what the layers write moves the logit. */
interface Directions {
  embedding: Float64Array;
  attention: Float64Array[];
  mlp: Float64Array[];
  biases: Contribution[];
}

type Row = (name: string) => Float64Array;

/** What is added up before the first block. */
const EMBEDDING = /^(embed\.)?hook_(embed|pos_embed|token_type_embed)$/;

/** What is needed besides: what layers write and are made of, and the scales of norms on the way. */
const WRITTEN =
  /^blocks\.\d+\.(hook_attn_out|hook_mlp_out|attn\.hook_z|mlp\.hook_post|hook_normalized_resid_post)$/;
const SCALES = {
  gpt2: /^ln_final\.hook_scale$/,
  bert: /^(embed\.ln|mlm_head\.ln|blocks\.\d+\.ln[12])\.hook_scale$/,
};

/**
 * Takes one logit apart by layer, head and neuron.
 *
 * @throws {VitrailError} if the model has no head, its weights are quantized or an adapter adds to them, or
 * there is no such answer, place or sequence
 *
 * @example
 * ```ts
 * import { attributeLogit, type Gpt } from "../../../mod.ts";
 *
 * async function gap(model: Gpt) {
 *   const input = { ids: model.ids([1, 2, 3]) };
 *   const { logit, components } = await attributeLogit(model, input, { answer: 4 });
 *   return logit - components.reduce((sum, { value }) => sum + value, 0); // below 1e-4
 * }
 * ```
 */
export async function attributeLogit(
  model: ProbedModel,
  input: ProbeInput,
  options: AttributionOptions,
): Promise<LogitAttribution> {
  const weights = new PlainWeights(model);
  const { answer, against, sequence = 0 } = options;
  const answers: Answers = [answer, against];
  using scope = model.device.detachedScope();
  const scales = SCALES[model instanceof Gpt ? "gpt2" : "bert"];
  const names = hookPoints(model).filter((name) =>
    [EMBEDDING, WRITTEN, scales].some((wanted) => wanted.test(name))
  );
  const { logits, cache } = scope.run(() => runWithCache(model, input, { names }));
  using _cache = cache;
  const seen = await cache.read();
  const whole = logits.shape.length === 2; // a judgement on the sequence hangs on its first place
  const T = input.ids.shape[1];
  const at = whole ? 0 : (options.at ?? -1) < 0 ? T + (options.at ?? -1) : options.at!;
  check(logits, { answers, at, sequence, given: options.at, T });
  const row: Row = (name) => rowAt(seen.get(name)!, sequence, at);
  const judged = rowAt(
    { data: await logits.read() as Float32Array, shape: logits.shape },
    sequence,
    whole ? undefined : at,
  );

  const head = await logitDirection(model, weights, { row, answers });
  const directions = await carryBack(model, weights, { row, head });
  const components: Contribution[] = [];
  const add = (component: string, direction: Float64Array): void => {
    components.push({ component, value: dot(direction, row(component)) });
  };
  for (const name of names) if (EMBEDDING.test(name)) add(name, directions.embedding);
  for (let l = 0; l < model.config.layers; l++) {
    add(`blocks.${l}.hook_attn_out`, directions.attention[l]);
    if (hasMlps(model)) add(`blocks.${l}.hook_mlp_out`, directions.mlp[l]);
  }
  components.push(...directions.biases.toReversed());
  return {
    logit: judged[answer] - (against === undefined ? 0 : judged[against]),
    components,
    ...await withinLayers(model, weights, { row, directions }),
  };
}

function hasMlps({ config: { mlpChannels } }: ProbedModel): boolean {
  return mlpChannels > 0;
}

/** From the direction over the hidden row back to those over all that was added to it. */
async function carryBack(
  model: ProbedModel,
  weights: PlainWeights,
  { row, head }: { row: Row; head: LogitDirection },
): Promise<Directions> {
  const { layers } = model.config;
  const biases = [...head.biases];
  let d = head.direction;
  if (model instanceof Gpt) {
    const all = Array.from({ length: layers }, () => d);
    return { embedding: d, attention: all, mlp: all, biases };
  }
  const back = async (name: string, stored: string): Promise<void> => {
    const [w, b] = await weights.read(`${stored}.weight`, `${stored}.bias`);
    biases.push({ component: `${name} bias`, value: dot(d, b) });
    d = throughNorm(d, w, row(`${name}.hook_scale`)[0]);
  };
  const [attention, mlp]: Float64Array[][] = [[], []];
  for (let l = layers - 1; l >= 0; l--) {
    const stored = `bert.encoder.layer.${l}`;
    await back(`blocks.${l}.ln2`, `${stored}.output.LayerNorm`);
    mlp.unshift(d);
    await back(`blocks.${l}.ln1`, `${stored}.attention.output.LayerNorm`);
    attention.unshift(d);
  }
  await back("embed.ln", "bert.embeddings.LayerNorm");
  return { embedding: d, attention, mlp, biases };
}

/** What heads and neurons add: their activations times the directions carried back through their weights. */
async function withinLayers(
  model: ProbedModel,
  weights: PlainWeights,
  { row, directions }: { row: Row; directions: Directions },
): Promise<Pick<LogitAttribution, "attention" | "mlp">> {
  const { device, config: { layers, heads } } = model;
  const isGpt = model instanceof Gpt;
  const stored = (l: number, part: "attention" | "mlp"): string =>
    isGpt
      ? `transformer.h.${l}.${part === "attention" ? "attn" : "mlp"}.c_proj`
      : `bert.encoder.layer.${l}.${part === "attention" ? "attention." : ""}output.dense`;
  const kinds = hasMlps(model) ? ["attention", "mlp"] as const : ["attention"] as const;
  const parts = kinds.flatMap((part) =>
    Array.from({ length: layers }, (_, l) => ({ name: stored(l, part), d: directions[part][l] }))
  );
  // GPT-2's weights are stored (in, out), BERT's (out, in).
  const back = await device.compute(() =>
    parts.map(({ name, d }) =>
      matmul(device.upload(Float32Array.from(d), [1, d.length]), weights.get(`${name}.weight`), {
        transposeB: isGpt,
      })
    )
  );
  const biases = await weights.read(...parts.map(({ name }) => `${name}.bias`));
  const bias = parts.map(({ d }, i) => dot(d, biases[i]));
  return {
    attention: Array.from({ length: layers }, (_, l) => {
      const products = row(`blocks.${l}.attn.hook_z`).map((z, i) => z * back[l].data[i]);
      const HS = products.length / heads;
      const sums = Float64Array.from(
        { length: heads },
        (_, h) => products.subarray(h * HS, (h + 1) * HS).reduce((sum, v) => sum + v, 0),
      );
      return { heads: sums, bias: bias[l] };
    }),
    mlp: Array.from({ length: parts.length - layers }, (_, l) => ({
      neurons: row(`blocks.${l}.mlp.hook_post`).map((a, i) => a * back[layers + l].data[i]),
      bias: bias[layers + l],
    })),
  };
}

/** All numbers of one place of one sequence; of one sequence, if there are no places. */
function rowAt(
  { data, shape }: Activation,
  sequence: number,
  at: number | undefined,
): Float64Array {
  const index = at === undefined ? sequence : sequence * shape[1] + at;
  const rows = at === undefined ? shape[0] : shape[0] * shape[1];
  const size = data.length / rows;
  return Float64Array.from(data.subarray(index * size, (index + 1) * size));
}

function check(
  { shape }: Tensor,
  { answers, at, sequence, given, T }: {
    answers: Answers;
    at: number;
    sequence: number;
    given: number | undefined;
    T: number;
  },
): void {
  const fault = (what: string): VitrailError => new VitrailError(`Cannot attribute ${what}`);
  const classes = shape.at(-1)!;
  for (const id of answers) {
    if (id === undefined || (Number.isInteger(id) && id >= 0 && id < classes)) continue;
    throw fault(`the logit of answer ${id}: there are answers 0 to ${classes - 1}`);
  }
  if (!(at >= 0 && at < T)) {
    throw fault(`a logit at place ${given}: there are places 0 to ${T - 1}`);
  }
  if (!(sequence >= 0 && sequence < shape[0])) {
    throw fault(`a logit of sequence ${sequence}: there are sequences 0 to ${shape[0] - 1}`);
  }
}
