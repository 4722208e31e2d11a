/**
 * `vitrail finetune generate`: a GPT adapted to a text, to prompts and completions, or to conversations.
 *
 * @module
 */
import type { Command } from "commander";
import { BatchSampler, sequentialBatches } from "../data/tokens/batches.ts";
import {
  type CompletionBatch,
  completionBatch,
  type EncodedExample,
  encodeExamples,
  encodeTurns,
} from "../data/completions/completion_batches.ts";
import {
  CHAT_TEMPLATE,
  chatPieces,
  type Example,
  hasExamples,
  readExamples,
} from "../data/completions/completions.ts";
import { readDocuments } from "../data/sources/documents.ts";
import { holdOut } from "../data/hold_out.ts";
import { byLength, LengthSampler } from "../data/length_batches.ts";
import { isDataset } from "../data/tokens/shards.ts";
import { VitrailError } from "../errors.ts";
import { endTokens, nameEnd } from "../generation/end_tokens.ts";
import { generate } from "../generation/generate.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { loadGpt } from "../models/files.ts";
import type { Gpt } from "../models/gpt.ts";
import { saveTokenizer } from "../tokenizers/save_tokenizer.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { completing } from "../training/completion_task.ts";
import { evaluate } from "../training/evaluate.ts";
import type { TrainResult } from "../training/loop.ts";
import { type Batch, languageModelling, type Task } from "../training/task.ts";
import { variedIds } from "./dry_run.ts";
import { planFinetune, type Planned } from "./finetune_plan.ts";
import { checkModelFiles } from "./model_files.ts";
import { real, whole } from "./numbers.ts";
import { printNotice } from "./printer.ts";
import { addDryRunFlags, addRunFlags } from "./run_flags.ts";
import { beginRun, runTask, type TaskRun, trainAction } from "./run_task.ts";
import { prepareTokens } from "./tokens.ts";
import { addPartFlags, checkPart, type PartFlags, TrainedPart } from "./trained_part.ts";

/** Everything that decides a run; kept in its directory as `training.json`. */
interface FinetuneFlags extends PartFlags {
  data: string;
  model: string;
  template: string;
  sequence?: number;
  validationFraction: number;
  evaluateBatches: number;
  samples: number;
  checkpointing: boolean;
  textField: string;
}

/** Adds `generate` to the program's `finetune`. */
export function addFinetuneGenerate(finetune: Command): void {
  const command = finetune.command("generate")
    .description("adapt a GPT to a text, to prompts with completions, or to conversations")
    .option("--data <source>", "JSONL with prompt and completion, or messages; or any text")
    .option("--model <directory>", "the model to begin with")
    .option("--template <text>", "a message, with {role} and {content}", CHAT_TEMPLATE)
    .option("--sequence <n>", "tokens in a sequence; the model's context if absent", whole(1))
    .option("--validation-fraction <x>", "part of the data held out", real(0, 0.9), 0.1)
    .option("--evaluate-batches <n>", "batches of an evaluation", whole(1), 20)
    .option("--samples <n>", "tokens of the sample at each evaluation, 0 for none", whole(0), 60)
    .option("--checkpointing", "recompute blocks in the backward pass to save memory", false)
    .option("--text-field <name>", "field of a JSONL record with the text", "text");
  addDryRunFlags(addRunFlags(addPartFlags(command), { steps: 500 })).action(
    async (_flags, command: Command) => {
      await trainAction<FinetuneFlags>(command, runFinetuneGenerate);
    },
  );
}

/** What a run reads: batches of one kind, and a text to begin a sample with. */
type Source<B> =
  & Pick<TaskRun<B>, "batchAt" | "validation">
  & { task: Task<B>; tokens: number; prompt: number[]; about: string };

async function runFinetuneGenerate(flags: FinetuneFlags): Promise<TrainResult | undefined> {
  if (!flags.model) throw new VitrailError("Cannot fine-tune without a model: give --model DIR");
  const config = checkModelFiles(flags.model);
  checkPart(flags, flags.model);
  const tokenizer = await loadTokenizer(flags.model);
  const limit = flags.sequence ?? config.contextLength;
  if (limit > config.contextLength) {
    throw new VitrailError(
      `Cannot train on sequences of ${limit}: the model's context is ${config.contextLength}; ` +
        `give --sequence ${config.contextLength} at most`,
    );
  }
  // All that can be told is told now: what follows replaces files, and may take long.
  chatPieces([], flags);
  if (flags.dryRun) {
    const batch = flags.batch ?? BATCH;
    return void await planFinetune({ ...flags, batch }, (device) => plan(device, flags, limit));
  }
  const examples = hasExamples(flags.data) ? readExamples(flags.data, flags) : undefined;
  if (!examples && !flags.resume) await checkText(flags);
  const device = await openDevice();
  try {
    const { model, part } = modelOf(device, flags);
    nameEnd(model, tokenizer);
    const resume = beginRun(flags);
    saveTokenizer(flags.out, tokenizer, model.config);
    printNotice(part.size);
    if (examples) {
      const source = await exampleSource(model, { flags, tokenizer, limit, examples });
      return await finetune(source, { flags, tokenizer, model, part, resume });
    }
    const source = await textSource(model, { flags, tokenizer, limit, resume });
    using _tokens = source;
    return await finetune(source, { flags, tokenizer, model, part, resume });
  } finally {
    device.destroy();
  }
}

/** The model to begin with, and what of it is trained. */
function modelOf(device: Device, flags: FinetuneFlags): { model: Gpt; part: TrainedPart } {
  const model = loadGpt(device, flags.model);
  model.checkpointing = flags.checkpointing;
  const about = { family: "gpt2", base: flags.model, taskType: "CAUSAL_LM" } as const;
  return { model, part: new TrainedPart(model, flags, about) };
}

/** What is trained by each step, whatever the text: every place of every sequence asks for the next. */
function plan(device: Device, flags: FinetuneFlags, sequence: number): Planned<Batch> {
  const { model, part } = modelOf(device, flags);
  return {
    config: model.config,
    part,
    task: languageModelling(model, sequence),
    settings: part.settings(RATES),
    sequence,
    batchOf: (sequences) => {
      const places = sequences.length * sequence;
      const inputs = variedIds(places, model.config.vocabularySize);
      return { inputs, targets: new Int32Array(places) };
    },
  };
}

/** Reads the first document, so that a wrong `--data` is told before anything is replaced. */
async function checkText(flags: FinetuneFlags): Promise<void> {
  if (flags.data === "-" || isDataset(flags.data)) return; // read once only, or read already
  for await (const _ of readDocuments(flags.data, flags)) return;
}

/** A text, in windows, as at pre-training. */
async function textSource(
  model: Gpt,
  { flags, tokenizer, limit: sequence, resume }: {
    flags: FinetuneFlags;
    tokenizer: Tokenizer;
    limit: number;
    resume: boolean;
  },
): Promise<Source<Batch> & Disposable> {
  const directory = `${flags.out}/data`;
  const { dataset } = await prepareTokens(flags.data, tokenizer, { ...flags, resume, directory });
  const [train, heldOut] = [dataset.open("train"), dataset.open("validation")];
  const batch = flags.batch ?? BATCH;
  const sampler = new BatchSampler(train, { batch, sequence, seed: flags.seed });
  return {
    task: languageModelling(model, sequence),
    batchAt: (n) => sampler.at(n),
    validation: heldOut.length > 1
      ? () => sequentialBatches(heldOut, { batch, sequence, limit: flags.evaluateBatches })
      : undefined,
    tokens: batch * sequence * flags.accumulation,
    prompt: [tokenizer.endOfText ?? 0],
    about: `${train.length} tokens to train on, ${heldOut.length} held out`,
    [Symbol.dispose]() {
      train[Symbol.dispose]();
      heldOut[Symbol.dispose]();
    },
  };
}

/** Sequences in a micro-step, if nobody says otherwise. */
const BATCH = 8;
/** Usual learning rates. */
const RATES = { weights: 3e-4, adapter: 1e-3 };

/** Prompts and completions, or conversations. */
async function exampleSource(
  model: Gpt,
  { flags, tokenizer, limit, examples }: {
    flags: FinetuneFlags;
    tokenizer: Tokenizer;
    limit: number;
    examples: Example[];
  },
): Promise<Source<CompletionBatch>> {
  // Examples with one prompt are never on both sides.
  const grouped = examples.map((e) => ({ ...e, group: e.pieces[0].text }));
  const { train, validation } = await holdOut(grouped, flags.validationFraction);
  const [learnt, heldOut] = [train, validation].map((e) => encodeExamples(e, tokenizer, { limit }));
  const [shortened, cut] = (["shortened", "cut"] as const).map((f) => learnt[f] + heldOut[f]);
  tellShortened({ shortened, cut }, examples.length, limit);
  const batch = flags.batch ?? BATCH;
  const padId = tokenizer.endOfText ?? 0;
  const lengths = (of: EncodedExample[]): number[] => of.map(({ inputs }) => inputs.length);
  const sampler = new LengthSampler(lengths(learnt.examples), { batch, seed: flags.seed });
  const take = (of: EncodedExample[], chosen: Uint32Array): CompletionBatch =>
    completionBatch(Array.from(chosen, (i) => of[i]), { padId, limit });
  const batches = byLength(lengths(heldOut.examples), batch).slice(0, flags.evaluateBatches);
  const mean = learnt.examples.reduce((sum, { inputs }) => sum + inputs.length, 0) /
    learnt.examples.length;
  const shown = validation[0] ?? train[0];
  const { ids, learnt: own } = encodeTurns(shown.pieces, tokenizer);
  return {
    task: completing(model),
    batchAt: (n) => take(learnt.examples, sampler.at(n)),
    validation: batches.length > 0
      ? () => batches.map((chosen) => take(heldOut.examples, chosen))
      : undefined,
    tokens: Math.round(mean * batch * flags.accumulation),
    prompt: ids.slice(0, own.indexOf(true)).slice(-limit + 1),
    about: `${train.length} examples to train on, ${validation.length} held out`,
  };
}

/** Nothing is cut off in silence. */
export function tellShortened(
  { shortened, cut }: { shortened: number; cut: number },
  examples: number,
  limit: number,
): void {
  if (shortened + cut === 0) return;
  printNotice(
    `Of ${examples} examples, ${shortened} were too long for ${limit} tokens and lost the ` +
      `beginning of their prompt, ${cut} the end of their completion`,
  );
}

/** Trains, and merges the result if that is asked for. */
async function finetune<B>(
  source: Source<B>,
  { flags, tokenizer, model, part, resume }: {
    flags: FinetuneFlags;
    tokenizer: Tokenizer;
    model: Gpt;
    part: TrainedPart;
    resume: boolean;
  },
): Promise<TrainResult> {
  printNotice(source.about);
  const task = part.task(source.task);
  if (source.validation && !resume) {
    const before = await evaluate(task, source.validation());
    printNotice(`Validation loss before: ${before.loss.toFixed(3)}`);
  }
  const result = await runTask(flags, {
    ...source,
    task,
    settings: part.settings(RATES),
    resume,
    config: { ...model.config, ...part.config, data: flags.data },
    tokensPerStep: source.tokens,
    sample: async () =>
      flags.samples ? await sample(model, source.prompt, tokenizer, flags) : undefined,
    command: "finetune generate",
    wrote: part.wrote,
  });
  await part.merge(result);
  return result;
}

async function sample(
  model: Gpt,
  prompt: number[],
  tokenizer: Tokenizer,
  flags: FinetuneFlags,
): Promise<string> {
  const room = model.config.contextLength - prompt.length;
  const [ids] = await generate(model, prompt, {
    maxNewTokens: Math.min(flags.samples, room),
    temperature: 0.8,
    topK: 40,
    seed: flags.seed,
    stopIds: endTokens(model.config, tokenizer),
  });
  return tokenizer.decode([...prompt, ...ids]).trim();
}
