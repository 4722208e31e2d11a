/**
 * The command line: parse, call, print.
 *
 * @module
 */
import { describeFailure } from "./src/cli/failure.ts";
import { outliveHangup } from "./src/cli/interrupt.ts";
import { releaseDirectories } from "./src/cli/output.ts";
import { printNotice, printWarnings } from "./src/cli/printer.ts";
import { createProgram } from "./src/cli/program.ts";

printWarnings();
const program = createProgram();
outliveHangup();
try {
  await program.parseAsync(Deno.args, { from: "user" });
} catch (error) {
  const { line, code } = describeFailure(error, { program, args: Deno.args });
  if (line !== undefined) printNotice(line);
  Deno.exitCode = code;
} finally {
  releaseDirectories();
}
