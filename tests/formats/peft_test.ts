/**
 * PEFT's adapter_config.json: what is read of it, and what is refused.
 *
 * @module
 */
import assert from "node:assert/strict";
import { alphaOf, formatPeftConfig, parsePeftConfig } from "../../src/formats/peft.ts";

const written = (name: string): Record<string, unknown> =>
  JSON.parse(
    Deno.readTextFileSync(new URL(`../fixtures/lora/${name}/adapter_config.json`, import.meta.url)),
  );

Deno.test("PEFT's own files are read, and written again with the same values", () => {
  assert.deepEqual(parsePeftConfig(written("gpt2")), {
    rank: 5,
    alpha: 7,
    dropout: 0,
    targets: ["c_attn", "mlp.c_proj"],
    trainedWhole: [],
    rankStabilized: false,
    alphas: {},
    fanInFanOut: true,
    taskType: "CAUSAL_LM",
    base: undefined,
  });
  for (const name of ["gpt2", "bert"]) {
    const json = written(name);
    const ours = formatPeftConfig(parsePeftConfig(json));
    assert.deepEqual(ours, Object.fromEntries(Object.keys(ours).map((key) => [key, json[key]])));
  }
});

Deno.test("variants that compute something else are refused, each by its key", () => {
  const plain = written("gpt2");
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ peft_type: "IA3" }, /peft_type is "IA3", wanted "LORA"/],
    [{ use_dora: true }, /use_dora is true, wanted false: it is DoRA/],
    [{ target_modules: [["q"]] }, /target_modules\[0\] is \["q"\], wanted a text/],
    [
      { target_modules: { length: 1e9 } },
      /target_modules is \{.*, wanted a text or a list of a text/,
    ],
    [{ fan_in_fan_out: "yes" }, /fan_in_fan_out is "yes", wanted true or false/],
    [{ base_model_name_or_path: { toString: 1 } }, /base_model_name_or_path is \{"toString":1\}/],
    [{ bias: "all" }, /bias is "all", wanted "none": biases are trained too/],
    [{ lora_bias: true }, /lora_bias is true, wanted false/],
    [{ alpha_pattern: { c_attn: "3" } }, /alpha_pattern is \{"c_attn":"3"\}, wanted numbers by/],
    [{ alpha_pattern: { "(?P<x>.)": 3 } }, /alpha_pattern is .*, wanted patterns that JavaScript/],
    [
      { init_lora_weights: "pissa_niter_4" },
      /init_lora_weights is "pissa_niter_4", wanted true: it changes/,
    ],
    [
      { init_lora_weights: "OLoRA" },
      /init_lora_weights is "OLoRA", wanted true: it changes the model's own/,
    ],
    [{ init_lora_weights: "banana" }, /init_lora_weights is "banana", wanted true, false or a way/],
    [{ kasa_config: {} }, /kasa_config is \{\}, wanted null: it is KaSA/],
    [{ trainable_token_indices: [1] }, /trainable_token_indices is \[1\], wanted null/],
    [{ layer_replication: [[0, 1]] }, /layer_replication is \[\[0,1\]\], wanted null/],
    [{ r: 0 }, /r is 0, wanted a whole number above 0/],
    [{ r: undefined }, /r is absent/],
    [{ lora_alpha: "7" }, /lora_alpha is "7", wanted a number/],
    [{ lora_dropout: 1 }, /lora_dropout is 1, wanted 0 to below 1/],
  ];
  for (const [change, message] of cases) {
    const parse = () => parsePeftConfig({ ...plain, ...change }, { source: "a/config" });
    assert.throws(parse, (error: Error) => {
      assert.match(error.message, message);
      assert.match(error.message, /^Cannot use a\/config: [^\n]*$/);
      return error.name === "VitrailError";
    });
  }
});

Deno.test("alpha of a layer is that of the first pattern that reaches to the end of its name", () => {
  const config = parsePeftConfig({
    ...written("gpt2"),
    alpha_pattern: { "h.1.attn.c_attn": 3, "h\\.[0]\\..*": 9, attn: 5 },
    init_lora_weights: "orthogonal",
  });
  const alpha = (name: string) => alphaOf(config, `transformer.${name}`);
  assert.equal(alpha("h.1.attn.c_attn"), 3);
  assert.equal(alpha("h.0.mlp.c_fc"), 9);
  assert.equal(alpha("h.1.mlp.c_fc"), 7);
});

Deno.test("one target as a word is a list of one, and what is absent has PEFT's value", () => {
  const config = parsePeftConfig({
    peft_type: "LORA",
    r: 2,
    lora_alpha: 4,
    target_modules: "c_attn",
  });
  assert.deepEqual(config.targets, ["c_attn"]);
  assert.deepEqual([config.dropout, config.rankStabilized, config.fanInFanOut], [0, false, false]);
});

Deno.test("a pattern of alpha that backtracks without end is ended", () => {
  const config = parsePeftConfig({ ...written("gpt2"), alpha_pattern: { "([a-z_]+)+[0-9]": 3 } });
  assert.throws(
    () => alphaOf(config, "transformer_h_attn_c_attn_transformer_h_mlp"),
    /Cannot use alpha_pattern "\(\[a-z_\]\+\)\+\[0-9\]": it takes longer than 1 s .* backtracks without end/,
  );
});
