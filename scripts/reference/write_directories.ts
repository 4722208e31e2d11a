/**
 * Writes a directory of every kind that Vitrail can write, with its own outputs; open_directories.py opens
 * them with transformers and PEFT.
 *
 *     deno run --allow-read --allow-write=OUT --allow-env scripts/reference/write_directories.ts OUT
 *
 * @module
 */
import {
  addLora,
  Bert,
  type BertHeadsSettings,
  createBertConfig,
  createGptConfig,
  freshWeights,
  Gpt,
  type GptConfig,
  languageModelling,
  loadBert,
  loadGpt,
  loadGptClassifier,
  mergeAdapter,
  openDevice,
  quantizeGpt,
  Run,
  saveAdapter,
  saveBert,
  saveCheckpoint,
  saveGpt,
  type Tensor,
  Trainer,
  type WeightSource,
} from "../../mod.ts";
import { GptClassifier, saveGptClassifier } from "../../src/models/gpt_classifier.ts";

const [root] = Deno.args;
const device = await openDevice();
const ids = [3, 1, 4, 1, 5, 9, 2, 6, 10, 0, 7];
const size = { vocabularySize: 61, contextLength: 19, channels: 15, layers: 2, heads: 3 };

/** Numbers that make every part of a model show in its outputs. */
const loud: WeightSource = (name, shape, initial) => {
  const constant = "constant" in initial ? initial.constant : 0;
  return freshWeights(1)(name, shape, { deviation: 0.3 }).map((v) => v + constant);
};

/** One directory: what is written, and the class, task or model that opens it. */
async function write(
  name: string,
  about: { cls: string; base?: string; refused?: string },
  make: (directory: string) => Promise<void>,
  outputs: () => Record<string, Tensor>,
): Promise<void> {
  const directory = `${root}/${name}`;
  Deno.mkdirSync(directory, { recursive: true });
  await make(directory);
  const named = outputs();
  const values = await device.read(...Object.values(named));
  const found = Object.keys(named).map((key, i) => [key, Array.from(values[i])]);
  const expected = { ...about, ids, outputs: Object.fromEntries(found) };
  Deno.writeTextFileSync(`${directory}/expected.json`, JSON.stringify(expected));
}

const run = new Run(device);
const gptOutputs = (model: Gpt) => ({ logits: model.forward(run, model.ids(ids)) });
const classifierOutputs = (model: GptClassifier) => ({
  logits: model.logits(run, model.gpt.ids(ids), { lengths: [ids.length] }),
});
function bertOutputs(model: Bert): Record<string, Tensor> {
  const hidden = model.hidden(run, { ids: model.ids(ids) });
  const { settings: { kind }, pooler, masked, classifier } = model.heads;
  const pooled = pooler?.forward(run, hidden);
  if (kind === "none") return { last_hidden_state: hidden, ...pooled && { pooler_output: pooled } };
  const tokens = masked?.forward(run, hidden);
  if (kind === "pretraining") {
    const follows = classifier!.forward(run, pooled!);
    return { prediction_logits: tokens!, seq_relationship_logits: follows };
  }
  const logits = tokens ?? classifier!.forward(run, pooled ?? hidden);
  return kind === "question-answering" ? { span_logits: logits } : { logits };
}

const gpts: Record<string, Partial<GptConfig>> = {
  plain: {},
  untied: { tieWeights: false },
  sinusoidal: { positions: "sinusoidal" },
  no_positions: { positions: "none" },
  attention_only: { mlpChannels: 0 },
  other: {
    activation: "quick_gelu",
    mlpChannels: 22,
    scaleAttention: false,
    scaleAttentionByLayer: true,
    endOfTextId: [59, 60],
  },
};
for (const [name, options] of Object.entries(gpts)) {
  const model = new Gpt(device, createGptConfig(size, options), loud);
  const about = { cls: "AutoModelForCausalLM" };
  await write(`gpt_${name}`, about, (to) => saveGpt(model, to), () => gptOutputs(model));
}
const plain = `${root}/gpt_plain`;
// A run that is under way: its model, and beside it what training goes on from.
const trained = loadGpt(device, plain);
const trainer = new Trainer(languageModelling(trained, ids.length), {});
trainer.step(
  [{ inputs: Uint32Array.from(ids), targets: Int32Array.from([...ids.slice(1), -100]) }],
  1e-2,
);
const checkpointed = async (to: string) => {
  await saveGpt(trained, to);
  await saveCheckpoint(trainer, to, { step: 1, bestLoss: null, evaluationsSinceBest: 0 });
};
const underWay = { cls: "AutoModelForCausalLM" };
await write("gpt_checkpoint", underWay, checkpointed, () => gptOutputs(trained));
for (const weights of ["f16", "int8", "int4"] as const) {
  const model = await quantizeGpt(loadGpt(device, plain), { weights });
  const refused = weights === "f16" ? undefined : "quant_method";
  const about = { cls: "AutoModelForCausalLM", refused };
  await write(`gpt_${weights}`, about, (to) => saveGpt(model, to), () => gptOutputs(model));
}
const labelKinds = { single: 3, multiple: 3, number: 1 } as const;
for (const [labelKind, count] of Object.entries(labelKinds)) {
  const settings = {
    labels: Array.from({ length: count }, (_, i) => `label ${i}`),
    labelKind: labelKind as keyof typeof labelKinds,
    padId: 60,
  };
  const model = new GptClassifier(device, createGptConfig(size), { ...settings, source: loud });
  const about = { cls: "AutoModelForSequenceClassification" };
  const save = (to: string) => saveGptClassifier(model, to);
  await write(`gpt_classifier_${labelKind}`, about, save, () => classifierOutputs(model));
}
const labels = ["a", "b", "c"];
const heads: Record<string, [string, BertHeadsSettings]> = {
  none: ["AutoModel", { kind: "none" }],
  pretraining: ["AutoModelForPreTraining", { kind: "pretraining" }],
  masked: ["AutoModelForMaskedLM", { kind: "masked-language" }],
  next_sentence: ["AutoModelForNextSentencePrediction", { kind: "next-sentence" }],
  classes: [
    "AutoModelForSequenceClassification",
    { kind: "sequence-classification", labels, labelKind: "single" },
  ],
  tags: ["AutoModelForTokenClassification", { kind: "token-classification", labels }],
  answers: ["AutoModelForQuestionAnswering", { kind: "question-answering" }],
};
for (const [name, [cls, settings]] of Object.entries(heads)) {
  for (const tieWeights of ["pretraining", "masked"].includes(name) ? [true, false] : [true]) {
    const config = createBertConfig(size, {
      mlpChannels: 22,
      tieWeights,
      activation: tieWeights ? "gelu" : "relu",
    });
    const model = new Bert(device, config, { heads: settings, source: loud });
    const save = (to: string) => saveBert(model, to);
    await write(
      `bert_${name}${tieWeights ? "" : "_untied"}`,
      { cls },
      save,
      () => bertOutputs(model),
    );
  }
}

/** An adapter, and the model that it was merged into. */
async function adapted<Model extends Gpt | Bert | GptClassifier>(
  name: string,
  cls: string,
  { model, on, targets, whole, taskType, outputs, save }: {
    model: Model;
    on: Parameters<typeof addLora>[0];
    targets: string[];
    whole?: string[];
    taskType?: string;
    outputs: (model: Model) => Record<string, Tensor>;
    save: (to: string) => Promise<void>;
  },
): Promise<void> {
  const base = `${root}/${name}`;
  const adapter = addLora(on, { rank: 3, targets, trainedWhole: whole });
  adapter.parameters.forEach((p) => device.write(p, loud(p.name, p.shape, { constant: 0 })));
  const about = { cls, base };
  const saved = (to: string) => saveAdapter(adapter, to, { base, taskType });
  await write(`adapter_${name}`, about, saved, () => outputs(model));
  mergeAdapter(on, adapter);
  await write(`merged_${name}`, { cls }, save, () => outputs(model));
}
const gpt = loadGpt(device, plain);
await adapted("gpt_plain", "AutoModelForCausalLM", {
  model: gpt,
  on: gpt,
  targets: ["c_attn", "mlp.c_proj"],
  taskType: "CAUSAL_LM",
  outputs: gptOutputs,
  save: (to) => saveGpt(gpt, to),
});
const classifier = loadGptClassifier(device, `${root}/gpt_classifier_single`);
await adapted("gpt_classifier_single", "AutoModelForSequenceClassification", {
  model: classifier,
  on: {
    device,
    parameters: classifier.parameters,
    linears: classifier.gpt.linears,
  },
  targets: ["c_attn"],
  whole: ["score"],
  taskType: "SEQ_CLS",
  outputs: classifierOutputs,
  save: (to) => saveGptClassifier(classifier, to),
});
for (
  const [name, task, whole] of [
    ["bert_masked", undefined, undefined],
    ["bert_classes", "SEQ_CLS", ["classifier"]],
    ["bert_tags", "TOKEN_CLS", ["classifier"]],
    ["bert_answers", "QUESTION_ANS", ["qa_outputs"]],
  ] as const
) {
  const model = loadBert(device, `${root}/${name}`);
  await adapted(name, heads[name.slice(5)][0], {
    model,
    on: model,
    targets: ["query", "value", "intermediate.dense"],
    whole: whole && [...whole],
    taskType: task,
    outputs: bertOutputs,
    save: (to) => saveBert(model, to),
  });
}
device.destroy();
