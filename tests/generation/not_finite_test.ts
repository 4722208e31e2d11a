/** Weights that are not finite end a generation with their names, wherever they are. @module */

import assert from "node:assert/strict";
import {
  createGptConfig,
  freshWeights,
  generate,
  type GenerateOptions,
  Gpt,
  openDevice,
  quantizeGpt,
} from "../../mod.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const model = new Gpt(
  device,
  createGptConfig(
    { vocabularySize: 29, contextLength: 13, channels: 8, layers: 2, heads: 2 },
    { initializerRange: 0.5, tieWeights: false },
  ),
  freshWeights(3),
);
const prompt = [5, 0, 7];

/** Which hook point sees it first, by the name of the weight. */
const POINTS: [RegExp, string][] = [
  [/wte/, "hook_embed"],
  [/wpe/, "hook_pos_embed"],
  [/ln_1|c_attn/, "attn.hook_q"],
  [/attn.c_proj/, "hook_attn_out"],
  [/ln_2|c_fc/, "mlp.hook_pre"],
  [/mlp.c_proj/, "hook_mlp_out"],
  [/ln_f/, "unembed.hook_in"],
  [/lm_head/, "unembed.hook_out"],
];

function pointOf(name: string): string {
  const [, point] = POINTS.find(([pattern]) => pattern.test(name))!;
  const block = /\.h\.(\d)\./.exec(name)?.[1];
  return block === undefined ? point : `blocks.${block}.${point}`;
}

Deno.test("a weight that is not finite is named, with the layer where it is met", async () => {
  const ways: GenerateOptions[] = [{ temperature: 0 }, { seed: 2, samples: 2 }, { beams: 2 }];
  // One block stands for both.
  const chosen = model.parameters.filter(({ name }) => !/\.h\.0\./.test(name));
  for (const [n, parameter] of chosen.entries()) {
    const values = await parameter.read() as Float32Array<ArrayBuffer>;
    const value = [NaN, Infinity, -Infinity][n % 3];
    device.write(parameter, values.map((v, i) => i === 0 ? value : v));
    const place = parameter.shape.map(() => 0).join(", ");
    await assert.rejects(
      generate(model, prompt, { maxNewTokens: 5, ...ways[n % ways.length] }),
      (error: Error) => {
        assert.equal(error.name, "VitrailError");
        const { message } = error;
        assert.ok(
          message.startsWith("Cannot go on after 3 tokens: the model's results are not finite; "),
          message,
        );
        assert.ok(message.includes(` are those of ${pointOf(parameter.name)}, `), message);
        assert.ok(
          message.includes(` the weight ${parameter.name} holds ${value} at [${place}]; `),
          message,
        );
        return true;
      },
    );
    device.write(parameter, values);
  }
  assert.equal((await generate(model, prompt, { maxNewTokens: 5 }))[0].length, 5);
});

Deno.test("queries and keys that are no numbers are met too, and not hidden like masked ones", async () => {
  const weight = model.parameters.find(({ name }) => name.endsWith("h.1.attn.c_attn.weight"))!;
  const values = await weight.read() as Float32Array<ArrayBuffer>;
  for (const column of [1, 9]) {
    device.write(weight, values.map((v, i) => i === column ? NaN : v));
    await assert.rejects(
      generate(model, prompt, { maxNewTokens: 1 }),
      new RegExp(`after 3 tokens: .* holds NaN at \\[0, ${column}\\]`),
    );
  }
  device.write(weight, values);
});

Deno.test("numbers that grow too large are told from weights that are broken", async () => {
  const weight = model.parameters.find(({ name }) => name.endsWith("h.0.mlp.c_proj.weight"))!;
  const values = await weight.read() as Float32Array<ArrayBuffer>;
  device.write(weight, values.map(() => 3e38));
  await assert.rejects(
    generate(model, prompt, { maxNewTokens: 2 }),
    /are those of blocks\.0\.hook_mlp_out, and all weights are finite, so that its numbers grew/,
  );
  device.write(weight, values);
});

Deno.test("weights in fewer bits are looked through as well", async () => {
  for (const weights of ["f16", "int8"] as const) {
    const small = await quantizeGpt(model, { weights });
    const { name, matrix: { scales } } = small.quantized.find((q) =>
      q.name.endsWith("1.mlp.c_fc.weight")
    )!;
    const words = await scales.read() as Uint32Array<ArrayBuffer>;
    // Two numbers to a word, which are halves or, in scales, the upper halves of f32.
    device.write(scales, words.map((w, i) => i === 0 ? (weights === "f16" ? 0x7e00 : 0x7fc0) : w));
    await assert.rejects(
      generate(small, prompt, { maxNewTokens: 2 }),
      new RegExp(`mlp.hook_pre, and the weight ${name} holds NaN`),
      weights,
    );
  }
});
