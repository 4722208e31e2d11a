/**
 * Directories that the sweeps in scripts/reference make, opened and held against transformers and PEFT.
 *
 * @module
 */
import type { Device } from "../../src/gpu/device.ts";
import { Run } from "../../src/autograd/run.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { answerLogits } from "../../src/models/bert_tasks.ts";
import {
  loadAdaptedBert,
  loadAdaptedClassifier,
  loadAdaptedGpt,
} from "../../src/models/adapted_models.ts";
import type { Bert } from "../../src/models/bert.ts";
import { loadBert, loadGpt } from "../../src/models/files.ts";
import type { Gpt } from "../../src/models/gpt.ts";
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

/** The same of an adapter, whose changes are of its options. */
export interface AdapterCase extends ConfigCase {
  /** The directory of its model. */
  base: string;
}

type Named = Record<string, Tensor>;

function gptOutputs(run: Run, model: Gpt, given: number[]): Named {
  const hidden = model.hidden(run, model.ids(given));
  return { last_hidden_state: hidden, logits: model.unembed(run, hidden) };
}

function bertOutputs(run: Run, model: Bert, given: number[]): Named {
  const ids = model.ids(given);
  const hidden = model.hidden(run, { ids });
  const { settings, masked, classifier, pooler } = model.heads;
  const pooled = pooler?.forward(run, hidden);
  const named: Named = { last_hidden_state: hidden, ...pooled && { pooler_output: pooled } };
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
  return named;
}

const warn = () => {};

/** Opens a case and compares. A refusal must name a key that was changed, or the class. */
export function tryCase(
  device: Device,
  directory: string,
  expected: ConfigCase,
): Promise<Outcome> {
  const { family, cls, ids } = expected;
  return compare(device, directory, expected, (run) => {
    if (cls === "GPT2ForSequenceClassification") {
      const model = loadGptClassifier(device, directory);
      return { logits: model.logits(run, model.gpt.ids(ids), { lengths: [ids.length] }) };
    }
    return family === "gpt2"
      ? gptOutputs(run, loadGpt(device, directory, { warn }), ids)
      : bertOutputs(run, loadBert(device, directory, { warn }), ids);
  });
}

/** Opens an adapter with its model and compares; the model is what the adapter names unless it is given. */
export function tryAdapter(
  device: Device,
  directory: string,
  expected: AdapterCase,
): Promise<Outcome> {
  const { family, cls, ids, base } = expected;
  return compare(device, directory, expected, (run) => {
    if (cls.endsWith("SequenceClassification")) {
      const { model } = loadAdaptedClassifier(device, base, directory);
      return { logits: model.logits(run, { ids, lengths: [ids.length], time: ids.length }) };
    }
    return family === "gpt2"
      ? gptOutputs(run, loadAdaptedGpt(device, base, directory).model, ids)
      : bertOutputs(run, loadAdaptedBert(device, base, directory).model, ids);
  });
}

async function compare(
  device: Device,
  directory: string,
  expected: ConfigCase,
  open: (run: Run) => Named,
): Promise<Outcome> {
  let found: Record<string, ArrayLike<number>>;
  try {
    using scope = device.detachedScope();
    const named = scope.run(() => open(new Run(device)));
    const values = await device.read(...Object.values(named));
    found = Object.fromEntries(Object.keys(named).map((name, i) => [name, values[i]]));
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
