/**
 * `vitrail finetune`: a model learns a task; each task is a command of its own.
 *
 * @module
 */
import type { Command } from "commander";
import { addFinetuneAnswer } from "./finetune_answer.ts";
import { addFinetuneClassify } from "./finetune_classify.ts";
import { addFinetuneGenerate } from "./finetune_generate.ts";
import { addFinetuneTag } from "./finetune_tag.ts";

/** Adds the command and those below it to the program. */
export function addFinetune(program: Command): void {
  const finetune = program.command("finetune").description("teach a model a task");
  for (const add of [addFinetuneClassify, addFinetuneTag, addFinetuneAnswer, addFinetuneGenerate]) {
    add(finetune);
  }
}
