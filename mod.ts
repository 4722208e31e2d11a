/**
 * Vitrail for programs: train, run and open up Transformers on WebGPU.
 *
 * @example
 * ```ts
 * import { createGptConfig, generate, Gpt, openDevice } from "./mod.ts";
 *
 * const device = await openDevice();
 * const config = createGptConfig({
 *   vocabularySize: 10,
 *   contextLength: 16,
 *   channels: 8,
 *   layers: 1,
 *   heads: 2,
 * });
 * const [ids] = await generate(new Gpt(device, config), [0, 1, 2], { maxNewTokens: 5 });
 * console.log(ids);
 * device.destroy();
 * ```
 *
 * @module
 */
export { VitrailError } from "./src/errors.ts";
export { Device, type DeviceOptions, openDevice } from "./src/gpu/device.ts";
export { type DType, type NumericArray, Tensor } from "./src/gpu/tensor.ts";
export { type Hook, Run, type RunOptions } from "./src/autograd/run.ts";
export { Parameter } from "./src/autograd/parameter.ts";
export { type Backward, Gradients, type GradientTarget, Tape } from "./src/autograd/tape.ts";
export { Gpt, GptCache } from "./src/models/gpt.ts";
export { freshWeights, storedWeights, type WeightSource } from "./src/models/weights.ts";
export { createGptConfig, type GptConfig } from "./src/formats/gpt_config.ts";
export { generate, type GenerateOptions } from "./src/generation/generate.ts";
export { loadTokenizer, type Tokenizer } from "./src/tokenizers/tokenizer.ts";
export { trainBytePairTokenizer } from "./src/tokenizers/train_bpe.ts";
export { trainCharacterTokenizer } from "./src/tokenizers/train_characters.ts";
export { readDocuments } from "./src/data/documents.ts";
export { openDataset, tokenizeCorpus } from "./src/data/shards.ts";
export { BatchSampler, sequentialBatches } from "./src/data/batches.ts";
export { AdamW, type AdamWOptions } from "./src/optim/adamw.ts";
export { type Batch, Trainer, type TrainerOptions } from "./src/training/trainer.ts";
export { train, type TrainIO, type TrainResult, type TrainSettings } from "./src/training/loop.ts";
export { evaluate, type Evaluation } from "./src/training/evaluate.ts";
export { loadCheckpoint, loadGpt, saveCheckpoint, saveGpt } from "./src/training/checkpoint.ts";
