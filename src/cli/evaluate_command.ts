/**
 * `vitrail evaluate`: how good a model is at what it was made for, on data that it did not see.
 *
 * @module
 */
import type { Command } from "commander";
import { CHAT_TEMPLATE } from "../data/completions/completions.ts";
import { SENTENCE_RULES } from "../data/sources/sentences.ts";
import { VitrailError } from "../errors.ts";
import { type Device, openDevice } from "../gpu/device.ts";
import { showPath } from "../formats/messages.ts";
import { type ModelTask, modelTask } from "../models/adapted_models.ts";
import { oneOf } from "./choices.ts";
import type { EvaluateFlags, Found } from "./evaluate_flags.ts";
import { evaluateMasked, evaluateText } from "./evaluate_language.ts";
import { evaluateAnswerer, evaluateClassifier, evaluateTagger } from "./evaluate_task.ts";
import { addQuestionFields } from "./finetune_answer.ts";
import { column } from "./finetune_tag.ts";
import { addLongTextsFlag } from "./given_texts.ts";
import { real, whole } from "./numbers.ts";
import { print } from "./printer.ts";
import { groupOption, weightsOption } from "./weight_flags.ts";
import { addTuneFlag, useTuned } from "./tuning.ts";

/** How each kind of model is measured. */
const EVALUATIONS: Record<ModelTask, (device: Device, flags: EvaluateFlags) => Promise<Found>> = {
  "generate": evaluateText,
  "fill-mask": evaluateMasked,
  "classify": evaluateClassifier,
  "tag": evaluateTagger,
  "answer": evaluateAnswerer,
};

/** Adds the command to the program. */
export function addEvaluate(program: Command): void {
  addQuestionFields(addLongTextsFlag(addTuneFlag(program.command("evaluate"))), "answerer: ")
    .description(
      "how good a model is: a GPT at predicting a text (loss, perplexity, bits per byte) or completions, a BERT at " +
        "guessing masked tokens, a classifier (accuracy, macro F1, confusion), a tagger (accuracy, " +
        "entity F1), an answerer (exact match, F1)",
    )
    .option(
      "--model <directory>",
      "the model; what it was made for decides what is measured",
    )
    .option("--adapter <directory>", "a LoRA adapter of it, ours or PEFT's")
    .requiredOption(
      "--data <source>",
      "a text, folder, .jsonl, - or a corpus name; for a task, what its fine-tuning takes",
    )
    .option("--batch <n>", "sequences at once", whole(1), 8)
    .option(
      "--sequence <n>",
      "tokens of a sequence at most; the model's context if absent",
      whole(3),
    )
    .option(
      "--text-field <name>",
      "field or column of the text, or two of pairs, as in premise,hypothesis; if absent text, or " +
        "the pairs that a classifier was trained on",
    )
    .option("--template <text>", "GPT: a message, with {role} and {content}", CHAT_TEMPLATE)
    .option("--label-field <name>", "classifier: field or column of the label", "label")
    .option("--token-column <n>", "tagger: column of the words, from 1; -1 is the last", column)
    .option("--tag-column <n>", "tagger: column of the tags", column)
    .option("--stride <n>", "answerer: tokens from one window to the next", whole(1))
    .option("--longest <n>", "answerer: tokens of an answer at most", whole(1), 30)
    .option("--threshold <x>", "answerer: no answer where it is likelier by this", real(-Infinity))
    .option(
      "--sentences <rule>",
      "BERT: lines, or segmenter (Unicode's rules); lines for brown, else segmenter",
      oneOf(...SENTENCE_RULES),
    )
    .option("--masking <p>", "BERT: part of the tokens to guess", real(0.01, 0.9), 0.15)
    .addOption(weightsOption())
    .addOption(groupOption())
    .option("--json", "print one JSON object", false)
    .action(async (flags: EvaluateFlags) => {
      const task = modelTask(flags.model, flags.adapter);
      checkPacking(task, flags);
      const evaluate = EVALUATIONS[task];
      const device = await openDevice();
      useTuned(device, flags);
      try {
        const { figures, text } = await evaluate(device, flags);
        print(flags.json ? JSON.stringify(figures) : text);
      } finally {
        device.destroy();
      }
    });
}

/** Only a GPT that generates can keep its weights in fewer bits. */
function checkPacking(task: ModelTask, { model, weights, group }: EvaluateFlags): void {
  if (task === "generate" || (group === undefined && (weights ?? "f32") === "f32")) return;
  const asked = weights === undefined ? `--group ${group}` : `--weights ${weights}`;
  throw new VitrailError(
    `Cannot evaluate ${
      showPath(model)
    } with ${asked}: it was made for ${task}, and only a GPT made ` +
      "for generate keeps weights in f16, int8 or int4; leave out the flag, or give such a GPT",
  );
}
