/**
 * `vitrail finetune classify`: from labelled texts to a classifier's directory.
 *
 * @module
 */
import type { Command } from "commander";
import {
  type ClassificationFigures,
  figuresText,
  measureLabels,
} from "../data/labels/label_scores.ts";
import {
  type LabelledBatch,
  labelledBatch,
  LabelledSampler,
  type LabelledSequences,
  labelTargets,
} from "../data/labels/labelled_batches.ts";
import { inputOf, type LabelledText, type LabelledTexts } from "../data/labels/labelled_texts.ts";
import { encodeTexts, type LongTexts, sequenceFormat } from "../data/padded_sequences.ts";
import { SPAM_ASSASSIN } from "../data/sources/spam_assassin.ts";
import type { LabelledSplit } from "../data/labels/stratified_split.ts";
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { scoresOf } from "../inference/text_classifier.ts";
import { loadAdaptedClassifier, trainedWhole } from "../models/adapted_models.ts";
import {
  loadSequenceClassifier,
  modelFamily,
  modelLabels,
  type SequenceClassifier,
} from "../models/sequence_classifier.ts";
import { saveTokenizer } from "../tokenizers/save_tokenizer.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { evaluate } from "../training/evaluate.ts";
import {
  balancedWeights,
  HeldOutLogits,
  sequenceClassification,
} from "../training/sequence_classification.ts";
import { checkChoice, oneOf } from "./choices.ts";
import {
  planFinetune,
  type Planned,
  plannedTokenizer,
  type TokenizerSizes,
} from "./finetune_plan.ts";
import { addLongTextsFlag, tellLong } from "./given_texts.ts";
import { type LabelledFlags, pairFieldsOf, readSplit } from "./labelled_split.ts";
import { checkModelFiles } from "./model_files.ts";
import { real, whole } from "./numbers.ts";
import { print, printNotice } from "./printer.ts";
import { addDryRunFlags, addRunFlags } from "./run_flags.ts";
import { beginRun, goesOn, runTask, trainAction } from "./run_task.ts";
import { scratchClassifier, scratchSizes, scratchTokenizer } from "./scratch_classifier.ts";
import { addPartFlags, checkPart, type PartFlags, taskRates, TrainedPart } from "./trained_part.ts";

/** Everything that decides a run; kept in its directory as `training.json`. */
export interface ClassifyFlags extends PartFlags, LabelledFlags {
  /** A model to begin with. */
  model?: string;
  /** `scratch`, or a model to begin with. */
  from?: string;
  /** Family of a model from scratch. */
  family: "bert" | "gpt2";
  /** Its sizes by name. */
  preset: string;
  /** Its tokenizer: a directory; learnt from the texts if absent. */
  tokenizer?: string;
  /** V of a new tokenizer. */
  vocabulary: number;
  /** Dropout of a model from scratch. */
  dropout?: number;
  /** Most tokens of a text. */
  sequence?: number;
  /** What is done with longer texts. */
  longTexts: LongTexts;
}

/** Adds the command to `finetune`. */
export function addFinetuneClassify(finetune: Command): void {
  const command = finetune.command("classify")
    .description("teach a BERT or a GPT to label texts, or pairs of texts")
    .option(
      "--data <source>",
      `.csv, .tsv, .jsonl, .json, a folder with one for each label, - or ${SPAM_ASSASSIN}`,
    )
    .option("--validation <source>", "held-out texts; a part of --data if absent")
    .option("--validation-fraction <x>", "part of each label held out", real(0, 0.9), 0.1)
    .option("--model <directory>", "the model to begin with")
    .option("--from <what>", "scratch: begin with random weights")
    .option("--family <name>", "bert or gpt2, from scratch", oneOf("bert", "gpt2"), "bert")
    .option("--preset <name>", "sizes from scratch, as of `pretrain bert` or `train`", "pico")
    .option("--tokenizer <directory>", "tokenizer from scratch; learnt from the texts if absent")
    .option("--vocabulary <n>", "tokens of a new tokenizer", whole(3), 4096)
    .option(
      "--dropout <p>",
      "dropout everywhere; if absent the model's own, or 0.1 from scratch",
      real(0, 0.99),
    )
    .option("--sequence <n>", "tokens of a text at most, for BERT beyond its context too", whole(3))
    .option("--labels <kind>", "single, multiple or number", oneOf("single", "multiple", "number"))
    .option("--balance <how>", "none, weights or sampling: for rare classes", "none")
    .option(
      "--text-field <name>",
      "field or column of the text; of pairs two, as in premise,hypothesis",
      "text",
    )
    .option("--label-field <name>", "field or column of the label", "label");
  addLongTextsFlag(command);
  addDryRunFlags(addRunFlags(addPartFlags(command), { steps: 500, patience: 4 })).action(
    async (_flags: ClassifyFlags, command: Command) => {
      await trainAction<ClassifyFlags>(command, runFinetuneClassify);
    },
  );
}

/** Fine-tunes, or goes on where there is a checkpoint to go on from. */
export async function runFinetuneClassify(
  asked: ClassifyFlags,
): Promise<ClassificationFigures | undefined> {
  const base = modelOf(asked);
  checkPart(asked, base);
  scratchSizes(asked);
  checkChoice("balance", asked.balance, ["none", "weights", "sampling"]);
  if (base && (asked.loraRank > 0 || !goesOn(asked))) await checkBase(base);
  const { texts, split } = await readSplit(asked, base);
  const flags = { ...asked, resume: goesOn(asked) };
  const partOf = (model: SequenceClassifier): TrainedPart =>
    new TrainedPart(model, flags, {
      family: model.family,
      base,
      ...trainedWhole("classify", base),
      describe: model.describe,
    });
  if (flags.dryRun) {
    const given = flags.resume ? flags.out : base ?? flags.tokenizer;
    const tokenizer = await plannedTokenizer(given, flags.vocabulary);
    const batch = flags.batch ?? scratchSizes(flags).batch;
    return void await planFinetune({ ...flags, batch }, (device) => {
      const model = modelFor(device, flags, { base, tokenizer, texts });
      return plan(model, { flags, texts, part: partOf(model) });
    });
  }
  // Learning a tokenizer takes long: that nothing can be written is told before.
  if (!base) beginRun(asked);
  const tokenizer = await tokenizerFor(flags, { base, train: split.train });
  const device = await openDevice();
  try {
    const model = modelFor(device, flags, { base, tokenizer, texts });
    const part = partOf(model);
    if (base) beginRun(asked);
    if (!flags.resume) {
      saveTokenizer(flags.out, tokenizer, model.config);
    }
    return await finetune(model, { flags, tokenizer, texts, split, part });
  } finally {
    device.destroy();
  }
}

/** The directory of the model to begin with; none from scratch. */
function modelOf({ model, from, resume, out }: ClassifyFlags): string | undefined {
  if (model !== undefined) return model;
  if (from === "scratch") return undefined;
  if (from !== undefined) return from;
  throw new VitrailError(
    resume
      ? `Cannot resume ${out}: it holds no run; begin one with --model DIRECTORY or --from scratch`
      : "Cannot fine-tune without a model: give --model DIRECTORY, or --from scratch",
  );
}

/** What is wrong with a model's files is told before anything is replaced. */
async function checkBase(directory: string): Promise<void> {
  if (modelFamily(directory) === "gpt2") checkModelFiles(directory);
  await loadTokenizer(directory);
}

/** Characters of a text that a tokenizer learns from, for each token that a model sees of it. */
const CHARACTERS = 8;

async function tokenizerFor(
  flags: ClassifyFlags,
  { base, train }: { base: string | undefined; train: LabelledText[] },
): Promise<Tokenizer> {
  if (flags.resume) return await loadTokenizer(flags.out);
  const given = base ?? flags.tokenizer;
  return given === undefined
    ? await scratchTokenizer(train.flatMap(({ text, pair = [] }) => [text].concat(pair)), {
      ...flags,
      pairs: train.some(({ pair }) => pair !== undefined),
      characters: CHARACTERS * (flags.sequence ?? scratchSizes(flags).sequence),
    })
    : await loadTokenizer(given);
}

function modelFor(
  device: Device,
  flags: ClassifyFlags,
  { base, tokenizer, texts }: {
    base: string | undefined;
    tokenizer: TokenizerSizes;
    texts: LabelledTexts;
  },
): SequenceClassifier {
  const { labels, kind: labelKind } = texts;
  const pairFields = pairFieldsOf(texts, flags);
  if (flags.resume) {
    const [own, wanted] = [modelLabels(flags.out), labels].map((names) => names.join(", "));
    if (own !== wanted) {
      throw new VitrailError(
        `Cannot resume ${flags.out}: its labels are ${own}, those of ${flags.data} are ${wanted}`,
      );
    }
    if (flags.loraRank === 0) return loadSequenceClassifier(device, flags.out);
  }
  if (base === undefined) {
    return scratchClassifier(device, tokenizer, { ...flags, labels, labelKind, pairFields });
  }
  const padId = tokenizer.endOfText ?? 0;
  const { seed, sequence: contextLength, dropout } = flags;
  const sizes = { labels, labelKind, pairFields, padId, seed, contextLength, dropout };
  return loadSequenceClassifier(device, base, sizes);
}

/** A step over texts that fill the context, whatever their labels. */
function plan(
  model: SequenceClassifier,
  { flags, texts: { labels: names, kind, examples }, part }: {
    flags: ClassifyFlags;
    texts: LabelledTexts;
    part: TrainedPart;
  },
): Planned<LabelledBatch> {
  const limit = Math.min(flags.sequence ?? model.contextLength, model.contextLength);
  const [target] = labelTargets([examples[0].labels], { names, kind });
  const weights = flags.balance === "weights" ? names.map(() => 1) : undefined;
  return {
    config: model.config as Planned<LabelledBatch>["config"],
    part,
    task: sequenceClassification(model, { weights }),
    settings: part.settings(taskRates(model.config, { fromScratch: !modelOf(flags) })),
    sequence: limit,
    batchOf: (sequences) => {
      const targets = sequences.map(() => target);
      return labelledBatch({ sequences, targets, kind }, sequences.keys(), { ...model, limit });
    },
  };
}

async function finetune(
  model: SequenceClassifier,
  { flags, tokenizer, texts, split, part }: {
    flags: ClassifyFlags & { resume: boolean };
    tokenizer: Tokenizer;
    texts: LabelledTexts;
    split: LabelledSplit;
    part: TrainedPart;
  },
): Promise<ClassificationFigures | undefined> {
  const { labels: names, kind } = texts;
  const limit = Math.min(flags.sequence ?? model.contextLength, model.contextLength);
  const { longTexts } = flags;
  const format = { ...sequenceFormat(tokenizer, { ...model, limit }), longTexts };
  let longTextCount = 0;
  const encoded = (examples: LabelledText[]): LabelledSequences => {
    const { long, ...found } = encodeTexts(examples.map(inputOf), tokenizer, format);
    longTextCount += long.filter(Boolean).length;
    const targets = labelTargets(examples.map(({ labels }) => labels), { names, kind });
    return { ...found, targets, kind };
  };
  const [train, held] = [encoded(split.train), encoded(split.validation)];
  const batch = flags.batch ?? scratchSizes(flags).batch;
  const heldOut = held.targets.length > 0 ? new HeldOutLogits(model, held, batch) : undefined;
  const weights = flags.balance === "weights" ? balancedWeights(train, names.length) : undefined;
  const sampler = new LabelledSampler(train, {
    ...format,
    batch,
    seed: flags.seed,
    balanced: flags.balance === "sampling",
  });
  const parameters = model.parameters.reduce((sum, { size }) => sum + size, 0);
  const tokens = train.sequences.reduce((sum, { length }) => sum + length, 0);
  printNotice(
    `${parameters.toLocaleString("en")} parameters, ${train.targets.length} texts to train on ` +
      `(${sampler.batches} steps an epoch), ${held.targets.length} held out, ` +
      `${names.length} labels, on ${model.device.description}`,
  );
  tellLong(longTextCount, format);
  if (model.pairFields && !format.template.pair.some((part) => "ids" in part)) {
    printNotice("The tokenizer puts no token between the two texts of a pair");
  }
  if (part.adapter) printNotice(part.size);
  const task = part.task(sequenceClassification(model, { weights, heldOut }));
  let latest: ClassificationFigures | undefined;
  const measure = async (): Promise<Record<string, number>> => {
    const scores = (await heldOut!.read()).map((logits) => scoresOf(logits, kind));
    latest = measureLabels(held.targets, scores, { kind, labels: names });
    const numbers = Object.entries(latest).filter(([name, value]) =>
      name !== "count" && typeof value === "number"
    );
    return Object.fromEntries(numbers);
  };
  const result = await runTask(flags, {
    task,
    settings: part.settings(taskRates(model.config, { fromScratch: !modelOf(flags) })),
    resume: flags.resume,
    batchAt: (n) => sampler.at(n),
    validation: heldOut && (() => heldOut.batches()),
    config: {
      ...model.config,
      ...part.config,
      labels: names.join(", "),
      parameters,
      data: flags.data,
    },
    tokensPerStep: Math.round(batch * flags.accumulation * tokens / train.sequences.length),
    measure: heldOut && measure,
    best: kind === "number" || !heldOut ? undefined : "macroF1",
    sample: () => Promise.resolve(latest && figuresText(latest)),
    command: "finetune classify",
    wrote: part.wrote,
  });
  await part.merge(result);
  if (!heldOut || result.reason === "interrupted") return latest;
  // The directory may hold an earlier evaluation's weights: the last words are about those.
  const { model: kept } = loadAdaptedClassifier(model.device, ...part.directories);
  await evaluate(sequenceClassification(kept, { heldOut }), heldOut.batches());
  await measure();
  writeFileAtomic(`${flags.out}/evaluation.json`, JSON.stringify(latest, null, 2) + "\n");
  print(summary(latest!, held.targets, names));
  return latest;
}

/** The figures of the model that was kept, and those of one that looks at no text. */
export function summary(
  found: ClassificationFigures,
  targets: readonly (readonly number[])[],
  names: readonly string[],
): string {
  const notes = (found.notes ?? []).map((note) => `\nnote: ${note}`).join("");
  if (found.kind !== "single") return figuresText(found) + notes;
  const counts = names.map((_, k) => targets.filter(([target]) => target === k).length);
  const most = counts.indexOf(Math.max(...counts));
  const blind = measureLabels(
    targets,
    targets.map(() => names.map((_, k) => k === most ? 1 : 0)),
    { kind: "single", labels: names },
  ) as typeof found;
  const say = ({ accuracy, macroF1 }: typeof found): string =>
    `accuracy ${accuracy.toFixed(4)}, macro F1 ${macroF1.toFixed(4)}`;
  return `${figuresText(found)}\n${say(found)}, calibration error ${
    found.calibrationError.toFixed(4)
  } (${found.count} texts)\nalways ${names[most]}: ${say(blind)}${notes}`;
}
