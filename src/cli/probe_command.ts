/**
 * `vitrail probe`: why a model says what it says; each probe is a command of its own.
 *
 * @module
 */
import type { Command } from "commander";
import { addProbeBias } from "./probe_bias.ts";
import { addProbeSae } from "./probe_sae.ts";

/** Every probe. */
const PROBES: ((probe: Command) => void)[] = [addProbeSae, addProbeBias];

/** Adds the command and those below it to the program. */
export function addProbe(program: Command): void {
  const probe = program.command("probe").description("look inside a model");
  for (const add of PROBES) add(probe);
}
