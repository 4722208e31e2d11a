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
import type { Device } from "../gpu/device.ts";
import { loadAdaptedBert, loadAdaptedGpt } from "../models/adapted_models.ts";
import { loadTokenizer } from "../tokenizers/tokenizer.ts";
import { evaluatePretraining } from "../training/bert_pretraining.ts";
import { completing } from "../training/completion_task.ts";
import { evaluate } from "../training/evaluate.ts";
import type { EvaluateFlags, Found } from "./evaluate_command.ts";
import { tellShortened } from "./finetune_generate.ts";
import { checkModelFiles } from "./model_files.ts";
import { encodeText, measureText } from "./perplexity.ts";
import { packingFlags } from "./weight_flags.ts";

/** Loss and perplexity of a text, with bits per byte; or of completions alone. */
export async function evaluateText(device: Device, flags: EvaluateFlags): Promise<Found> {
  const { data, batch } = flags;
  if (hasExamples(data)) return await evaluateCompletions(device, flags);
  const config = checkModelFiles(flags.model, flags);
  const text = await encodeText(data, { ...flags, config });
  const { model } = loadAdaptedGpt(device, flags.model, flags.adapter, packingFlags(flags));
  const found = await measureText(model, text, { batch, sequence: flags.sequence });
  const { loss, perplexity, bitsPerByte, tokens, bytes } = found;
  return {
    figures: found,
    text: `loss ${loss.toFixed(4)} nats a token, perplexity ${perplexity.toFixed(2)}, ` +
      `${bitsPerByte.toFixed(4)} bits per byte (${tokens} tokens, ${bytes} bytes)`,
  };
}

/** Loss of what is written behind prompts, or by the assistant of conversations. */
async function evaluateCompletions(device: Device, flags: EvaluateFlags): Promise<Found> {
  const { data, batch } = flags;
  const { contextLength } = checkModelFiles(flags.model, flags);
  const tokenizer = await loadTokenizer(flags.model);
  const limit = Math.min(flags.sequence ?? contextLength, contextLength);
  const { examples, shortened, cut } = encodeExamples(readExamples(data, flags), tokenizer, {
    limit,
  });
  tellShortened({ shortened, cut }, examples.length, limit);
  const { model } = loadAdaptedGpt(device, flags.model, flags.adapter, packingFlags(flags));
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
