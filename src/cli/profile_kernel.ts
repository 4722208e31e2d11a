/**
 * `vitrail profile kernel FILE.wgsl`: what a shader of the user's own is given, from flags.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from "commander";
import { VitrailError } from "../errors.ts";
import { readSmallText } from "../formats/text_file.ts";
import type { Overrides } from "../gpu/pipelines.ts";
import type { BufferFill } from "../profiling/own_shader.ts";
import type { ShaderOutput, ShaderProfileOptions } from "../profiling/shader_profile.ts";
import { figure } from "../profiling/table.ts";
import { whole } from "./numbers.ts";

/** What the flags give. */
export interface ShaderFlags {
  entry?: string;
  buffer?: Record<string, BufferFill>;
  uniform?: Record<string, number[]>;
  override?: Overrides;
  workgroups?: [number, number?, number?];
  flops?: string;
  bytes?: string;
  runs: number;
}

/** Gathers `name=value`, each time that the flag is given. */
function named<T>(
  wanted: string,
  parse: (value: string) => T | undefined,
): (text: string, before?: Record<string, T>) => Record<string, T> {
  return (text, before = {}) => {
    const [, name, value] = text.match(/^([A-Za-z_]\w*)=(.+)$/) ?? [];
    const parsed = name === undefined ? undefined : parse(value);
    if (parsed === undefined) throw new InvalidArgumentError(`wanted ${wanted}.`);
    if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`);
    return { ...before, [name]: parsed };
  };
}

function numbers(text: string): number[] | undefined {
  const values = text.split(",").map((part) => part.trim() === "" ? NaN : Number(part));
  return values.some(Number.isNaN) ? undefined : values;
}

/** `1024x512`, or `1024x512:0..9` with the least number and where they end. */
function bufferFill(text: string): BufferFill | undefined {
  const [, sides, low, high] =
    text.match(/^(\d+(?:[x×]\d+)*)(?::(-?[\d.e+-]+?)\.\.(-?[\d.e+-]+))?$/) ??
      [];
  const count = sides?.split(/[x×]/).reduce((product, side) => product * Number(side), 1);
  if (!(count > 0)) return undefined;
  const range = low === undefined ? {} : { low: Number(low), high: Number(high) };
  return Object.values(range).some(Number.isNaN) ? undefined : { count, ...range };
}

function override(text: string): number | boolean | undefined {
  if (text === "true" || text === "false") return text === "true";
  return Number.isNaN(Number(text)) ? undefined : Number(text);
}

function workgroups(text: string): [number, number?, number?] {
  const sides = text.split(/[,x×]/).map(Number);
  if (sides.length <= 3 && sides.every((side) => Number.isInteger(side) && side > 0)) {
    return sides as [number, number?, number?];
  }
  throw new InvalidArgumentError("wanted up to three whole numbers, such as 16,16.");
}

/** Adds the flags that say what a shader is given. */
export function withShader(command: Command): Command {
  return command
    .option("--entry <name>", "its entry point, if it has several")
    .option(
      "--buffer <name=sides>",
      "size of a buffer in numbers, such as a=1024x512, or ids=64:0..197 for numbers from 0 to below " +
        "197; once for each",
      named("name=1024x512 or name=1024:0..197", bufferFill),
    )
    .option(
      "--uniform <name=value>",
      "value of a uniform, or of a member of a uniform struct, such as m=1024 or scale=1,0.5; once for " +
        "each",
      named("name=number, or name=x,y,z for a vector", numbers),
    )
    .option(
      "--override <name=value>",
      "value of an override constant; once for each",
      named("name=number, name=true or name=false", override),
    )
    .option("--workgroups <x,y,z>", "workgroups, such as 16,16; must be given", workgroups)
    .option(
      "--flops <count>",
      'operations of a call: a number, or such as "2*m*n*k" of its uniforms',
    )
    .option("--bytes <count>", "bytes that a call must move; each buffer once if absent")
    .option("--runs <n>", "calls, of which the median counts", whole(1), 15);
}

/**
 * What the flags mean to the profiler.
 *
 * @throws {VitrailError} if they do not say how many workgroups run
 */
export function shaderOptions(flags: ShaderFlags): ShaderProfileOptions {
  const { entry, buffer = {}, uniform = {}, override, workgroups, flops, bytes, runs } = flags;
  // Not a required option: that a file is missing is told first.
  if (workgroups === undefined) {
    throw new VitrailError(
      "Cannot run a shader without a number of workgroups: give --workgroups, such as 16,16",
    );
  }
  return {
    entryPoint: entry,
    buffers: buffer,
    uniforms: uniform,
    overrides: override,
    workgroups,
    flops,
    bytes,
    runs,
  };
}

/** A shader's text, and its name for the table. */
export function readShader(path: string): { name: string; source: string } {
  const name = path.split(/[\\/]/).at(-1)!.replace(/\.wgsl$/, "");
  return { name, source: readSmallText(path, { wanted: "a shader in WGSL" }) };
}

/** What a call left in a buffer, in a line. */
export function outputLine({ name, count, sum, first }: ShaderOutput): string {
  const told = first.map((number) => figure(number)).join(", ");
  return `${name}: ${count} numbers, sum ${sum.toPrecision(6)}, from ${told}${
    count > first.length ? " …" : ""
  }`;
}
