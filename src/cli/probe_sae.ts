/**
 * `vitrail probe sae`: what a model's activations are made of, by a sparse autoencoder.
 *
 * @module
 */
import type { Command } from "commander";
import type { Feature } from "../probes/sae/features.ts";
import { saePage } from "../probes/sae/page.ts";
import {
  examineSae,
  middleHook,
  type SaeFindings,
  splitWindows,
  trainOnModel,
} from "../probes/sae/probe.ts";
import type { SaeReport } from "../probes/sae/train.ts";
import { SparseAutoencoder } from "../probes/sae/sparse_autoencoder.ts";
import type { ProbeSubject } from "../probes/subject.ts";
import { TokenWindows } from "../probes/token_windows.ts";
import { ProgressBar } from "../training/progress.ts";
import { Interrupt } from "./interrupt.ts";
import { idList, real, whole } from "./numbers.ts";
import { paintTokens } from "./paint.ts";
import { encodeAll } from "./perplexity.ts";
import { printNotice } from "./printer.ts";
import { addProbeFlags, type ProbeFlags, withSubject, writeProbe } from "./probe_flags.ts";

/** Values of the flags. */
interface SaeFlags extends ProbeFlags {
  data: string;
  textField: string;
  sequence?: number;
  hook?: string;
  features?: number;
  k: number;
  steps: number;
  batch: number;
  learningRate?: number;
  seed: number;
  out?: string;
  sae?: string;
  show: number;
  feature?: number[];
  examples: number;
}

/** Adds the command. */
export function addProbeSae(probe: Command): void {
  addProbeFlags(probe.command("sae"))
    .description("train a sparse autoencoder on a hook point, and show its features")
    .requiredOption(
      "--data <source>",
      "text: a file, a folder, .jsonl, -, or a corpus such as brown",
    )
    .option("--text-field <name>", "field of a JSONL record that holds the text", "text")
    .option("--hook <name>", "hook point; after the block in the middle if absent")
    .option(
      "--features <n>",
      "features; eight for each number of an activation if absent",
      whole(1),
    )
    .option("--k <n>", "features that an activation may have at once", whole(1), 16)
    .option("--steps <n>", "updates", whole(1), 1000)
    .option("--batch <n>", "activations in each", whole(1), 1024)
    .option("--sequence <n>", "tokens in a window; the model's context if absent", whole(3))
    .option(
      "--learning-rate <x>",
      "highest learning rate; by the number of features if absent",
      real(0),
    )
    .option("--seed <n>", "decides the order of the text and the first directions", whole(0), 0)
    .option("--out <file>", "keep the autoencoder as safetensors")
    .option("--sae <file>", "look at one that was kept, in place of training")
    .option("--show <n>", "features to show, from the commonest to the rarest", whole(1), 10)
    .option("--feature <list>", "show these, such as 12,40", idList)
    .option("--examples <n>", "examples of each", whole(1), 5)
    .action(runProbeSae);
}

async function runProbeSae(flags: SaeFlags): Promise<void> {
  await withSubject(flags, async (subject) => {
    const { ids } = await encodeAll(flags.data, { ...flags, tokenizer: subject.tokenizer });
    const text = new TokenWindows(subject, ids, { length: flags.sequence, seed: flags.seed });
    const { train, held } = splitWindows(text);
    const reports: SaeReport[] = [];
    const sae = flags.sae === undefined
      ? await trained(subject, text, { flags, windows: train, reports })
      : SparseAutoencoder.load(subject.model.device, flags.sae);
    if (flags.out !== undefined) {
      await sae.save(flags.out);
      printNotice(`Wrote ${flags.out}`);
    }
    const bar = new ProgressBar({ total: held.length, label: "examine", unit: "window" });
    const findings = await examineSae(subject, sae, {
      text,
      windows: held,
      features: flags.feature,
      count: flags.show,
      examples: flags.examples,
      onProgress: (windows) => bar.update(windows, {}),
    });
    bar.finish();
    const { config } = sae;
    writeProbe(flags, {
      json: { ...config, ...findings, training: reports },
      text: () => describe(findings, config.features),
      page: () => saePage({ sae, reports, ...findings }),
    });
  }, { "--out": flags.out });
}

async function trained(
  subject: ProbeSubject,
  text: TokenWindows,
  { flags, windows, reports }: { flags: SaeFlags; windows: number[]; reports: SaeReport[] },
): Promise<SparseAutoencoder> {
  using bar = new ProgressBar({ total: flags.steps, label: "train" });
  using interrupt = new Interrupt("what was learnt so far is kept and shown");
  const sae = await trainOnModel(subject, text, {
    ...flags,
    signal: interrupt.signal,
    features: flags.features ?? 8 * subject.model.config.channels,
    hook: flags.hook ?? middleHook(subject),
    windows,
    onReport: (report) => {
      reports.push(report);
      bar.update(report.step, { loss: report.loss, dead: report.dead });
    },
  });
  if (interrupt.code !== undefined) Deno.exitCode = interrupt.code;
  return sae;
}

function describe({ fit, losses, features }: SaeFindings, all: number): string {
  const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
  const lines = [
    `fraction of variance ${fit.fractionOfVariance.toFixed(4)}, L0 ${
      fit.l0.toFixed(1)
    } of ${all} ` +
    `features, of which ${fit.dead} never fired (${fit.rows} tokens that were not trained on)`,
  ];
  if (losses) {
    const { clean, spliced, zero, recovered, tokens } = losses;
    lines.push(
      `loss ${clean.toFixed(4)} as it is, ${spliced.toFixed(4)} with the reconstruction ` +
        `(+${(spliced - clean).toFixed(4)}), ${zero.toFixed(4)} with zeros: ` +
        `${percent(recovered)} recovered (nats a token, of ${tokens})`,
    );
  }
  return [...lines, ...features.map(describeFeature)].join("\n");
}

function describeFeature({ feature, frequency, mean, examples, promoted }: Feature): string {
  const most = examples[0]?.values[examples[0].at] ?? 1;
  const lines = examples.map(({ tokens, values }) =>
    "  " + paintTokens(
      tokens.map((text, i) => ({
        text: spelled(text),
        value: values[i] / most,
      })),
    )
  );
  const words = promoted?.slice(0, 5).map(({ token }) => JSON.stringify(token)).join(" ");
  return [
    "",
    `feature ${feature}: at ${(100 * frequency).toPrecision(2)} % of the tokens, ` +
    `${mean.toPrecision(3)} on average${words ? `; speaks for ${words}` : ""}`,
    ...lines,
  ].join("\n");
}

/** A token on one line: line breaks and other controls are spelled out. */
const spelled = (text: string): string => JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
