/**
 * `vitrail probe`: why a model says what it says; each probe is a command of its own.
 *
 * @module
 */
import type { Command } from "commander";
import { addProbeAttention } from "./probe_attention.ts";
import { addProbeAttribute } from "./probe_attribute.ts";
import { addProbeBias } from "./probe_bias.ts";
import { addProbeInduction } from "./probe_induction.ts";
import { addProbeLens } from "./probe_lens.ts";
import { addProbeLinear } from "./probe_linear.ts";
import { addProbeNeurons } from "./probe_neurons.ts";
import { addProbePatch } from "./probe_patch.ts";
import { addProbeSae } from "./probe_sae.ts";

/** Every probe, what is seen before what is changed, what one text shows before what a corpus does. */
const PROBES: ((probe: Command) => void)[] = [
  addProbeAttention,
  addProbeLens,
  addProbePatch,
  addProbeAttribute,
  addProbeLinear,
  addProbeNeurons,
  addProbeSae,
  addProbeBias,
  addProbeInduction,
];

/** Adds the command and those below it to the program. */
export function addProbe(program: Command): void {
  const probe = program.command("probe").description("look inside a model");
  for (const add of PROBES) add(probe);
}
