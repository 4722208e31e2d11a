/**
 * The report of neurons: how active they are, where they are strongest, what they speak for.
 *
 * @module
 */
import { escapeHtml, showValue } from "../../formats/page/html.ts";
import { colouredTokens } from "../../formats/page/tokens.ts";
import type { Neuron } from "./neurons.ts";
import type { ProbePage, ProbeSection } from "../probe_page.ts";
import type { FeatureExample } from "../sae/features.ts";
import type { TokenWeight } from "../token_weights.ts";

/** What was looked at. */
export interface NeuronsAbout {
  /** The model's directory. */
  model: string;
  /** Where the text is from. */
  data: string;
  /** The layer. */
  layer: number;
  /** Tokens of the text. */
  tokens: number;
  /** Neurons that have sections of their own. */
  shown: readonly Neuron[];
}

/**
 * Neurons evenly from the most often to the least often active: no choice by looks.
 *
 * @param count how many, at most
 */
export function spreadNeurons(neurons: readonly Neuron[], count: number): Neuron[] {
  const order = [...neurons].sort((a, b) => b.active - a.active || a.neuron - b.neuron);
  if (order.length <= count) return order;
  return Array.from(
    { length: count },
    (_, i) => order[Math.floor((i + 0.5) * order.length / count)],
  );
}

/** All of it as a page. */
export function neuronsPage(neurons: readonly Neuron[], about: NeuronsAbout): ProbePage {
  const { model, data, layer, tokens, shown } = about;
  const active = neurons.map((neuron) => neuron.active).sort((a, b) => b - a);
  const sections: ProbeSection[] = shown.map(neuronSection);
  if (neurons.length > shown.length) {
    sections.unshift({
      heading: "How often neurons are active",
      charts: [{
        title: "Part of the tokens at which a neuron is above zero",
        axis: "Rank",
        fromZero: true,
        logarithmic: false,
        curves: [{ label: "active", style: "train", steps: [...active.keys()], values: active }],
        notes: [],
      }],
    });
  }
  return {
    title: `Neurons of layer ${layer}`,
    notice:
      "The examples are where a neuron is strongest. What they have in common is a guess at its " +
      "meaning, and says nothing of the many places where it is weak.",
    figures: {
      "Model": model,
      "Text": data,
      "Tokens": tokens,
      "Neurons": neurons.length,
      "Shown": shown.length,
      "Active, on average": active.reduce((sum, part) => sum + part, 0) / active.length,
    },
    sections,
  };
}

function neuronSection(neuron: Neuron): ProbeSection {
  const { mean, deviation, active, examples, promoted, suppressed } = neuron;
  const most = strongest(neuron);
  const words = [
    ...promoted ? [wordLine("speaks for", promoted)] : [],
    ...suppressed ? [wordLine("speaks against", suppressed)] : [],
  ];
  return {
    heading: `Neuron ${neuron.neuron}`,
    about: `Above zero at ${(100 * active).toPrecision(3)} % of the tokens; mean ${
      showValue(mean)
    }, deviation ${showValue(deviation)}, highest ${showValue(most)}.`,
    html: words.join("") + examples.map((example) => exampleHtml(example, most)).join("\n"),
  };
}

/** The highest activation that was seen, or 1 if none was above zero. */
export function strongest({ examples: [first] }: Neuron): number {
  const most = first?.values[first.at] ?? 0;
  return most > 0 ? most : 1;
}

/** Tokens in the colours of the neuron; of BERT's pieces, which carry no spaces, with spaces between words. */
function exampleHtml({ tokens, values, at }: FeatureExample, most: number): string {
  const pieces = !tokens.some((token) => /\s/.test(token));
  return colouredTokens(tokens.map((token, i) => ({
    text: pieces && i > 0 ? (token.startsWith("##") ? token.slice(2) : ` ${token}`) : token,
    value: values[i] > 0 ? values[i] / most : undefined,
    note: `${token}: ${showValue(values[i])}${i === at ? ", the highest of its window" : ""}`,
  })));
}

function wordLine(does: string, weights: readonly TokenWeight[]): string {
  const shown = weights.map(({ token, weight }) =>
    `<code>${escapeHtml(JSON.stringify(token).slice(1, -1))}</code> ${weight.toPrecision(2)}`
  );
  return `<p>It ${does} ${shown.join(", ")}.</p>`;
}
