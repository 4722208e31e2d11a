/**
 * Neurons of an MLP: where in a text each is strongest, how often it is active, and which tokens it speaks
 * for (Geva et al. 2021, arXiv:2012.14913: an MLP as keys that meet patterns, and values that they add).
 *
 * @module
 */
import { Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import { checkOptions, count, countOrNone } from "../../formats/option_rules.ts";
import type { Device } from "../../gpu/device.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { readColumns } from "../../kernels/columns.ts";
import { Gpt } from "../../models/gpt.ts";
import { PlainWeights } from "../plain_weights.ts";
import { NeuronScan, type Peak } from "./scan.ts";
import type { FeatureExample } from "../sae/features.ts";
import type { ProbeSubject } from "../subject.ts";
import { type TokenSides, tokenWeights } from "../token_weights.ts";
import type { TokenWindows } from "../token_windows.ts";

/** One neuron, as a text shows it. */
export interface Neuron extends Partial<TokenSides> {
  /** Its number in its layer. */
  neuron: number;
  /** Mean activation over all tokens. */
  mean: number;
  /** Standard deviation. */
  deviation: number;
  /** Part of the tokens at which it is above zero. */
  active: number;
  /** The strongest places, the first being the strongest; one of a window at most. */
  examples: FeatureExample[];
}

/** Which neurons are looked at, and how. */
export interface NeuronOptions {
  /** Layer, from 0. */
  layer: number;
  /** Their numbers; all of the layer if absent. */
  neurons?: readonly number[];
  /** Windows of the text that are looked at; all if absent. */
  windows?: readonly number[];
  /** Windows at once; default 8. */
  batch?: number;
  /** Examples of each; default 5. */
  examples?: number;
  /** Tokens shown on either side; default 12. */
  context?: number;
  /** Tokens that a GPT's neuron speaks for, and as many against; default 8. */
  tokens?: number;
  /** Told how many windows are done. */
  onProgress?: (windows: number) => void;
}

/** Neurons of which single columns are read; of more, whole activations are. */
const SINGLE = 16;

/**
 * Streams windows of a text through a model and keeps the strongest places of each neuron. While the host
 * looks through one batch the device runs the next.
 *
 * @throws {VitrailError} if there is no such layer or neuron, or no window
 */
export async function describeNeurons(
  subject: ProbeSubject,
  text: TokenWindows,
  options: NeuronOptions,
): Promise<{ tokens: number; neurons: Neuron[] }> {
  const { layer, batch = 8, examples = 5, context = 12, onProgress } = options;
  checkOptions("Cannot look at neurons", { batch, examples, context }, {
    batch: count,
    examples: countOrNone,
    context: countOrNone,
  });
  const numbers = neuronNumbers(subject, options);
  const windows = options.windows ?? Array.from({ length: text.count }, (_, i) => i);
  if (windows.length === 0) {
    throw new VitrailError("Cannot look at neurons: there is no window of text; give one at least");
  }
  const scan = new NeuronScan(numbers.length, { time: text.length, examples });
  const ahead: { of: readonly number[]; read: LaterActivations }[] = [];
  const look = async (): Promise<void> => {
    const { of, read } = ahead.shift()!;
    scan.add(of, await read.numbers());
    onProgress?.(scan.windows);
  };
  try {
    for (let from = 0; from < windows.length; from += batch) {
      const of = windows.slice(from, from + batch);
      const wanted = { layer, windows: of, neurons: options.neurons };
      ahead.push({ of, read: activationsLater(subject, text, wanted) });
      if (ahead.length > 1) await look();
    }
    await look();
  } finally {
    for (const { read } of ahead) read.cancel();
  }
  const sides = await spokenFor(subject, numbers, options);
  return {
    tokens: scan.tokens,
    neurons: numbers.map((neuron, n) => ({
      neuron,
      ...scan.figures(n),
      examples: scan.peaks[n].map((peak) => exampleOf(subject, text, { peak, context })),
      ...sides?.[n],
    })),
  };
}

/** The neurons that are asked for. */
function neuronNumbers(
  { model: { config } }: ProbeSubject,
  { layer, neurons }: NeuronOptions,
): number[] {
  const count = config.mlpChannels;
  if (!(Number.isInteger(layer) && layer >= 0 && layer < config.layers)) {
    throw new VitrailError(
      `Cannot look at neurons of layer ${layer}: this model has layers 0 to ${config.layers - 1}`,
    );
  }
  if (count === 0) {
    throw new VitrailError("Cannot look at neurons of this model: it has attention alone, no MLP");
  }
  const wrong = neurons?.find((n) => !(Number.isInteger(n) && n >= 0 && n < count));
  if (wrong !== undefined) {
    throw new VitrailError(
      `Cannot look at neuron ${wrong}: each layer of this model has neurons 0 to ${count - 1}`,
    );
  }
  return neurons ? [...neurons] : Array.from({ length: count }, (_, n) => n);
}

/** Activations that the device still computes: wait for them, or cancel. */
interface LaterActivations {
  numbers: () => Promise<Float32Array>;
  cancel: () => void;
}

/** Runs windows and sets (windows, T, neurons) aside for the host: of few neurons, these alone. */
function activationsLater(
  { model }: ProbeSubject,
  text: TokenWindows,
  { layer, windows, neurons }: {
    layer: number;
    windows: readonly number[];
    neurons?: readonly number[];
  },
): LaterActivations {
  const { device } = model;
  using scope = device.detachedScope();
  let read: ReturnType<Device["readLater"]> | undefined;
  const single = neurons && neurons.length <= SINGLE;
  const take = (x: Tensor): void => {
    read = device.readLater(
      ...single ? neurons.map((offset) => readColumns(x, 1, { offset })) : [x],
    );
  };
  try {
    scope.run(() => {
      const run = new Run(device, { hooks: new Map([[`blocks.${layer}.mlp.hook_post`, take]]) });
      const input = text.plain(windows);
      if (model instanceof Gpt) model.hidden(run, input.ids);
      else model.hidden(run, input);
    });
  } catch (cause) {
    read?.cancel();
    throw cause;
  }
  device.commands.submit();
  const all = model.config.mlpChannels;
  const numbers = async (): Promise<Float32Array> => {
    const found = await read!.numbers() as Float32Array[];
    if (!neurons) return found[0];
    const rows = windows.length * text.length;
    const out = new Float32Array(rows * neurons.length);
    neurons.forEach((neuron, n) => {
      for (let row = 0; row < rows; row++) {
        const value = single ? found[n][row] : found[0][row * all + neuron];
        out[row * neurons.length + n] = value;
      }
    });
    return out;
  };
  return { numbers, cancel: () => read!.cancel() };
}

/** A peak with what stands around it. */
function exampleOf(
  subject: ProbeSubject,
  text: TokenWindows,
  { peak: { window, at, values }, context }: { peak: Peak; context: number },
): FeatureExample {
  const begin = Math.max(0, at - context);
  const end = at + context + 1;
  return {
    tokens: Array.from(text.ids(window).subarray(begin, end), (id) => subject.token(id)),
    values: [...values.subarray(begin, end)],
    at: at - begin,
  };
}

/** What neurons write, through the unembedding of a GPT; a BERT's stream is normalized on its way. */
async function spokenFor(
  subject: ProbeSubject,
  neurons: readonly number[],
  { layer, tokens = 8 }: NeuronOptions,
): Promise<TokenSides[] | undefined> {
  const { model, tokenizer } = subject;
  if (!(model instanceof Gpt) || model.quantized.length > 0 || tokens === 0) return undefined;
  const name = `transformer.h.${layer}.mlp.c_proj.weight`; // (4C, C): a row for each neuron
  const directions = await new PlainWeights(model).rows(name, neurons);
  return await tokenWeights(
    { model, tokenizer, token: (id) => subject.token(id) },
    directions,
    tokens,
  );
}
