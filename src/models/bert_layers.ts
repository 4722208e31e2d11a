/**
 * The layers of a BERT under their names in Hugging Face's files, where weights are stored (out, in).
 *
 * @module
 */
import type { Parameter } from "../autograd/parameter.ts";
import type { BertConfig } from "../formats/bert_config.ts";
import { LayerNorm } from "../nn/layer_norm.ts";
import { Linear } from "../nn/linear.ts";
import type { Initial, ParameterList } from "./weights.ts";

/** Makes layers, and with them their parameters. */
export class BertLayers {
  /** The configuration of the model they are for. */
  readonly config: BertConfig;
  /** The linear layers made so far, which LoRA can adapt. */
  readonly linears: Linear[] = [];
  readonly #list: ParameterList;
  readonly #usual: Initial;

  /** Parameters are appended to `list`. */
  constructor(list: ParameterList, config: BertConfig) {
    this.config = config;
    this.#list = list;
    this.#usual = { deviation: config.initializerRange };
  }

  /** An embedding table (rows, C). */
  table(name: string, rows: number): Parameter {
    return this.#list.make(`${name}.weight`, [rows, this.config.channels], this.#usual);
  }

  /** A vector of zeros. */
  bias(name: string, size: number): Parameter {
    return this.#list.make(name, [size], { constant: 0 });
  }

  /** A layer norm over C. */
  norm(name: string): LayerNorm {
    const { channels, layerNormEpsilon } = this.config;
    return new LayerNorm(
      this.#list.make(`${name}.weight`, [channels], { constant: 1 }),
      this.#list.make(`${name}.bias`, [channels], { constant: 0 }),
      layerNormEpsilon,
    );
  }

  /** A linear layer (out, in); its file may hold it in `parts` of equal height. */
  affine(name: string, shape: [number, number], { parts }: { parts?: string[] } = {}): Linear {
    const named = (ending: string) => parts?.map((part) => `${part}.${ending}`);
    const layer = new Linear(
      this.#list.make(`${name}.weight`, shape, this.#usual, named("weight")),
      this.#list.make(`${name}.bias`, [shape[0]], { constant: 0 }, named("bias")),
      { transposed: true },
    );
    this.linears.push(layer);
    return layer;
  }
}
