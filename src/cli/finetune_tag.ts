/**
 * `vitrail finetune tag`: from tagged sentences to a tagger's directory.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from "commander";
import { holdOut } from "../data/hold_out.ts";
import { byLength, LengthSampler } from "../data/length_batches.ts";
import { orderLabels } from "../data/labels/label_order.ts";
import { mostFrequentTags } from "../data/tags/tag_baseline.ts";
import { areEntityTags, entitiesOf, scoreTags, type TagScores } from "../data/tags/tag_scores.ts";
import {
  type TagBatch,
  tagBatch,
  tagNumbers,
  type TagSequences,
  tagSequences,
} from "../data/tags/tag_sequences.ts";
import { readTaggedSentences, type TaggedSentence, tagsOf } from "../data/tags/tagged_sentences.ts";
import { VitrailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { Tagger } from "../inference/tag.ts";
import { loadAdaptedBert } from "../models/adapted_models.ts";
import type { Bert } from "../models/bert.ts";
import { ProgressBar } from "../training/progress.ts";
import { tokenClassification } from "../training/token_classification.ts";
import { BERT_PRESETS } from "./bert_presets.ts";
import {
  addBaseFlags,
  type BaseFlags,
  baseOf,
  type Begun,
  someOf,
  withBase,
} from "./finetune_base.ts";
import { print, printNotice } from "./printer.ts";
import { addDryRunFlags, addRunFlags } from "./run_flags.ts";
import { ownLabels, runTask, trainAction } from "./run_task.ts";

/** Everything that decides a run; kept in its directory as `training.json`. */
export interface TagFlags extends BaseFlags {
  /** Column of the words. */
  tokenColumn?: number;
  /** Column of the tags. */
  tagColumn?: number;
}

/** A column, from the first or, below 0, from the last. */
export function column(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number !== 0) return number;
  throw new InvalidArgumentError("wanted a column: 1 for the first, -1 for the last.");
}

/** Adds the command to `finetune`. */
export function addFinetuneTag(finetune: Command): void {
  const command = finetune.command("tag")
    .description("teach a BERT to tag words")
    .option("--data <source>", "columns (CoNLL), .jsonl with tokens and tags, a folder, - or brown")
    .option("--token-column <n>", "column of the words, from 1; -1 is the last", column)
    .option("--tag-column <n>", "column of the tags", column);
  addDryRunFlags(addRunFlags(addBaseFlags(command), { steps: 1000, patience: 4 })).action(
    async (_flags: TagFlags, command: Command) => {
      await trainAction<TagFlags>(command, runFinetuneTag);
    },
  );
}

/** What a run is about. */
interface Sides {
  train: TaggedSentence[];
  validation: TaggedSentence[];
  tags: string[];
}

/** Fine-tunes, or goes on where there is a checkpoint to go on from. */
export async function runFinetuneTag(asked: TagFlags): Promise<TagScores | undefined> {
  const base = await baseOf(asked);
  const sides = await readSides(asked, base);
  return await withBase(asked, {
    base,
    task: "tag",
    texts: () => sides.train.map(({ tokens }) => tokens.join(" ")),
    heads: { kind: "token-classification", labels: sides.tags },
    plan: (model) => ({ task: tokenClassification(model), batchOf: (ids) => wordsOf(ids, model) }),
  }, (model, run) => finetune(model, { ...run, sides }));
}

/** Sequences of which each piece is a word, between [CLS] and [SEP]. */
function wordsOf(sequences: Uint32Array[], { config }: Bert): TagBatch {
  const each = sequences.map((ids) => ({
    ids,
    firsts: Uint32Array.from({ length: ids.length - 2 }, (_, i) => i + 1),
    sentence: 0,
    word: 0,
  }));
  return tagBatch(each, () => new Uint32Array(config.contextLength), config);
}

async function readSides(flags: TagFlags, base: string | undefined): Promise<Sides> {
  if (!flags.data) {
    throw new VitrailError(
      "Cannot tell how many tags there are without tagged sentences: give --data FILE",
    );
  }
  const all = await readTaggedSentences(flags.data, flags);
  const tags = orderLabels(tagsOf(all), ownLabels(flags, base));
  if (flags.validation === undefined) {
    return { ...await holdOut(all, flags.validationFraction), tags };
  }
  const validation = await readTaggedSentences(flags.validation, flags);
  tagNumbers(validation, tags); // told now, if there is a tag that does not exist in training
  return { train: all, validation, tags };
}

async function finetune(
  model: Bert,
  { flags, tokenizer, part, settings, sides }: Begun<TagFlags> & { sides: Sides },
): Promise<TagScores | undefined> {
  const { config, device } = model;
  const contextLength = Math.min(flags.sequence ?? config.contextLength, config.contextLength);
  const sizes = { tokenizer, contextLength, padId: config.padId };
  const batch = flags.batch ?? BERT_PRESETS[flags.preset].batch;
  const encoded = (sentences: TaggedSentence[]) => {
    const words = sentences.map(({ tokens }) => tokens);
    const found = tagSequences(words, sizes);
    const numbers = tagNumbers(sentences, sides.tags);
    const lengths = found.sequences.map(({ ids }) => ids.length);
    const batchOf = (chosen: Uint32Array) =>
      tagBatch(Array.from(chosen, (n) => found.sequences[n]), (s) => numbers[s], sizes);
    return { ...found, lengths, batchOf };
  };
  const train = encoded(sides.train);
  const looked = someOf(sides.validation, flags.evaluateExamples);
  const held = encoded(looked);
  const sampler = new LengthSampler(train.lengths, { batch, seed: flags.seed });
  const tokens = train.lengths.reduce((sum, length) => sum + length, 0);
  printNotice(
    `${model.parameterCount.toLocaleString("en")} parameters, ${sides.train.length} sentences to ` +
      `train on (${sampler.batches} steps an epoch), ${sides.validation.length} held out, ` +
      `${sides.tags.length} tags, on ${device.description}`,
  );
  if (part.adapter) printNotice(part.size);
  tellCuts({
    divided: train.divided + held.divided,
    cutWords: train.cutWords + held.cutWords,
  }, contextLength);
  const score = async (sentences: TaggedSentence[], of: Bert, show = false): Promise<TagScores> => {
    const bar = show
      ? new ProgressBar({ total: sentences.length, label: "evaluate", unit: "sentence" })
      : undefined;
    const scores = await new Tagger(of, tokenizer).evaluate(sentences, {
      batch,
      onProgress: (done) => bar?.update(Math.min(done, sentences.length), {}),
    });
    bar?.finish();
    return scores;
  };
  const measure = async (): Promise<Record<string, number>> => {
    const { accuracy, entities } = await score(looked, model);
    if (!entities) return { accuracy };
    const { precision, recall, f1 } = entities;
    return { accuracy, precision, recall, f1 };
  };
  const ofEntities = areEntityTags(sides.tags);
  const hasEntities = looked.some(({ tags }) => entitiesOf(tags).length > 0);
  const validates = looked.length > 0;
  if (validates && ofEntities && !hasEntities) {
    printNotice("No held-out sentence has an entity: accuracy decides which weights are kept");
  }
  const result = await runTask(flags, {
    task: part.task(tokenClassification(model)),
    settings,
    resume: flags.resume,
    batchAt: (n) => train.batchOf(sampler.at(n)),
    validation: validates ? () => byLength(held.lengths, batch).map(held.batchOf) : undefined,
    config: {
      ...config,
      ...part.config,
      tags: sides.tags.join(" "),
      parameters: model.parameterCount,
      data: flags.data,
    },
    tokensPerStep: Math.round(batch * flags.accumulation * tokens / train.lengths.length),
    measure: validates ? measure : undefined,
    best: validates ? (ofEntities && hasEntities ? "f1" : "accuracy") : undefined,
    command: "finetune tag",
    wrote: part.wrote,
  });
  await part.merge(result);
  if (!validates || result.reason === "interrupted") return undefined;
  // The directory may hold an earlier evaluation's weights: the last words are about those.
  const { model: kept } = loadAdaptedBert(device, ...part.directories);
  const scores = await score(sides.validation, kept, true);
  const baseline = scoreTags(
    sides.validation.map(({ tags }) => tags),
    mostFrequentTags(sides.train, sides.validation),
    { tags: sides.tags },
  );
  const found = { sentences: sides.validation.length, ...scores, baseline };
  writeFileAtomic(`${flags.out}/evaluation.json`, JSON.stringify(found, null, 2) + "\n");
  print(`${scoresText(scores)} (${scores.words} words held out)`);
  print(`each word's most frequent tag: ${scoresText(baseline)}`);
  return scores;
}

/** Nothing is dropped in silence. */
function tellCuts(
  { divided, cutWords }: Omit<TagSequences, "sequences">,
  limit: number,
): void {
  if (divided > 0) {
    printNotice(`${divided} sentences are longer than ${limit} tokens: divided between words`);
  }
  if (cutWords > 0) tellCutWords(cutWords);
}

/** Says that words were too long. */
export function tellCutWords(words: number): void {
  printNotice(`${words} words alone are longer than the context: their ends are cut off`);
}

/** Figures in words. */
export function scoresText({ accuracy, entities, notes = [] }: TagScores): string {
  const words = `accuracy ${accuracy.toFixed(4)}`;
  const said = notes.map((note) => `; ${note}`).join("");
  if (!entities) return words + said;
  const { precision, recall, f1 } = entities;
  return `${words}, entities: precision ${precision.toFixed(4)}, recall ${recall.toFixed(4)}, ` +
    `F1 ${f1.toFixed(4)}${said}`;
}
