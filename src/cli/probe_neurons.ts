/**
 * `vitrail probe neurons`: where in a text the neurons of a layer are strongest.
 *
 * @module
 */
import type { Command } from "commander";
import { describeNeurons, type Neuron } from "../probes/neurons/neurons.ts";
import { neuronsPage, spreadNeurons, strongest } from "../probes/neurons/page.ts";
import { TokenWindows } from "../probes/token_windows.ts";
import { ProgressBar } from "../training/progress.ts";
import { idList, whole } from "./numbers.ts";
import { paintTokens } from "./paint.ts";
import { encodeAll } from "./perplexity.ts";
import { addProbeFlags, type ProbeFlags, withSubject, writeProbe } from "./probe_flags.ts";

interface NeuronFlags extends ProbeFlags {
  data: string;
  textField: string;
  layer: number;
  neurons?: number[];
  windows: number;
  sequence?: number;
  examples: number;
  context: number;
  show: number;
  seed: number;
}

/** Adds the command to `probe`. */
export function addProbeNeurons(probe: Command): void {
  const command = probe.command("neurons")
    .description("show where neurons of an MLP are strongest, and which tokens they speak for")
    .requiredOption(
      "--data <source>",
      "text: a file, a folder, .jsonl, -, or a corpus such as brown",
    )
    .option("--text-field <name>", "field of a JSONL record that holds the text", "text")
    .option("--layer <n>", "layer, from 0", whole(0), 0)
    .option("--neurons <list>", "their numbers, such as 3,17; all of the layer by default", idList)
    .option("--windows <n>", "windows of the text to look at, at most", whole(1), 500)
    .option("--sequence <n>", "tokens in a window; the model's context by default", whole(3))
    .option("--examples <n>", "examples of each neuron", whole(1), 5)
    .option("--context <n>", "tokens on either side of an example", whole(0), 12)
    .option(
      "--show <n>",
      "neurons to show, from the most often to the least often active",
      whole(1),
      10,
    )
    .option("--seed <n>", "decides which windows are looked at", whole(0), 0);
  addProbeFlags(command).action(async (flags: NeuronFlags) => {
    await withSubject(flags, async (subject) => {
      const { ids } = await encodeAll(flags.data, { ...flags, tokenizer: subject.tokenizer });
      const text = new TokenWindows(subject, ids, { length: flags.sequence, seed: flags.seed });
      const windows = Array.from({ length: Math.min(flags.windows, text.count) }, (_, i) => i);
      const bar = new ProgressBar({ total: windows.length, label: "read", unit: "window" });
      const { tokens, neurons } = await describeNeurons(subject, text, {
        ...flags,
        windows,
        onProgress: (done) => bar.update(done, {}),
      });
      bar.finish();
      const { model, data, layer } = flags;
      const shown = flags.neurons ? neurons : spreadNeurons(neurons, flags.show);
      writeProbe(flags, {
        json: { layer, tokens, neurons },
        text: () => shown.map(neuronText).join("\n\n"),
        page: () => neuronsPage(neurons, { model, data, layer, tokens, shown }),
      });
    });
  });
}

function neuronText(neuron: Neuron): string {
  const { examples, promoted } = neuron;
  const most = strongest(neuron);
  const words = promoted?.slice(0, 5).map(({ token }) => JSON.stringify(token)).join(" ");
  return [
    `neuron ${neuron.neuron}: above zero at ${
      (100 * neuron.active).toPrecision(3)
    } % of the tokens, ` +
    `mean ${neuron.mean.toPrecision(3)}, highest ${most.toPrecision(3)}` +
    (words ? `; speaks for ${words}` : ""),
    ...examples.map(({ tokens, values }) =>
      "  " + paintTokens(tokens.map((text, i) => ({
        text: JSON.stringify(text).slice(1, -1),
        value: values[i] > 0 ? values[i] / most : 0,
      })))
    ),
  ].join("\n");
}
