/**
 * Understanding steers writing: a classifier finds the label of a text, and a GPT writes on a prompt
 * that was made for that label.
 *
 * @module
 */
import {
  fillTemplate,
  type PromptTemplates,
  templateFor,
} from "../data/completions/prompt_templates.ts";
import { VitrailError } from "../errors.ts";
import type { Gpt } from "../models/gpt.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { type WriteOptions, writeText } from "./write.ts";

/** Finds labels, the best first; what `loadTextClassifier` opens does. */
export interface LabelFinder {
  /** Labels for texts, in the order of the texts. */
  classify(
    texts: readonly string[],
  ): Promise<{ labels: { label: string; score: number }[]; truncated: boolean }[]>;
}

/** Who reads, who writes, and on what. */
export interface PipelineParts {
  /** Reads. */
  classifier: LabelFinder;
  /** Writes. */
  model: Gpt;
  /** The writer's tokenizer. */
  tokenizer: Tokenizer;
  /** Prompts by label. */
  templates: PromptTemplates;
}

/** What became of a text. */
export interface PipelineResult {
  /** The text that was read. */
  text: string;
  /** Its label. */
  label: string;
  /** How much speaks for it. */
  score: number;
  /** What the writer was given. */
  prompt: string;
  /** What it wrote after that. */
  written: string;
  /** Whether the classifier did not see the end of the text. */
  truncated: boolean;
  /** Whether the end of the text is missing in the prompt. */
  shortened: boolean;
}

/** How the writer goes on, and who is told before it begins. */
export interface PipelineOptions extends WriteOptions {
  /** Told what was found, and the prompt, before the first word is written. */
  onPrompt?: (found: Omit<PipelineResult, "written">) => void;
}

/**
 * Classifies a text, fills the template of its best label, and continues that. Where the prompt would
 * leave no room in the writer's context, the text in it loses its end.
 *
 * @throws {VitrailError} if no template is for the label, the prompt is empty, or too long without the
 * text
 */
export async function classifyAndWrite(
  text: string,
  parts: PipelineParts,
  options: PipelineOptions = {},
): Promise<PipelineResult> {
  const { onPrompt, maxNewTokens = 100, ...rest } = options;
  const [{ labels, truncated }] = await parts.classifier.classify([text]);
  const { label, score } = labels[0];
  const room = parts.model.config.contextLength - maxNewTokens;
  const template = templateFor(parts.templates, label);
  const { prompt, ids, shortened } = fit(template, { label, score, text }, { ...parts, room });
  const found = { text, label, score, prompt, truncated, shortened };
  onPrompt?.(found);
  const written = await writeText(parts, ids, { ...rest, maxNewTokens });
  return { ...found, written };
}

/** A prompt of at most `room` tokens. */
function fit(
  template: string,
  values: { label: string; score: number; text: string },
  { tokenizer, room }: { tokenizer: Tokenizer; room: number },
): { prompt: string; ids: ArrayLike<number>; shortened: boolean } {
  const all = tokenizer.encode(values.text);
  for (let kept = all.length;;) {
    const text = kept === all.length ? values.text : tokenizer.decode(all.subarray(0, kept));
    const prompt = fillTemplate(template, { ...values, text });
    const ids = tokenizer.encode(prompt);
    if (ids.length <= room) return { prompt, ids, shortened: kept < all.length };
    if (kept === 0 || !template.includes("{text}")) {
      throw new VitrailError(
        `Cannot write on a prompt of ${ids.length} tokens: the writer's context has room for ` +
          `${Math.max(0, room)} beside what is to be written; shorten the template, or write less`,
      );
    }
    kept = Math.max(0, kept - (ids.length - room));
  }
}
