/** GPT configurations: defaults, and every field's faults. @module */

import assert from "node:assert/strict";
import {
  createGptConfig,
  type GptConfig,
  validateGptConfig,
} from "../../src/formats/gpt_config.ts";
import { assertThrowsFault } from "./files.ts";

const size = { vocabularySize: 197, contextLength: 29, channels: 21, layers: 3, heads: 7 };

Deno.test("what is not said is as in GPT-2", () => {
  assert.deepEqual(createGptConfig(size, { endOfTextId: 196, positions: "none" }), {
    ...size,
    mlpChannels: 84,
    layerNormEpsilon: 1e-5,
    activation: "gelu_new",
    scaleAttention: true,
    scaleAttentionByLayer: false,
    positions: "none",
    tieWeights: true,
    embeddingDropout: 0.1,
    attentionDropout: 0.1,
    residualDropout: 0.1,
    initializerRange: 0.02,
    endOfTextId: 196,
  });
});

const faults: [Record<string, unknown>, string][] = [
  [{ heads: 0 }, "heads is 0, wanted a whole number from 1"],
  [{ heads: 5 }, "channels is 21, wanted a multiple of heads, 5"],
  [{ heads: 42 }, "channels is 21, wanted a multiple of heads, 42"],
  [{ layers: -3 }, "layers is -3, wanted a whole number from 1"],
  [{ channels: 10.5 }, "channels is 10.5, wanted a whole number from 1"],
  [{ contextLength: "29" }, 'contextLength is "29", wanted a whole number from 1'],
  [{ vocabularySize: undefined }, "vocabularySize is absent, wanted a whole number from 1"],
  [{ vocabularySize: NaN }, "vocabularySize is NaN"],
  [{ vocabularySize: 2 ** 53 }, "vocabularySize is 9007199254740992"],
  [{ mlpChannels: -1 }, "mlpChannels is -1, wanted a whole number from 0"],
  [{ layerNormEpsilon: 0 }, "layerNormEpsilon is 0, wanted a number above 0"],
  [{ layerNormEpsilon: Infinity }, "layerNormEpsilon is Infinity"],
  [{ activation: "prelu" }, 'activation is "prelu", wanted "gelu" or "gelu_new" or'],
  [{ scaleAttention: 1 }, "scaleAttention is 1, wanted true or false"],
  [{ positions: "rotary" }, 'positions is "rotary", wanted "learned" or "sinusoidal" or "none"'],
  [{ tieWeights: 1 }, "tieWeights is 1, wanted true or false"],
  [{ embeddingDropout: 1 }, "embeddingDropout is 1, wanted a number from 0 to below 1"],
  [{ attentionDropout: -0.1 }, "attentionDropout is -0.1"],
  [{ residualDropout: null }, "residualDropout is null"],
  [{ initializerRange: -1 }, "initializerRange is -1, wanted a number from 0"],
  [{ beginOfTextId: -1 }, "beginOfTextId is -1, wanted a token id from 0 to below vocabularySize"],
  [
    { endOfTextId: 197 },
    "endOfTextId is 197, wanted a token id from 0 to below vocabularySize, 197",
  ],
  [{ endOfTextId: [1, 197] }, "endOfTextId is [1,197], wanted a token id from 0 to below"],
  [{ endOfTextId: [1, 2.5] }, "endOfTextId is [1,2.5]"],
];

for (const [change, words] of faults) {
  Deno.test(`refuses ${words}`, () => {
    const config = { ...createGptConfig(size), ...change } as GptConfig;
    assertThrowsFault(
      () => validateGptConfig(config),
      `Cannot use this GPT configuration: ${words}`,
    );
    assertThrowsFault(() => createGptConfig(size, change), words);
  });
}
