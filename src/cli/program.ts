/**
 * The commands of `vitrail`, put together.
 *
 * @module
 */
import { Command } from "commander";
import project from "../../deno.json" with { type: "json" };
import { addAnswer } from "./answer_command.ts";
import { addClassify } from "./classify_command.ts";
import { addData } from "./data_command.ts";
import { addDemo } from "./demo_command.ts";
import { addDoctor } from "./doctor_command.ts";
import { addEvaluate } from "./evaluate_command.ts";
import { addFillMask } from "./fill_mask_command.ts";
import { addFinetune } from "./finetune_command.ts";
import { addGenerate } from "./generate_command.ts";
import { addMerge } from "./merge_command.ts";
import { addPipeline } from "./pipeline_command.ts";
import { addPretrain } from "./pretrain_command.ts";
import { addProbe } from "./probe_command.ts";
import { addProfile } from "./profile_command.ts";
import { addQuantize } from "./quantize_command.ts";
import { addReport } from "./report_command.ts";
import { addTag } from "./tag_command.ts";
import { addTokenizer } from "./tokenizer_command.ts";
import { addTrain } from "./train_command.ts";
import { addTune } from "./tune_command.ts";
import { resolveModels } from "./given_model.ts";
import { printText } from "./printer.ts";

/** The whole command line, ready to parse. */
export function createProgram(): Command {
  const program = new Command("vitrail")
    .description("train, run and open up Transformers on WebGPU")
    .version(project.version)
    .showSuggestionAfterError()
    // Errors are printed below, each on one line.
    .configureOutput({ outputError: () => {}, writeOut: (text) => printText(text) })
    .exitOverride();
  const commands = [
    addDemo,
    addTrain,
    addPretrain,
    addFillMask,
    addGenerate,
    addFinetune,
    addClassify,
    addTag,
    addAnswer,
    addMerge,
    addPipeline,
    addQuantize,
    addEvaluate,
    addReport,
    addTokenizer,
    addData,
    addProbe,
    addProfile,
    addTune,
    addDoctor,
  ];
  for (const add of commands) add(program);
  program.hook("preAction", (_, command) => resolveModels(command));
  program.command("test").description("run the test suite: ./vitrail test, or deno task test");
  return program;
}
