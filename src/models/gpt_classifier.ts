/**
 * GPT-2 as a classifier: a linear layer over the last token, which alone has seen the whole text.
 *
 * @module
 */
import { gatherRows } from "../autograd/ops/gather_rows.ts";
import { linear } from "../autograd/ops/linear.ts";
import type { Parameter } from "../autograd/parameter.ts";
import type { Run } from "../autograd/run.ts";
import { VitrailError } from "../errors.ts";
import type { GptConfig } from "../formats/gpt_config.ts";
import {
  type GptClassifierSettings,
  readGptClassifierConfig,
  stageGptClassifierConfig,
} from "../formats/huggingface_gpt2_classifier.ts";
import { readConfig } from "../formats/huggingface_gpt2.ts";
import { openModelWeights, writeSafetensors } from "../formats/safetensors.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { neutralTensors, tensorsToWrite } from "./files.ts";
import { Gpt } from "./gpt.ts";
import { gptHead } from "./tied_weights.ts";
import { freshWeights, ParameterList, storedWeights, type WeightSource } from "./weights.ts";

/** Hugging Face's `GPT2ForSequenceClassification`. */
export class GptClassifier implements Disposable {
  /** The decoder below. */
  readonly gpt: Gpt;
  /** Labels and what they mean. */
  readonly settings: GptClassifierSettings;
  /** All that is trained, under the names of Hugging Face's files. */
  readonly parameters: Parameter[];
  readonly #score: Parameter; // (labels, C)
  readonly #owned: DisposableStack;

  /** Fresh weights by default. The language model's head is left out. */
  constructor(
    device: Device,
    config: GptConfig,
    settings: GptClassifierSettings & { source?: WeightSource },
  ) {
    const { source = freshWeights(0), ...rest } = settings;
    this.settings = rest;
    using owned = new DisposableStack();
    this.gpt = owned.use(new Gpt(device, { ...config, tieWeights: true }, source));
    const head = owned.use(new ParameterList(device, source));
    const shape = [rest.labels.length, config.channels];
    this.#score = head.make("score.weight", shape, { deviation: config.initializerRange });
    this.parameters = [...this.gpt.parameters, ...head.all];
    this.#owned = owned.move();
  }

  /** Gives the memory of its weights back, and that of an adapter: its use is an error from then on. */
  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }

  /**
   * Ids (B, T), padded behind, to logits (B, labels). What stands behind a sequence's end changes
   * nothing, as no token sees those behind it.
   *
   * @param options.lengths tokens of each sequence that are no padding
   * @throws {VitrailError} if a sequence is empty or longer than T
   */
  logits(run: Run, ids: Tensor, { lengths }: { lengths: ArrayLike<number> }): Tensor {
    const [batch, time] = ids.shape;
    const rows = Uint32Array.from({ length: batch }, (_, b) => {
      if (lengths[b] >= 1 && lengths[b] <= time) return b * time + lengths[b] - 1;
      throw new VitrailError(
        `Cannot classify sequence ${b}: its length is ${lengths[b]}, wanted 1 to ${time}`,
      );
    });
    const last = gatherRows(run, this.gpt.hidden(run, ids), ids.device.upload(rows)); // (B, C)
    return linear(run, last, { weight: this.#score, transposed: true });
  }
}

/**
 * Opens a classifier's directory of ours or of Hugging Face; or, with `settings`, any GPT-2, whose
 * head then begins afresh from `seed` unless the directory has one for as many labels, and whose
 * dropout is `dropout` everywhere, if that is given.
 */
export function loadGptClassifier(
  device: Device,
  directory: string,
  options: { settings?: GptClassifierSettings; seed?: number; dropout?: number } = {},
): GptClassifier {
  using file = openModelWeights(directory);
  // A classifier has no head for tokens, so that another one in its file is no matter.
  const { names } = gptHead(file, true, { warn: () => {} });
  const stored = storedWeights(file, names.prefix, names);
  if (!options.settings) {
    const { config, ...settings } = readGptClassifierConfig(directory);
    return new GptClassifier(device, config, { ...settings, source: stored });
  }
  const { seed = 0, dropout } = options;
  const fresh = freshWeights(seed);
  const config = {
    ...readConfig(directory),
    ...(dropout === undefined
      ? {}
      : { embeddingDropout: dropout, attentionDropout: dropout, residualDropout: dropout }),
  };
  return new GptClassifier(device, config, {
    ...options.settings,
    source: (name, shape, initial) => {
      const known = file.has(name) && file.info(name).shape.join() === shape.join();
      return (name !== "score.weight" || known ? stored : fresh)(name, shape, initial);
    },
  });
}

/**
 * Writes model.safetensors and config.json, as `saveGpt` does.
 *
 * @throws {VitrailError} if one of them cannot be written
 */
export async function saveGptClassifier(model: GptClassifier, directory: string): Promise<void> {
  const { config, device } = model.gpt;
  using staged = stageGptClassifierConfig(directory, { config, ...model.settings });
  const named = model.parameters.map((p) => ({ name: p.name, tensor: p }));
  const tensors = tensorsToWrite(device, named);
  tensors.push(...neutralTensors(config));
  await writeSafetensors(`${directory}/model.safetensors`, tensors, { metadata: { format: "pt" } });
  staged.commit();
}
