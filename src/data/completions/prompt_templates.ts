/**
 * Prompts made of what was found about a text: one template for all labels, or one for each.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { readJson } from "../../formats/json_file.ts";
import { mapOf, text } from "../../formats/json_rules.ts";
import { quoteName, showPath } from "../../formats/messages.ts";
import { readSmallText } from "../../formats/text_file.ts";

/** What a template's places are filled with. */
export interface PromptValues {
  /** For `{label}`. */
  label: string;
  /** For `{text}`. */
  text: string;
  /** For `{score}`: two digits after the point. */
  score: number;
}

/** Templates by label; `*` is for labels that have none of their own. */
export type PromptTemplates = Readonly<Record<string, string>>;

/**
 * Reads templates from a file: JSON with a template for each label and `*` for all others, or, in a
 * file of any other kind, one template for all labels. A template holds `{label}`, `{text}` and
 * `{score}` where they are to stand.
 *
 * @throws {VitrailError} if the file cannot be read, or is JSON of another form
 */
export function readPromptTemplates(path: string): PromptTemplates {
  if (!path.endsWith(".json")) return { "*": readSmallText(path) };
  const templates = readJson(path, templatesRule);
  if (Object.keys(templates).length > 0) return templates;
  throw new VitrailError(
    `Cannot read ${showPath(path)}: it holds {}, wanted ${templatesRule.wanted}`,
  );
}

const templatesRule = mapOf(text, {
  wanted: 'a template for each label, such as {"spam": "Dear {label},\\n", "*": "{text}\\n"}',
});

/**
 * The template of a label.
 *
 * @throws {VitrailError} if it has none and there is none for all others
 */
export function templateFor(templates: PromptTemplates, label: string): string {
  const own = [label, "*"].find((key) => Object.hasOwn(templates, key));
  if (own !== undefined) return templates[own];
  throw new VitrailError(
    `Cannot write on the label ${quoteName(label)}: there is no template for it, only for ` +
      `${Object.keys(templates).map(quoteName).join(", ")}; add one, or "*" for all others`,
  );
}

/** Fills a template's places, each once: what a text holds is no template. */
export function fillTemplate(template: string, values: PromptValues): string {
  const shown: Record<string, string> = {
    label: values.label,
    text: values.text,
    score: values.score.toFixed(2),
  };
  return template.replace(/\{(label|text|score)\}/g, (_, name: string) => shown[name]);
}
