/**
 * How well a language model predicts a text: a GPT the next token, a BERT those that are masked.
 *
 * @module
 */
import { completionBatch, encodeExamples } from "../data/completions/completion_batches.ts";
import { hasExamples, readExamples } from "../data/completions/completions.ts";
import { byLength } from "../data/length_batches.ts";
import { maskVocabularyOf } from "../data/pretraining/mask_vocabulary.ts";
import { PretrainingSampler } from "../data/pretraining/pretraining_batches.ts";
import { encodeSentences } from "../data/pretraining/sentence_corpus.ts";
import { readDocuments } from "../data/sources/documents.ts";
import { usualRule } from "../data/sources/sentences.ts";
import { sequentialBatches } from "../data/tokens/batches.ts";
import { VitrailError } from "../errors.ts";
import type { Device } from "../gpu/device.ts";
import { loadAdaptedBert, loadAdaptedGpt } from "../models/adapted_models.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { evaluatePretraining } from "../training/bert_pretraining.ts";
import { completing } from "../training/completion_task.ts";
import { evaluate } from "../training/evaluate.ts";
import { ProgressBar } from "../training/progress.ts";
import { languageModelling } from "../training/task.ts";
import type { EvaluateFlags, Found } from "./evaluate_command.ts";
import { tellShortened } from "./finetune_generate.ts";
import { checkModelFiles } from "./model_files.ts";

/** Loss and perplexity of a text, with bits per byte; or of completions alone. */
export async function evaluateText(device: Device, flags: EvaluateFlags): Promise<Found> {
  const { data, batch } = flags;
  if (hasExamples(data)) return await evaluateCompletions(device, flags);
  const { vocabularySize, contextLength } = checkModelFiles(flags.model);
  const tokenizer = await loadTokenizer(flags.model);
  const { ids, bytes } = await encodeAll(data, { ...flags, tokenizer });
  if (ids.length < 2) {
    throw new VitrailError(
      `Cannot evaluate ${data}: it has ${ids.length} tokens, and the first is only given; ` +
        "wanted at least 2",
    );
  }
  const wrong = ids.find((id) => id >= vocabularySize);
  if (wrong !== undefined) {
    throw new VitrailError(
      `Cannot evaluate ${flags.model}: its tokenizer has the id ${wrong}, its config.json a ` +
        `vocabulary of ${vocabularySize}; both must belong to one model`,
    );
  }
  const sequence = Math.min(flags.sequence ?? contextLength, contextLength);
  const { model } = loadAdaptedGpt(device, flags.model, flags.adapter);
  const tokens = {
    length: ids.length,
    read: (offset: number, count: number) => ids.subarray(offset, offset + count),
  };
  const bar = new ProgressBar({ total: ids.length - 1, label: "evaluate", unit: "token" });
  const found = await evaluate(
    languageModelling(model, sequence),
    sequentialBatches(tokens, { batch, sequence }),
    { onBatch: (done) => bar.update(done, {}) },
  );
  bar.finish();
  const bitsPerByte = found.loss * found.tokens / Math.LN2 / bytes;
  return {
    figures: { ...found, bytes, bitsPerByte },
    text:
      `loss ${found.loss.toFixed(4)} nats a token, perplexity ${found.perplexity.toFixed(2)}, ` +
      `${bitsPerByte.toFixed(4)} bits per byte (${found.tokens} tokens, ${bytes} bytes)`,
  };
}

/** Loss of what is written behind prompts, or by the assistant of conversations. */
async function evaluateCompletions(device: Device, flags: EvaluateFlags): Promise<Found> {
  const { data, batch } = flags;
  const { contextLength } = checkModelFiles(flags.model);
  const tokenizer = await loadTokenizer(flags.model);
  const limit = Math.min(flags.sequence ?? contextLength, contextLength);
  const { examples, shortened, cut } = encodeExamples(readExamples(data, flags), tokenizer, {
    limit,
  });
  tellShortened({ shortened, cut }, examples.length, limit);
  const { model } = loadAdaptedGpt(device, flags.model, flags.adapter);
  const padId = tokenizer.endOfText ?? 0;
  const batches = byLength(examples.map(({ inputs }) => inputs.length), batch).map((chosen) =>
    completionBatch(Array.from(chosen, (i) => examples[i]), { padId, limit })
  );
  const found = await evaluate(completing(model), batches);
  const { loss, perplexity, tokens } = found;
  return {
    figures: { ...found, examples: examples.length, shortened, cut },
    text: `loss ${loss.toFixed(4)} nats a token, perplexity ${perplexity.toFixed(2)} ` +
      `(${tokens} tokens of ${examples.length} completions)`,
  };
}

/** Losses and accuracies of pre-training; what is masked is always the same. */
export async function evaluateMasked(device: Device, flags: EvaluateFlags): Promise<Found> {
  const { data, batch, masking: probability } = flags;
  const tokenizer = await loadTokenizer(flags.model);
  const vocabulary = maskVocabularyOf(tokenizer);
  const { train: corpus } = await encodeSentences(readDocuments(data, flags), {
    encode: (sentence) => tokenizer.encode(sentence),
    rule: flags.sentences ?? usualRule(data),
    validationFraction: 0,
  });
  const { model } = loadAdaptedBert(device, flags.model, flags.adapter);
  const { contextLength } = model.config;
  const sequence = Math.min(flags.sequence ?? contextLength, contextLength);
  const pairs = model.heads.classifier !== undefined;
  const sampler = new PretrainingSampler(corpus, vocabulary, {
    batch,
    sequence,
    pairs,
    probability,
  });
  const figures = await evaluatePretraining(model, () => sampler.first());
  const { maskedLoss, maskedAccuracy, nextSentence, tokens } = figures;
  const percent = (part: number): string => `${(100 * part).toFixed(2)} %`;
  const next = nextSentence &&
    `next sentences: loss ${nextSentence.loss.toFixed(4)} nats, ` +
      `${percent(nextSentence.accuracy)} right, of ${nextSentence.pairs} pairs; ` +
      `always the commoner label: ${percent(nextSentence.baseline)}`;
  const masked = `masked tokens: loss ${maskedLoss.toFixed(4)} nats, perplexity ` +
    `${Math.exp(maskedLoss).toFixed(2)}, ${percent(maskedAccuracy)} right, of ${tokens} masked`;
  return { figures, text: next ? `${masked}\n${next}` : masked };
}

/** All ids of a source, four bytes each, and the bytes of its text. */
async function encodeAll(
  source: string,
  { tokenizer, textField }: { tokenizer: Tokenizer; textField: string },
): Promise<{ ids: Uint32Array; bytes: number }> {
  let ids = new Uint32Array(1 << 16);
  let [length, bytes] = [0, 0];
  const utf8 = new TextEncoder();
  for await (const { text } of readDocuments(source, { textField })) {
    const fresh = tokenizer.encode(text);
    if (length + fresh.length > ids.length) {
      const larger = new Uint32Array(2 * (length + fresh.length));
      larger.set(ids.subarray(0, length));
      ids = larger;
    }
    ids.set(fresh, length);
    length += fresh.length;
    bytes += utf8.encode(text).length;
  }
  return { ids: ids.subarray(0, length), bytes };
}
