/**
 * How well a model predicts a text, with a progress bar.
 *
 * @module
 */
import { readDocuments } from "../data/sources/documents.ts";
import { sequentialBatches } from "../data/tokens/batches.ts";
import { VitrailError } from "../errors.ts";
import type { GptConfig } from "../formats/gpt_config.ts";
import type { Gpt } from "../models/gpt.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { evaluate, type Evaluation } from "../training/evaluate.ts";
import { ProgressBar } from "../training/progress.ts";
import { languageModelling } from "../training/task.ts";

/** A text as a model's ids. */
export interface EncodedText {
  /** All ids, documents one behind the other. */
  ids: Uint32Array;
  /** Bytes of the text in UTF-8. */
  bytes: number;
}

/** What is found of a text. */
export type TextEvaluation = Evaluation & { bytes: number; bitsPerByte: number };

/**
 * Reads a source with the tokenizer of a model, whose configuration must know every id.
 *
 * @throws {VitrailError} if the text is too short, or the tokenizer belongs to another model
 */
export async function encodeText(
  source: string,
  { model, config, textField }: { model: string; config: GptConfig; textField?: string },
): Promise<EncodedText> {
  const tokenizer = await loadTokenizer(model);
  const text = await encodeAll(source, { textField, tokenizer });
  const { ids } = text;
  if (ids.length < 2) {
    throw new VitrailError(
      `Cannot evaluate ${source}: it has ${ids.length} tokens, and the first is only given; ` +
        "wanted at least 2",
    );
  }
  const wrong = ids.find((id) => id >= config.vocabularySize);
  if (wrong === undefined) return text;
  throw new VitrailError(
    `Cannot evaluate ${model}: its tokenizer has the id ${wrong}, its config.json a ` +
      `vocabulary of ${config.vocabularySize}; both must belong to one model`,
  );
}

/** Evaluates a model on a text, in sequences as long as its context, or shorter if asked. */
export async function measureText(
  model: Gpt,
  { ids, bytes }: EncodedText,
  options: { batch: number; sequence?: number; label?: string },
): Promise<TextEvaluation> {
  const { batch, label = "evaluate" } = options;
  const { contextLength } = model.config;
  const sequence = Math.min(options.sequence ?? contextLength, contextLength);
  const tokens = {
    length: ids.length,
    read: (offset: number, count: number) => ids.subarray(offset, offset + count),
  };
  const bar = new ProgressBar({ total: ids.length - 1, label, unit: "token" });
  const found = await evaluate(
    languageModelling(model, sequence),
    sequentialBatches(tokens, { batch, sequence }),
    { onBatch: (done) => bar.update(done, {}) },
  );
  bar.finish();
  return { ...found, bytes, bitsPerByte: found.loss * found.tokens / Math.LN2 / bytes };
}

/** Reads a source with a tokenizer, documents one behind the other. */
export async function encodeAll(
  source: string,
  { tokenizer, textField }: { tokenizer: Tokenizer; textField?: string },
): Promise<EncodedText> {
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
