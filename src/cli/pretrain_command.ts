/**
 * `vitrail pretrain bert`: from a text to an encoder, by masked tokens and next sentences.
 *
 * @module
 */
import type { Command } from "commander";
import { readDocuments } from "../data/sources/documents.ts";
import { maskVocabularyOf } from "../data/pretraining/mask_vocabulary.ts";
import type { MaskVocabulary } from "../data/pretraining/masking.ts";
import { prepareSentences } from "../data/pretraining/prepare_sentences.ts";
import { PretrainingSampler } from "../data/pretraining/pretraining_batches.ts";
import type { SentenceCorpora } from "../data/pretraining/sentence_corpus.ts";
import { SENTENCE_RULES, type SentenceRule, usualRule } from "../data/sources/sentences.ts";
import { VitrailError } from "../errors.ts";
import { type BertConfig, createBertConfig } from "../formats/bert_config.ts";
import { type BertHeadsSettings, readBertConfig } from "../formats/huggingface_bert.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { Bert } from "../models/bert.ts";
import { loadBert } from "../models/files.ts";
import { freshWeights } from "../models/weights.ts";
import { ghostWeights } from "../profiling/step_plan.ts";
import { saveTokenizer } from "../tokenizers/save_tokenizer.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { bertPretraining, pretrainingAccuracy } from "../training/bert_pretraining.ts";
import type { TrainResult } from "../training/loop.ts";
import { ProgressBar } from "../training/progress.ts";
import { BERT_PRESETS, initializerRange, SCRATCH_DROPOUT } from "./bert_presets.ts";
import { checkChoice, oneOf } from "./choices.ts";
import { tellPlan, variedIds } from "./dry_run.ts";
import { real, whole } from "./numbers.ts";
import { makeOutput } from "./output.ts";
import { printNotice } from "./printer.ts";
import { addDryRunFlags, addRunFlags, type RunFlags, trainSettings } from "./run_flags.ts";
import { beginRun, runTask, trainAction } from "./run_task.ts";
import { learnWordPiece } from "./tokenizer_command.ts";

/** Everything that decides a run; kept in its directory as `training.json`. */
interface PretrainFlags extends RunFlags {
  data: string;
  preset: string;
  layers?: number;
  heads?: number;
  channels?: number;
  sequence?: number;
  dropout?: number;
  tokenizer?: string;
  vocabulary: number;
  sentences?: SentenceRule;
  nextSentence: boolean;
  masking: number;
  wholeWord: boolean;
  short: number;
  validationFraction: number;
  evaluateBatches: number;
  checkpointing: boolean;
  textField: string;
  from?: string;
}

/** Adds the command to the program. */
export function addPretrain(program: Command): void {
  const pretrain = program.command("pretrain").description("train an encoder from a text");
  const command = pretrain.command("bert")
    .description("masked tokens and next sentences; writes a Hugging Face directory")
    .option("--data <source>", "text file, folder, .jsonl, - or a corpus name")
    .option("--preset <name>", `sizes: ${Object.keys(BERT_PRESETS).join(", ")}`, "tiny")
    .option("--layers <n>", "blocks", whole(1))
    .option("--heads <n>", "heads of each block", whole(1))
    .option("--channels <n>", "width of the residual stream", whole(1))
    .option("--sequence <n>", "tokens in a sequence; also the model's context at least", whole(5))
    .option(
      "--dropout <p>",
      "dropout everywhere; if absent the model's own, or 0.1 from scratch",
      real(0, 0.99),
    )
    .option("--tokenizer <directory>", "a tokenizer of BERT's; WordPiece is learnt if absent")
    .option("--vocabulary <n>", "pieces of a new tokenizer", whole(6), 4000)
    .option(
      "--sentences <rule>",
      "lines, or segmenter (Unicode's rules); lines for brown, else segmenter",
      oneOf(...SENTENCE_RULES),
    )
    .option("--no-next-sentence", "masked tokens only")
    .option("--masking <p>", "part of the tokens to guess", real(0.01, 0.9), 0.15)
    .option("--whole-word", "mask all pieces of a word or none", false)
    .option("--short <p>", "part of the sequences that are kept short", real(0, 1), 0.1)
    .option("--validation-fraction <x>", "part of the documents held out", real(0, 0.9), 0.1)
    .option("--evaluate-batches <n>", "batches of an evaluation", whole(1), 40)
    .option("--checkpointing", "recompute blocks in the backward pass to save memory", false)
    .option("--text-field <name>", "field of a JSONL record with the text", "text")
    .option("--from <directory>", "begin with the weights and tokenizer of a BERT");
  addDryRunFlags(addRunFlags(command, { steps: 5000 })).action((_flags, command: Command) =>
    trainAction<PretrainFlags>(
      command,
      (flags) => flags.dryRun ? planPretrain(flags) : runPretrain(flags),
    )
  );
}

/** The flags with what `--from` decides, their sizes, and the model that they make with a vocabulary. */
function sizesOf(given: PretrainFlags) {
  checkChoice("preset", given.preset, Object.keys(BERT_PRESETS));
  const { from, resume } = given;
  const asked = from && !resume && given.sequence === undefined
    ? { ...given, sequence: readBertConfig(from).config.contextLength }
    : given;
  const size = { ...BERT_PRESETS[asked.preset], ...defined(asked) };
  const configure = (vocabularySize: number, padId: number): BertConfig =>
    createBertConfig({
      vocabularySize,
      contextLength: size.sequence,
      channels: size.channels,
      layers: size.layers,
      heads: size.heads,
    }, {
      padId,
      initializerRange: initializerRange(size.channels),
      hiddenDropout: asked.dropout ?? SCRATCH_DROPOUT,
      attentionDropout: asked.dropout ?? SCRATCH_DROPOUT,
    });
  return { asked, size, configure };
}

/** Says what the run would take. */
async function planPretrain(given: PretrainFlags): Promise<void> {
  const { asked, size, configure } = sizesOf(given);
  const { from, resume, out, tokenizer, vocabulary } = asked;
  const known = resume ? out : from;
  const config = known
    ? { ...readBertConfig(known).config, contextLength: size.sequence }
    : configure(tokenizer ? (await loadTokenizer(tokenizer)).vocabularySize : vocabulary, 0);
  const { layers, heads, channels, vocabularySize } = config;
  const { sequence } = size;
  await tellPlan({
    title: `BERT: ${layers} layers, C ${channels}, ${heads} heads, V ${vocabularySize}`,
    batch: size.batch,
    sequence,
    memory: asked.memory,
    time: asked.time,
    evaluateBatches: asked.evaluateBatches,
    settings: trainSettings(asked, size.learningRate),
    build: (ghost, batch) => {
      const model = new Bert(ghost, config, { heads: headsOf(asked), source: ghostWeights });
      model.checkpointing = asked.checkpointing;
      const places = batch * sequence;
      const asksAt = (i: number): boolean =>
        Math.floor((i + 1) * asked.masking) > Math.floor(i * asked.masking);
      return {
        task: bertPretraining(model),
        batch: {
          shape: [batch, sequence] as [number, number],
          ids: variedIds(places, vocabularySize),
          segments: new Uint32Array(places),
          mask: new Float32Array(places),
          tokens: Int32Array.from({ length: places }, (_, i) => asksAt(i) ? 0 : -100),
          follows: asked.nextSentence ? new Int32Array(batch) : undefined,
        },
      };
    },
  });
}

/** Trains, or goes on training where there is a checkpoint to go on from. */
async function runPretrain(given: PretrainFlags): Promise<TrainResult> {
  const { asked, size, configure } = sizesOf(given);
  const { resume } = asked;
  // All that can be told is told now: what follows replaces files, and may take long.
  configure(asked.vocabulary, 0);
  const known = await givenTokenizer(asked);
  if (!resume) await checkData(asked, known);
  const flags = { ...asked, resume: beginRun(asked) };
  const tokenizer = known ?? await learnWordPiece(flags.data, flags);
  if (!flags.resume) {
    saveTokenizer(flags.out, tokenizer, { contextLength: size.sequence });
  }
  const vocabulary = maskVocabularyOf(tokenizer);
  const corpora = await sentencesFor(flags, tokenizer);
  const { batch, sequence } = size;
  const draw = { batch, sequence, pairs: flags.nextSentence, probability: flags.masking };
  const { train, heldOut } = samplers(corpora, vocabulary, {
    ...draw,
    wholeWord: flags.wholeWord,
    shortProbability: flags.short,
    seed: flags.seed,
  });
  const device = await openDevice();
  try {
    const model = openModel(device, flags, () => configure(vocabulary.size, vocabulary.padId));
    model.checkpointing = flags.checkpointing;
    tellSizes(model, train);
    const validation = heldOut && (() => heldOut.first(flags.evaluateBatches));
    return await runTask(flags, {
      task: bertPretraining(model),
      // As RoBERTa's (Liu et al. 2019): most rows of the token table have no gradient in most steps.
      settings: { ...trainSettings(flags, size.learningRate), betas: [0.9, 0.98] },
      resume: flags.resume,
      batchAt: (n) => train.at(n),
      validation,
      measure: async () =>
        Object.fromEntries(Object.entries(await pretrainingAccuracy(model, validation!()))),
      config: {
        ...model.config,
        parameters: model.parameterCount,
        data: flags.data,
        padding: train.figures().padding,
      },
      tokensPerStep: batch * sequence * flags.accumulation,
      command: "pretrain bert",
      wrote: "model.safetensors, tokenizer.json, report.html",
    });
  } finally {
    device.destroy();
  }
}

/** The tokenizer that need not be learnt. */
async function givenTokenizer(flags: PretrainFlags): Promise<Tokenizer | undefined> {
  const { out, resume, from, tokenizer } = flags;
  const place = from ?? tokenizer;
  // A run that was killed before its first checkpoint begins anew, but with what it had learnt.
  if (resume) {
    const own = await loadTokenizer(out).catch(() => undefined);
    if (own) return own;
  }
  return place === undefined ? undefined : await loadTokenizer(place);
}

/** Reads the first document, so that a wrong `--data` is told before anything is replaced. */
async function checkData(flags: PretrainFlags, tokenizer?: Tokenizer): Promise<void> {
  if (flags.data === "-") {
    if (tokenizer) return;
    throw new VitrailError(
      "Cannot learn a tokenizer from standard input, which is read once: " +
        "give --tokenizer DIRECTORY, or a file",
    );
  }
  for await (const _ of readDocuments(flags.data, flags)) return;
}

/** The text as sentences, encoded if the run has none of it yet. */
async function sentencesFor(flags: PretrainFlags, tokenizer: Tokenizer): Promise<SentenceCorpora> {
  const directory = `${flags.out}/data`;
  makeOutput(directory);
  let bar: ProgressBar | undefined;
  let size = 0;
  const { corpora, reused, changed } = await prepareSentences(flags.data, tokenizer, {
    ...flags,
    directory,
    rule: flags.sentences ?? usualRule(flags.data),
    onProgress: ({ bytes, total, tokens }) => {
      // How much is to come on standard input, nobody knows.
      size = Math.max(total, bytes);
      bar ??= new ProgressBar({ total: size, label: "tokenize", unit: "byte" });
      bar.update(bytes, { tokens });
    },
  });
  bar?.update(size, { tokens: corpora.train.ids.length + corpora.validation.ids.length });
  bar?.finish();
  if (flags.resume && reused && changed) {
    printNotice(
      `The text in ${flags.data} is not what this run began with; going on with the sentences of ` +
        "then, start anew to use the text of now",
    );
  }
  return corpora;
}

/** Batches to train on, and batches of held-out documents, if there are any. */
function samplers(
  { train, validation }: SentenceCorpora,
  vocabulary: MaskVocabulary,
  options: ConstructorParameters<typeof PretrainingSampler>[2],
): { train: PretrainingSampler; heldOut?: PretrainingSampler } {
  const sampler = new PretrainingSampler(train, vocabulary, options);
  if (validation.ids.length === 0) return { train: sampler };
  try {
    // Held-out sequences are the same whatever the seed of the run: runs can be compared.
    const held = { ...options, seed: 0 };
    return { train: sampler, heldOut: new PretrainingSampler(validation, vocabulary, held) };
  } catch (cause) {
    throw new VitrailError(
      `Cannot evaluate on the held-out documents: ${(cause as Error).message}; ` +
        "or give --validation-fraction 0",
      { cause },
    );
  }
}

function headsOf({ nextSentence }: PretrainFlags): BertHeadsSettings {
  return { kind: nextSentence ? "pretraining" : "masked-language" };
}

function openModel(
  device: Device,
  flags: PretrainFlags,
  configure: () => ReturnType<typeof createBertConfig>,
): Bert {
  const heads = headsOf(flags);
  if (flags.resume) return loadBert(device, flags.out);
  if (flags.from) {
    const { seed, sequence: contextLength, dropout } = flags;
    return loadBert(device, flags.from, { heads, seed, contextLength, dropout });
  }
  return new Bert(device, configure(), { heads, source: freshWeights(flags.seed) });
}

function tellSizes(model: Bert, sampler: PretrainingSampler): void {
  const { sequences, batches, tokens, padding, cut, lone } = sampler.figures();
  const number = (n: number): string => n.toLocaleString("en");
  const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
  printNotice(
    `${number(model.parameterCount)} parameters on ${model.device.description}; an epoch has ` +
      `${number(sequences)} sequences in ${number(batches)} batches, ${
        percent(padding)
      } padding, ` +
      `${percent(cut / (tokens + cut))} of the tokens cut off` +
      (lone > 0 ? `, ${number(lone)} documents of one sentence left out` : ""),
  );
}

function defined<T extends object>(flags: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(flags).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}
