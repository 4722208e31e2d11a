/**
 * What each kernel must do: floating-point operations and bytes, counted from its formula and not from
 * its shader, so that a clumsy shader is not rewarded for its detours.
 *
 * An addition, a multiplication, a comparison of floats, an exp or a root each count as one operation;
 * what is done once a row is left out. Bytes are what a call cannot do without: each input read once,
 * each output written once, and read as well where it is added to.
 *
 * @module
 */
import type { Overrides } from "../gpu/pipelines.ts";

/** A dispatch, as a profiler saw it. */
export interface Dispatched {
  /** Values of the uniform struct. */
  uniforms: Record<string, number>;
  /** Values of the overrides that were given. */
  overrides: Overrides;
  /** Workgroups in x, y and z. */
  workgroups: readonly [number, number, number];
  /** Bytes of the tensors that are bound, by the shader's names. */
  bound: Record<string, number>;
  /** Names of those, and of textures, that hold f16; none if absent. */
  halves?: readonly string[];
}

/** What a dispatch must do. */
export interface Work {
  /** Floating-point operations. */
  flops: number;
  /** Bytes read and written. */
  bytes: number;
}

type Count = (dispatched: Dispatched) => Work;

/** Bytes of a number that is not f16. */
const WORD = 4;

/** Bytes of a number of what is bound to `name`, or to the name of its odd twin. */
function wordOf({ halves = [] }: Dispatched, name: string): number {
  return halves.includes(name) || halves.includes(`${name}_odd`) ? 2 : WORD;
}

const sum = (numbers: number[]): number => numbers.reduce((total, n) => total + n, 0);

/** All that is bound, once. */
const boundOnce = ({ bound }: Dispatched): number => sum(Object.values(bound));

/** `flops` for each number of the tensor called `of`; all that is bound is moved once. */
function each(of: string, flops: number, again: readonly string[] = []): Count {
  return (d) => {
    const added = d.overrides.accumulate ? 1 : 0;
    const target = d.bound[of] ?? d.bound[`${of}_odd`];
    return {
      flops: (flops + added) * target / wordOf(d, of),
      bytes: boundOnce(d) + added * target + sum(again.map((name) => d.bound[name])),
    };
  };
}

/** x/√2, erf, 1 +, ½, x·; or x², x³, its factor, x +, the factor, tanh, 1 +, ½, x·. */
const geluOf = ({ overrides: { exact } }: Dispatched): number => exact ? 5 : 9;

/**
 * Of each case of activation.wgsl, forward, and backward with the product: σ is a sign, exp, 1 + and 1/, Φ
 * is 4, its density 4, and log(1 + exp) is 3.
 */
const ACTIVATION_FLOPS: readonly [number, number][] = [
  [1, 2], // relu
  [2, 3], // relu2
  [2, 3], // relu6
  [2, 2], // leaky_relu
  [5, 9], // silu
  [5, 5], // hardswish
  [5, 13], // mish
  [4, 7], // sigmoid
  [1, 5], // tanh
  [6, 8], // laplace
  [6, 11], // quick_gelu
  [4, 11], // sqrtsoftplus
  [7, 13], // gelu_10
];

const activationFlops = ({ overrides: { kind } }: Dispatched) => ACTIVATION_FLOPS[+kind];

/** 2·M·N·K, what is added to the product, and GELU of it. */
const matmul: Count = (d) => {
  const { uniforms: { m, n, k }, overrides: { has_bias, accumulate, gelu, has_before } } = d;
  const after = (has_bias ? 1 : 0) + (accumulate ? 1 : 0) + (gelu ? geluOf(d) : 0);
  const moved = 1 + (accumulate ? 1 : 0) + (has_before ? 1 : 0);
  return {
    flops: 2 * m * n * k + after * m * n,
    bytes: wordOf(d, "a") * m * k + wordOf(d, "b") * k * n + wordOf(d, "out") * moved * m * n +
      (has_bias ? WORD * n : 0),
  };
};

/** Bytes of a matrix in words, with its scales of two bytes. */
const packedBytes = ({ uniforms: { n, k, group }, overrides: { bits } }: Dispatched): number =>
  k * n * +bits / 8 + (+bits < 16 ? 2 * n * Math.ceil(k / group) : 0);

/** A matmul whose right side is read in words, and whose sums of each group are multiplied by its scale. */
const packedMatmul: Count = (d) => {
  const { uniforms: { m, n, k, group }, overrides: { bits } } = d;
  const plain = matmul(d);
  return {
    flops: plain.flops + (+bits < 16 ? m * n * Math.ceil(k / group) : 0),
    bytes: plain.bytes - WORD * k * n + packedBytes(d),
  };
};

/** Each weight times its scale. */
const unpacked: Count = (d) => {
  const { uniforms: { n, k }, overrides: { bits } } = d;
  return { flops: +bits < 16 ? k * n : 0, bytes: packedBytes(d) + WORD * k * n };
};

/**
 * Products of T×T by HS for each head, of which a causal mask leaves T(T + 1)/2 pairs; the softmax is
 * not counted, as in Dao et al. 2022. Heads count as they lie in textures, filled up to fours.
 */
function attention(products: number, rows: number, statistics: number): Count {
  return (d) => {
    const { uniforms: { batch, heads, time }, overrides, bound } = d;
    const { chunks, slices = 1, causal, has_mask } = overrides as Record<string, number>;
    const headSize = 4 * chunks * slices;
    const pairs = causal ? time * (time + 1) / 2 : time * time;
    const row = batch * heads * time;
    return {
      flops: 2 * products * pairs * batch * heads * headSize,
      bytes: row * (wordOf(d, "qkv") * rows * headSize + WORD * statistics) +
        (has_mask ? bound.mask : 0),
    };
  };
}

/** One product of queries by keys for each head, masked or not. */
const pattern: Count = (d) => {
  const { uniforms: { heads, queries, keys, head_size, past }, overrides, workgroups, bound } = d;
  const batch = workgroups[2] / (overrides.causal === undefined ? 1 : heads);
  const seen = (query: number): number => Math.min(keys, past + query + 1);
  const pairs = overrides.causal
    ? sum(Array.from({ length: queries }, (_, query) => seen(query)))
    : queries * keys;
  const row = batch * heads * head_size;
  return {
    flops: 2 * pairs * row,
    // Both sides and the pattern; one of the three is written.
    bytes: WORD * (row * (queries + keys) + batch * heads * queries * keys) +
      (overrides.has_mask ? bound.mask : 0),
  };
};

/** (rows, columns) in other rows: `flops` for each number, which is read and written. */
const moved = (flops: number, by = "x"): Count => (d) => ({
  flops: flops * d.uniforms.rows * d.uniforms.columns,
  bytes: 2 * wordOf(d, by) * d.uniforms.rows * d.uniforms.columns,
});

/** Reads rows by their ids, and writes or adds as many. */
const looked = (flops: number, rows: number): Count => (d) => {
  const { count, channels } = d.uniforms;
  const activations = d.halves?.length ? WORD / 2 : WORD;
  return {
    flops: flops * count * channels,
    bytes: WORD * count + (activations + WORD * (rows - 1)) * count * channels,
  };
};

/** Partial sums read once, results written, and read as well where they are added to. */
const chunksAdded: Count = ({ bound: { partial_odd, out, scaled = 0 }, overrides }) => {
  const again = (overrides.accumulate ? out : 0) + (overrides.accumulate_scaled ? scaled : 0);
  return { flops: (partial_odd + again) / WORD, bytes: partial_odd + out + scaled + again };
};

/** Softmax less one-hot, scaled. In place, the gradient's tensor is read as well, and what is bound as logits is not. */
const distance: Count = (d) => {
  const { flops, bytes } = each("d_logits", 3)(d);
  const { bound } = d;
  const [logits, dLogits] = [
    bound.logits ?? bound.logits_odd,
    bound.d_logits ?? bound.d_logits_odd,
  ];
  return { flops, bytes: d.overrides.in_place ? bytes - logits + dLogits : bytes };
};

/** Kernels whose arithmetic is on integers, or none. */
const bytesOnly: Count = (d) => ({ flops: 0, bytes: boundOnce(d) });

const COUNTS: Record<string, Count> = {
  "matmul_row.forward": matmul,
  "matmul_row.forward_odd": matmul,
  "matmul_shared.forward": matmul,
  "matmul_texels.forward": matmul,
  "matmul_texels.forward_odd": matmul,

  "quantized.forward": packedMatmul,
  "quantized.unpack": unpacked,
  "quantized.unpack_odd": unpacked,
  // A number in f32 is written, and the position is added.
  "quantized.lookup": ({ uniforms: { m, k, group }, overrides: { bits, has_position } }) => ({
    flops: (+bits < 16 ? m * k : 0) + (has_position ? m * k : 0),
    bytes: WORD * m * (1 + (has_position ? 2 : 1) * k) +
      m * (k * +bits / 8 + (+bits < 16 ? 2 * Math.ceil(k / group) : 0)),
  }),
  // The product; and norm as below, once for each number that it is applied to.
  "linear_row.forward": (d) => {
    const { uniforms: { m, k }, overrides: { normalize } } = d;
    const product = matmul(d);
    return {
      flops: product.flops + (normalize ? 8 * m * k : 0),
      bytes: product.bytes + (normalize ? 2 * WORD * k : 0),
    };
  },

  // S = Q·Kᵀ and P·V. Then S again, dP = dO·Vᵀ, dQ; and of `keys`, which finds S and dP once more,
  // only dK and dV.
  "attention.forward": attention(2, 4, 1),
  "attention.queries": attention(3, 6, 2),
  "attention.keys": attention(2, 6, 2),
  "attention_shared.forward": attention(2, 4, 1),
  "attention_shared.queries": attention(3, 6, 2),
  "attention_shared.keys": attention(2, 6, 2),
  // q·k and p·v for each place; the places before the newest come from the cache.
  "attention_decode.forward": (d) => {
    const { batch, heads, head_size, past } = d.uniforms;
    return {
      flops: 4 * (past + 1) * batch * heads * head_size,
      bytes: batch * heads * head_size * (wordOf(d, "keys") * 2 * past + WORD * 4),
    };
  },
  "attention_decode.append": (d) => {
    const { batch, sources, layers, heads, head_size, time } = d.uniforms;
    const numbers = layers * time * heads * head_size;
    return { flops: 0, bytes: 2 * numbers * (WORD * sources + wordOf(d, "new_keys") * batch) };
  },
  "attention_pattern.scores": pattern,
  "attention_pattern.mix": pattern,
  "attention_pattern.mix_transposed": pattern,

  // The mean; the deviations' squares; (x - m)·r·w + b.
  "layer_norm.forward": each("x", 1 + 3 + 4),
  "layer_norm.forward_odd": each("x", 1 + 3 + 4),
  "layer_norm.added": each("out", 1 + 8),
  "layer_norm.added_odd": each("out", 1 + 8),
  // g = d·w and x̂ = (x - m)·r; the means of g and g·x̂; r·(g - a - x̂·b).
  "layer_norm.backward": each("d_x", 3 + 3 + 4),
  "layer_norm.backward_odd": each("d_x", 3 + 3 + 4),
  // The mean, and the deviations' squares; then the mean again, x - m and a factor.
  "norm_parts.scale": each("x", 1 + 3),
  "norm_parts.scale_backward": each("d_x", 1 + 2),
  "norm_parts.divide": each("x", 1 + 2),
  // The mean of x; of d, and Σ d·(x - m); (d - a)/s.
  "norm_parts.divide_backward": each("d_x", 1 + 1 + 3 + 2),
  "norm_parts.affine": (d) => each("x", d.overrides.has_bias ? 2 : 1)(d),
  "column_sum.sum": each("d_out", 1),
  "column_sum.sum_odd": each("d_out", 1),
  // The sum; then x - m, ·r, ·d and the sum of those.
  "column_sum.normalized": each("d_out", 1 + 4),
  "column_sum.normalized_odd": each("d_out", 1 + 4),
  "column_sum.finish": chunksAdded,
  "column_sum.finish_both": chunksAdded,

  // max, x - max, exp, Σ, and the factor; with cross-entropy's the last is not needed.
  "softmax.forward": each("x", 5),
  "softmax.backward": each("d_x", 4),
  "cross_entropy.forward": each("logits", 4),
  "cross_entropy.mean": each("losses", 1),
  "cross_entropy.count": each("targets", 1),
  "cross_entropy.backward": distance,
  "cross_entropy.backward_odd": distance,
  // Twice max, l - max, exp and Σ; then p, both logarithms, their difference, p· and Σ.
  "kl_divergence.forward": each("logits", 2 * 4 + 6),
  "kl_divergence.backward": each("d_logits", 2 * 2 + 2),
  "pointwise_loss.forward": (d) => each("x", d.overrides.logistic ? 8 : 3)(d),
  "pointwise_loss.finish": each("partial", 1),
  "pointwise_loss.backward": (d) => each("d_x", d.overrides.logistic ? 6 : 3)(d),

  "gelu.forward": (d) => each("x", geluOf(d))(d),
  // Φ in 4, φ in 4, x·φ, +, ·d; or the tanh's argument in 5, and 13 more.
  "gelu.backward": (d) => each("d_x", d.overrides.exact ? 11 : 18)(d),
  "activation.forward": (d) => each("x", activationFlops(d)[0])(d),
  "activation.backward": (d) => each("d_x", activationFlops(d)[1])(d),
  "tanh.forward": each("x", 1),
  "tanh.backward": each("d_x", 3),
  "add.forward": each("a", 1),
  "add.accumulate": each("a", 1, ["out"]),
  "dropout.forward": each("x", 1),
  "cast.forward": (d) => each("x", d.overrides.has_factor ? 1 : 0)(d),

  "columns.take": moved(1),
  "columns.accumulate": (d) => ({
    flops: moved(2)(d).flops,
    bytes: moved(2)(d).bytes * 3 / 2,
  }),
  "pack_rows.pack": moved(0),
  "pack_rows.unpack": moved(0, "y"),
  "cache_append.forward": ({ uniforms: { channels, time }, workgroups }) => ({
    flops: 0,
    bytes: 2 * WORD * workgroups[2] * time * channels,
  }),
  "gather_rows.forward": (d) => ({ flops: 0, bytes: d.bound.rows + 2 * d.bound.out }),
  "place_rows.forward": (d) => ({
    flops: 0,
    bytes: 2 * d.bound.rows + 2 * WORD * d.uniforms.count * d.uniforms.columns,
  }),
  "gather_rows.backward": (d) => ({
    flops: d.bound.d_out / wordOf(d, "d_out"),
    bytes: d.bound.rows + 3 * d.bound.d_out,
  }),

  "embedding.forward": (d) => looked(d.overrides.has_position ? 1 : 0, 2)(d),
  "argsort.count": bytesOnly,
  "argsort.scan": bytesOnly,
  "argsort.scatter": bytesOnly,
  "embedding.backward_token": looked(1, 3),
  "embedding.backward_token_join": bytesOnly,
  "embedding.backward_position": (d) => {
    const { first, end, time, channels } = d.uniforms;
    const count = (end - first) * time;
    const bytes = channels * (wordOf(d, "d_out") * count + 2 * WORD * time);
    return { flops: count * channels, bytes };
  },

  // g·clip; β₁m + (1 - β₁)g; β₂v + (1 - β₂)g²; the decay; m̂, v̂, √, + ε, /, ·lr, -.
  "adamw.update": each("value", 1 + 3 + 4 + 1 + 7, ["value", "m", "v"]),
  "gradient_norm.squares": ({ uniforms: { count }, bound: { flat } }) => ({
    flops: 2 * flat / WORD,
    bytes: flat + WORD * count,
  }),
  "gradient_norm.tensors": each("partial", 1),
  "gradient_norm.finish": each("sums", 1),
  "gradient_norm.finish_scaled": each("sums", 1, ["loss_scale"]),
  "add_positions.forward": each("x", 1),
  "sample.forward": bytesOnly,
  "log_probability.forward": bytesOnly,
  "history.mark": bytesOnly,
  "history.ban": bytesOnly,
  "history.append": bytesOnly,
  "beam.candidates": bytesOnly,
  "beam.choose": bytesOnly,
  "beam.follow": bytesOnly,

  // Whoever looks for the largest compares each number once at least.
  "top_k.forward": each("x", 1),
  "top_k.forward_odd": each("x_odd", 1),
  "top_k.backward": each("d_x", 1),
  "top_k.ages": each("out_odd", 1, ["ages_out"]),
  // The square and the sum, and the factor; or the product and the sum, and the same again.
  "unit_rows.normalize": each("weight", 3, ["weight"]),
  "unit_rows.project": each("gradient", 4, ["gradient"]),

  "copy.forward": bytesOnly,
  // What the stream does without a shader.
  "copy": ({ bound }) => ({ flops: 0, bytes: 2 * bound.bytes }),
  "copy to texture": ({ bound }) => ({ flops: 0, bytes: 2 * bound.bytes }),
  "upload": ({ bound }) => ({ flops: 0, bytes: 2 * bound.bytes }),
  "clear": ({ bound }) => ({ flops: 0, bytes: bound.bytes }),
};

/**
 * What a dispatch of the kernel called `name` (`shader.entry`) must do; nothing if nobody has counted
 * it yet.
 */
export function workOf(name: string, dispatched: Dispatched): Work | undefined {
  return Object.hasOwn(COUNTS, name) ? COUNTS[name](dispatched) : undefined;
}
