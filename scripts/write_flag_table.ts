/**
 * Writes `src/cli/flag_table.json`: `deno task flags`, after a flag or a command changed.
 *
 * @module
 */
import { flagTable } from "../src/cli/flag_table.ts";
import { createProgram } from "../src/cli/program.ts";

const file = new URL("../src/cli/flag_table.json", import.meta.url);
Deno.writeTextFileSync(file, JSON.stringify(flagTable(createProgram())));
