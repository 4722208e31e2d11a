/**
 * What the commands of `vitrail probe` have in common: the model, and where results go.
 *
 * @module
 */
import type { Command } from "commander";
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { type Heatmap, heatmapSvg } from "../formats/page/heatmap.ts";
import { openDevice } from "../gpu/device.ts";
import { type ProbePage, probePage } from "../probes/probe_page.ts";
import { loadSubject, type ProbeSubject } from "../probes/subject.ts";
import { addOverwriteFlag, claimFiles } from "./output.ts";
import { print, printNotice } from "./printer.ts";
import { addTuneFlag, useTuned } from "./tuning.ts";

/** Values of the flags that say where results go. */
export interface OutputFlags {
  html?: string;
  svg?: string;
  json: boolean;
  overwrite: boolean;
}

/** Values of the flags that every probe of a model has. */
export interface ProbeFlags extends OutputFlags {
  model: string;
  adapter?: string;
  tune: boolean;
}

/** Adds those flags to a command. */
export function addProbeFlags(command: Command): Command {
  const withModel = addTuneFlag(command)
    .option("--model <directory>", "the model, a GPT or a BERT")
    .option("--adapter <directory>", "a LoRA adapter of it, ours or PEFT's");
  return addOutputFlags(withModel);
}

/** Adds the flags for results alone. */
export function addOutputFlags(command: Command): Command {
  return addOverwriteFlag(command)
    .option("--html <file>", "write a page with the pictures, which opens from the disk")
    .option("--json", "print a JSON object in place of text", false);
}

/** Adds the flag of those probes that have one main picture. */
export function addSvgFlag(command: Command): Command {
  return command.option("--svg <file>", "write the main picture for a paper");
}

/**
 * Claims the files that are asked for: a long probe must not end in a place that it cannot write to.
 *
 * @param more further files that the probe writes, by their flags
 * @throws {VitrailError} if one would be replaced or cannot be written
 */
export function claimOutputs(
  { html, svg, overwrite }: OutputFlags,
  more: Record<string, string | undefined> = {},
): void {
  claimFiles({ ...more, "--html": html, "--svg": svg }, { overwrite });
}

/** Opens the model, calls `probe`, and closes all again; `writes` as of {@linkcode claimOutputs}. */
export async function withSubject(
  flags: ProbeFlags,
  probe: (subject: ProbeSubject) => Promise<void>,
  writes: Record<string, string | undefined> = {},
): Promise<void> {
  claimOutputs(flags, writes);
  const device = await openDevice();
  try {
    useTuned(device, flags);
    await probe(await loadSubject(device, flags.model, flags));
  } finally {
    device.destroy();
  }
}

/** What a probe found, in the forms that a user may want. */
export interface ProbeOutput {
  /** For `--json`; numbers in typed arrays become lists. */
  json: unknown;
  /** For the terminal. */
  text: () => string;
  /** For `--html`. */
  page: () => ProbePage;
  /** For `--svg`. */
  picture?: () => Heatmap;
}

/** Prints what was found, and writes the files that were asked for. */
export function writeProbe(flags: OutputFlags, output: ProbeOutput): void {
  print(flags.json ? JSON.stringify(output.json, plain) : output.text());
  if (flags.html !== undefined) {
    writeFileAtomic(flags.html, probePage(output.page()));
    printNotice(`Wrote ${flags.html}`);
  }
  if (flags.svg !== undefined && output.picture) {
    writeFileAtomic(flags.svg, heatmapSvg(output.picture()));
    printNotice(`Wrote ${flags.svg}`);
  }
}

const plain = (_: string, value: unknown): unknown =>
  value instanceof Float32Array || value instanceof Float64Array || value instanceof Uint32Array
    ? Array.from(value)
    : value instanceof Map
    ? Object.fromEntries(value)
    : value;
