/**
 * `vitrail probe`: why a model says what it says; each probe is a command of its own.
 *
 * @module
 */
import type { Command } from "commander";
import { addProbeAttention } from "./probe_attention.ts";
import { addProbeLens } from "./probe_lens.ts";

/** Every probe. */
const PROBES: ((probe: Command) => void)[] = [addProbeAttention, addProbeLens];
import { addProbeAttribute } from "./probe_attribute.ts";
import { addProbePatch } from "./probe_patch.ts";

/** Every probe. */
const PROBES: ((probe: Command) => void)[] = [addProbePatch, addProbeAttribute];
import { addProbeLinear } from "./probe_linear.ts";
import { addProbeNeurons } from "./probe_neurons.ts";

/** Every probe. */
const PROBES: ((probe: Command) => void)[] = [addProbeLinear, addProbeNeurons];
import { addProbeBias } from "./probe_bias.ts";
import { addProbeSae } from "./probe_sae.ts";

/** Every probe. */
const PROBES: ((probe: Command) => void)[] = [addProbeSae, addProbeBias];

/** Adds the command and those below it to the program. */
export function addProbe(program: Command): void {
  const probe = program.command("probe").description("look inside a model");
  for (const add of PROBES) add(probe);
}
