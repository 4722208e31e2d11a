/** Stub. @module */
import type { Bert } from "./bert.ts";
import { Gpt } from "./gpt.ts";

/** All hook points in the order of the forward pass. */
export function hookPoints(model: Gpt | Bert): string[] {
  const names = ["hook_embed"];
  for (let i = 0; i < model.config.layers; i++) {
    const b = `blocks.${i}.`;
    names.push(
      `${b}hook_resid_pre`,
      `${b}attn.hook_attn_scores`,
      `${b}attn.hook_pattern`,
      `${b}attn.hook_z`,
      `${b}hook_attn_out`,
      `${b}hook_resid_mid`,
      `${b}mlp.hook_pre`,
      `${b}mlp.hook_post`,
      `${b}hook_mlp_out`,
      `${b}hook_resid_post`,
    );
    if (!(model instanceof Gpt)) names.push(`${b}hook_normalized_resid_post`);
  }
  if (model instanceof Gpt) names.push("ln_final.hook_normalized");
  return names;
}
