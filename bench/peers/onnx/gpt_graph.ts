/**
 * A GPT as an ONNX graph that picks its own next token, with ONNX Runtime's fused operators: attention
 * over a cache that it writes in place, residual sums within the layer norms, bias within GELU.
 *
 * @module
 */
import type { GptConfig } from "../../../src/formats/gpt_config.ts";
import type { GptWeights } from "../gpt_weights.ts";
import { OnnxModel, type ProductOperator } from "./model.ts";

/** Shape of each tensor of the cache: (1, NH, capacity, HS). */
export function cacheShape({ heads, channels }: GptConfig, capacity: number): number[] {
  return [1, heads, capacity, channels / heads];
}

/** Names of the cache's tensors, outputs; as inputs they begin with `past_`. */
export function cacheNames(layers: number): string[] {
  return Array.from({ length: layers }, (_, i) => [`key_${i}`, `value_${i}`]).flat();
}

/**
 * The graph for `time` tokens of one sequence: `ids` (1, time) int64,
 * `positions` (1, time) int32, `last` (1) int32,
 * the last of the positions, `total` () int32, the length with these tokens, and the cache, to `next`
 * (1, 1) int64, the likeliest token, and the cache as it is then.
 */
export function gptGraph(
  config: GptConfig,
  weights: GptWeights,
  { time, capacity, product }: { time: number; capacity: number; product: ProductOperator },
): Uint8Array<ArrayBuffer> {
  const { channels: C, layers, heads } = config;
  const model = new OnnxModel();
  const weight = (name: string): string => {
    const { data, shape } = weights.get(name)!;
    return model.constant(data, shape);
  };
  const multiply = (x: string, name: string): string =>
    model.product(product, [x, weight(`${name}.weight`)], { rank: 3 });
  const epsilon = { epsilon: { float: config.layerNormEpsilon } };

  const ids = model.input("ids", "int64", [1, time]);
  const positions = model.input("positions", "int32", [1, time]);
  const last = model.input("last", "int32", [1]);
  const total = model.input("total", "int32", []);
  const shape = cacheShape(config, capacity);
  for (const name of cacheNames(layers)) model.input(`past_${name}`, "float32", shape);

  const token = weight("transformer.wte.weight");
  const place = weight("transformer.wpe.weight");
  let x = model.node("Add", [
    model.node("Gather", [token, ids]),
    model.node("Gather", [place, positions]),
  ]); // (1, T, C)
  let normed = model.node("LayerNormalization", [
    x,
    weight("transformer.h.0.ln_1.weight"),
    weight("transformer.h.0.ln_1.bias"),
  ], { attributes: epsilon });
  /** x becomes x + y + bias, and what is returned is its norm. */
  const addAndNorm = (y: string, bias: string, norm: string): string => {
    const sum = `${norm}_sum`;
    const out = model.contributed(
      "SkipLayerNormalization",
      [y, x, weight(`${norm}.weight`), weight(`${norm}.bias`), weight(bias)],
      { attributes: epsilon, outputs: [norm, "", "", sum] },
    );
    x = sum;
    return out;
  };
  for (let i = 0; i < layers; i++) {
    const h = `transformer.h.${i}`;
    const after = i + 1 < layers ? `transformer.h.${i + 1}.ln_1` : "transformer.ln_f";
    const qkv = model.node("Add", [
      multiply(normed, `${h}.attn.c_attn`),
      weight(`${h}.attn.c_attn.bias`),
    ]);
    const attended = model.contributed(
      "GroupQueryAttention",
      [qkv, "", "", `past_key_${i}`, `past_value_${i}`, last, total],
      {
        attributes: { num_heads: heads, kv_num_heads: heads },
        outputs: [`attended_${i}`, `key_${i}`, `value_${i}`],
      },
    );
    const projected = multiply(attended, `${h}.attn.c_proj`);
    normed = addAndNorm(projected, `${h}.attn.c_proj.bias`, `${h}.ln_2`);
    const hidden = model.contributed("FastGelu", [
      multiply(normed, `${h}.mlp.c_fc`),
      weight(`${h}.mlp.c_fc.bias`),
    ]);
    const down = multiply(hidden, `${h}.mlp.c_proj`);
    normed = addAndNorm(down, `${h}.mlp.c_proj.bias`, after);
  }
  if (time > 1) {
    normed = model.node("Gather", [normed, model.constant(Int32Array.of(time - 1))], {
      attributes: { axis: 1 },
    });
  }
  const flat = model.node("Reshape", [normed, model.integers(1, C)]);
  const logits = product === "MatMul"
    ? model.node("Gemm", [flat, token], { attributes: { transB: 1 } })
    : model.node("Einsum", [flat, token], { attributes: { equation: "bc,vc->bv" } }); // (1, V)
  model.node("ArgMax", [logits], { attributes: { axis: 1, keepdims: 1 }, outputs: ["next"] });
  model.output("next", "int64", [1, 1]);
  for (const name of cacheNames(layers)) model.output(name, "float32", shape);
  return model.encode();
}
