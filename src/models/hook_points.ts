/**
 * The names at which a model can be listened to and changed: those of TransformerLens's
 * `HookedTransformer` for a GPT and of its `HookedEncoder` for a BERT, with nothing folded or centred.
 *
 * @module
 */
import { Bert } from "./bert.ts";
import type { Gpt } from "./gpt.ts";

/** Of a layer norm: its divisor (B, T, 1), and its rows before weight and bias (B, T, C). */
const NORM = ["hook_scale", "hook_normalized"];

/** q, k, v (B, T, NH, HS); masked scores and their softmax (B, NH, T, T); z (B, T, NH, HS). */
const ATTENTION = ["q", "k", "v", "attn_scores", "pattern", "z"].map((part) => `attn.hook_${part}`);

/** Before and after the activation (B, T, 4C). */
const MLP = ["mlp.hook_pre", "mlp.hook_post"];

/** Of the head over the vocabulary (B, T, C) and its logits (B, T, V). */
const UNEMBED = ["unembed.hook_in", "unembed.hook_out"];

/** Names within a block of a GPT, whose norms come first. */
const PRE_NORM = [
  "hook_resid_pre",
  ...within("ln1.", NORM),
  ...ATTENTION,
  "hook_attn_out",
  "hook_resid_mid",
  ...within("ln2.", NORM),
  ...MLP,
  "hook_mlp_out",
  "hook_resid_post",
];

/** Names within a block of a GPT without MLPs: there is no middle. */
const ATTENTION_ONLY = PRE_NORM.filter((name) => !/^(ln2|mlp)\.|_(resid_mid|mlp_out)$/.test(name));

/** Names within a block of a BERT, whose norms follow the residual connections. */
const POST_NORM = [
  "hook_resid_pre",
  ...ATTENTION,
  "hook_attn_out",
  "hook_resid_mid",
  ...within("ln1.", NORM),
  ...MLP,
  "hook_mlp_out",
  "hook_resid_post",
  ...within("ln2.", NORM),
  "hook_normalized_resid_post",
];

/**
 * All hook points of a model, in the order of its forward pass; of a BERT those of its heads last.
 *
 * What a hook sees: (B, T, C) where nothing else is said here.
 *
 * - `hook_embed`, `hook_pos_embed`, and a BERT's `embed.hook_token_type_embed`: each embedding alone,
 *   before they are added. A GPT without positions has no `hook_pos_embed`.
 * - `hook_full_embed`: what a BERT's first block reads.
 * - `blocks.0.hook_resid_pre`, `…mid`, `…post`: the residual stream before the block, between attention
 *   and MLP, and after it. A BERT's sums are those before their norms; `hook_normalized_resid_post`
 *   is what the next block reads.
 * - `attn.hook_q`, `…k`, `…v`, `…z`: (B, T, NH, HS). `attn.hook_attn_scores`, `attn.hook_pattern`: (B, NH, T, T),
 *   in f32; a masked score is -3e38. They are not to be had in a pass with a cache.
 * - `hook_attn_out`, `hook_mlp_out`: what is added to the stream. A GPT without MLPs has no `hook_mlp_out`,
 *   `mlp`, `ln2` nor `hook_resid_mid`.
 * - `mlp.hook_pre`, `mlp.hook_post`: (B, T, 4C), before and after GELU or another activation.
 * - `ln1.hook_scale`: (B, T, 1), in f32, what a centred row is divided by, √(variance + ε);
 *   `ln1.hook_normalized`: the quotient, before weight and bias.
 * - `unembed.hook_in`, `unembed.hook_out`: what the head reads, and logits (B, T, V).
 * - `pooler.hook_pooler_out` (B, C), `nsp_head.hook_nsp_out` (B, 2). A BERT's heads for other tasks have no
 *   hook points; in pre-training `mlm_head` and `unembed` see only the places asked for (asked, …).
 *
 * A hook is called once in a forward pass, also where `checkpointing` is on: a block in which somebody
 * listens keeps what it computed and is not run again.
 */
export function hookPoints(model: Gpt | Bert): string[] {
  const layers = (names: readonly string[]): string[] =>
    Array.from({ length: model.config.layers }, (_, i) => within(`blocks.${i}.`, names)).flat();
  if (!(model instanceof Bert)) {
    return [
      "hook_embed",
      ...(model.config.positions === "none" ? [] : ["hook_pos_embed"]),
      ...layers(model.config.mlpChannels > 0 ? PRE_NORM : ATTENTION_ONLY),
      ...within("ln_final.", NORM),
      ...UNEMBED,
    ];
  }
  const { settings, pooler, masked } = model.heads;
  return [
    ...within("embed.", ["hook_embed", "hook_pos_embed", "hook_token_type_embed"]),
    ...within("embed.ln.", NORM),
    "hook_full_embed",
    ...layers(POST_NORM),
    ...(pooler ? ["pooler.hook_pooler_out"] : []),
    ...(["pretraining", "next-sentence"].includes(settings.kind) ? ["nsp_head.hook_nsp_out"] : []),
    ...(masked ? [...within("mlm_head.ln.", NORM), ...UNEMBED] : []),
  ];
}

function within(prefix: string, names: readonly string[]): string[] {
  return names.map((name) => prefix + name);
}
