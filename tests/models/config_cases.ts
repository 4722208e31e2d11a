/**
 * Directories that scripts/reference/make_config_sweep.py makes, opened and held against transformers.
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import { Run } from "../../src/autograd/run.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { answerLogits } from "../../src/models/bert_tasks.ts";
import { loadBert, loadGpt } from "../../src/models/files.ts";
import { loadGptClassifier } from "../../src/models/gpt_classifier.ts";

/** What a case's expected.json says. */
export interface ConfigCase {
  /** Which family was changed; its `model_type` may say another. */
  family: "gpt2" | "bert";
  /** The class that transformers opened it with. */
  cls: string;
  /** Keys of config.json that differ from the plain ones. */
  changes: Record<string, unknown>;
  /** Token ids (T). */
  ids: number[];
  /** What transformers computes, by its names. */
  outputs?: Record<string, { shape: number[]; values: number[] }>;
  /** Why transformers does not. */
  refused?: string;
}

/** How a case came out: `equal` and `refused` are right. */
export interface Outcome {
  kind: "equal" | "refused" | "differs" | "refused without its name" | "opened what is refused";
  detail: string;
}

/** Outputs of a directory by transformers' names, as far as Vitrail has them. */
async function outputsOf(
  device: Device,
  directory: string,
  { family, cls, ids: given }: ConfigCase,
): Promise<Record<string, ArrayLike<number>>> {
  using _scope = device.scope();
  const run = new Run(device);
  const named: Record<string, Tensor> = {};
  const warn = () => {};
  if (cls === "GPT2ForSequenceClassification") {
    const model = loadGptClassifier(device, directory);
    named.logits = model.logits(run, model.gpt.ids(given), { lengths: [given.length] });
  } else if (family === "gpt2") {
    const model = loadGpt(device, directory, { warn });
    const hidden = model.hidden(run, model.ids(given));
    named.last_hidden_state = hidden;
    named.logits = model.unembed(run, hidden);
  } else {
    const model = loadBert(device, directory, { warn });
    const ids = model.ids(given);
    const hidden = model.hidden(run, { ids });
    const { settings, masked, classifier, pooler } = model.heads;
    named.last_hidden_state = hidden;
    const pooled = pooler?.forward(run, hidden);
    if (pooled) named.pooler_output = pooled;
    if (masked) {
      const tokens = masked.forward(run, hidden);
      named[settings.kind === "pretraining" ? "prediction_logits" : "logits"] = tokens;
    }
    if (settings.kind === "pretraining") {
      named.seq_relationship_logits = classifier!.forward(run, pooled!);
    } else if (settings.kind === "question-answering") {
      const { begins, ends } = answerLogits(run, model, { ids });
      Object.assign(named, { start_logits: begins, end_logits: ends });
    } else if (classifier) {
      named.logits = classifier.forward(run, pooled ?? hidden);
    }
  }
  const values = await device.read(...Object.values(named));
  return Object.fromEntries(Object.keys(named).map((name, i) => [name, values[i]]));
}

/** Opens a case and compares. A refusal must name a key that was changed, or the class. */
export async function tryCase(
  device: Device,
  directory: string,
  expected: ConfigCase,
): Promise<Outcome> {
  let found: Record<string, ArrayLike<number>>;
  try {
    found = await outputsOf(device, directory, expected);
  } catch (error) {
    const { name, message } = error as Error;
    const said = message.replaceAll(directory, "…");
    const names = [...Object.keys(expected.changes), expected.cls];
    const isNamed = name === "VitrailError" &&
      names.some((key) => new RegExp(`\\b${key}\\b`).test(said));
    return { kind: isNamed ? "refused" : "refused without its name", detail: `${name}: ${said}` };
  }
  if (expected.refused !== undefined || !expected.outputs) {
    return { kind: "opened what is refused", detail: expected.refused ?? "" };
  }
  let worst = 0;
  for (const [name, { values }] of Object.entries(expected.outputs)) {
    // The second head of a double-headed GPT-2 is not read: that model opens as a language model.
    if (name === "mc_logits") continue;
    if (found[name]?.length !== values.length) return { kind: "differs", detail: `no ${name}` };
    const largest = Math.max(...values.map(Math.abs));
    const off = Math.max(...values.map((v, i) => Math.abs(v - found[name][i])));
    worst = Math.max(worst, Number.isFinite(off) ? off / largest : Infinity);
  }
  return { kind: worst <= 1e-5 ? "equal" : "differs", detail: worst.toExponential(2) };
}
