/**
 * The command line: parse, call, print.
 *
 * @module
 */
import { Command } from "commander";
import project from "./deno.json" with { type: "json" };
import { addAnswer } from "./src/cli/answer_command.ts";
import { addClassify } from "./src/cli/classify_command.ts";
import { addData } from "./src/cli/data_command.ts";
import { addDemo } from "./src/cli/demo_command.ts";
import { addDoctor } from "./src/cli/doctor_command.ts";
import { addEvaluate } from "./src/cli/evaluate_command.ts";
import { describeFailure } from "./src/cli/failure.ts";
import { addFillMask } from "./src/cli/fill_mask_command.ts";
import { addFinetune } from "./src/cli/finetune_command.ts";
import { addGenerate } from "./src/cli/generate_command.ts";
import { addMerge } from "./src/cli/merge_command.ts";
import { addPipeline } from "./src/cli/pipeline_command.ts";
import { addPretrain } from "./src/cli/pretrain_command.ts";
import { printNotice, printText } from "./src/cli/printer.ts";
import { addProbe } from "./src/cli/probe_command.ts";
import { addProfile } from "./src/cli/profile_command.ts";
import { addQuantize } from "./src/cli/quantize_command.ts";
import { addReport } from "./src/cli/report_command.ts";
import { addTag } from "./src/cli/tag_command.ts";
import { addTokenizer } from "./src/cli/tokenizer_command.ts";
import { addTrain } from "./src/cli/train_command.ts";
import { addTune } from "./src/cli/tune_command.ts";

const program = new Command("vitrail")
  .description("train, run and open up Transformers on WebGPU")
  .version(project.version)
  .showSuggestionAfterError()
  // What goes wrong is told below, in one line.
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
program.command("test").description("run the test suite: ./vitrail test, or deno task test");

try {
  await program.parseAsync(Deno.args, { from: "user" });
} catch (error) {
  const { line, code } = describeFailure(error, { program, args: Deno.args });
  if (line !== undefined) printNotice(line);
  Deno.exitCode = code;
}
