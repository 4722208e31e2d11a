/**
 * What a shader of the user's own binds, and how it is filled from sizes and numbers given on a command
 * line: buffers with numbers that a seed decides, uniforms with the values that were said.
 *
 * @module
 */
import { WgslReflect } from "npm:wgsl_reflect@1.6.0/wgsl_reflect.module.js";
import { VitrailError } from "../errors.ts";
import { quoteName } from "../formats/messages.ts";
import { withinTime } from "../formats/time_limit.ts";
import { PooledBuffer } from "../gpu/pooled_buffer.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { seededNumbers } from "./cases/operands.ts";

/** How large a buffer is, and what it is filled with. */
export interface BufferFill {
  /** Numbers that it holds, of the shader's own type: an `array<vec4f>` of 16 vectors has 64. */
  count: number;
  /** The least of them; -0.5 of floats and 0 of whole numbers, if absent. */
  low?: number;
  /** Where they end; 0.5 of floats and 100 of whole numbers, if absent. */
  high?: number;
}

/** A type, as wgsl_reflect tells it. */
interface WgslType {
  name: string;
  isStruct: boolean;
  size: number;
  format?: WgslType;
  members?: { name: string; offset: number; type: WgslType }[];
}

/** A variable that an entry point binds. */
export interface OwnResource {
  /** The variable's name. */
  name: string;
  /** Its `@group`. */
  group: number;
  /** Its type. */
  type: WgslType;
}

/**
 * The entry points of a source, each with what it binds.
 *
 * @throws {VitrailError} if the source cannot be parsed
 */
export function resourcesOf(source: string): Map<string, OwnResource[]> {
  const { entry } = reflected(source);
  const points = entry.compute as { name: string; resources: OwnResource[] }[];
  return new Map(points.map(({ name, resources }) => [name, resources]));
}

/** The parser knows less of WGSL than compilers do, and throws what it likes. */
function reflected(source: string): WgslReflect {
  try {
    // Its scanner takes quadratic time on long rows of digits or letters.
    return withinTime(() => new WgslReflect(source), {
      seconds: 5,
      fault: () => new Error("it takes longer than 5 s to parse"),
    });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new VitrailError(
      `Cannot read the shader: ${
        quoteName(words).slice(1, -1)
      }; write it with simpler words of WGSL`,
      { cause: error },
    );
  }
}

type Scalar = "f32" | "f16" | "u32" | "i32";
const LETTERS: Record<string, Scalar> = { f: "f32", h: "f16", u: "u32", i: "i32" };

/** The one type of the numbers within; none where a struct has several. */
export function scalarOf(type: WgslType): Scalar | undefined {
  if (type.members) {
    const [first, ...others] = new Set(type.members.map((member) => scalarOf(member.type)));
    return others.length === 0 ? first : undefined;
  }
  if (type.format) return scalarOf(type.format);
  if (Object.values(LETTERS).includes(type.name as Scalar)) return type.name as Scalar;
  return LETTERS[type.name.match(/^(?:vec|mat)\d(?:x\d)?([fhui])$/)?.[1] ?? ""];
}

/** Bytes of a number of a buffer. */
export const bytesOf = (type: WgslType): number => scalarOf(type) === "f16" ? 2 : 4;

/** A tensor of the size that was said, with numbers that a seed decides; structs of several types: 0. */
export function fillBuffer(
  device: Device,
  type: WgslType,
  { fill, seed }: { fill: BufferFill; seed: number },
): Tensor {
  const scalar = scalarOf(type);
  const words = Math.max(1, Math.ceil(fill.count * bytesOf(type) / 4));
  if (scalar === undefined) return device.zeros([words]);
  const float = scalar.startsWith("f");
  const { count, low = float ? -0.5 : 0, high = float ? 0.5 : 100 } = fill;
  const numbers = seededNumbers(count, seed).map((x) => low + (x + 0.5) * (high - low));
  if (scalar === "f32") return device.upload(numbers);
  if (scalar === "u32") return device.upload(Uint32Array.from(numbers));
  if (scalar === "i32") return device.upload(Int32Array.from(numbers, Math.floor));
  const halves = new Float16Array(words * 2);
  halves.set(numbers);
  return device.upload(new Uint32Array(halves.buffer));
}

/** Columns and rows of a vector or matrix; a number is one of one. */
function dimensions({ name }: WgslType): [number, number] {
  const [, columns = "1", rows = "1"] = name.match(/^mat(\d)x(\d)/) ?? [];
  const width = name.match(/^vec(\d)/)?.[1];
  return width ? [1, Number(width)] : [Number(columns), Number(rows)];
}

/** Puts a uniform's numbers in their places: a column of three lies as wide as one of four. */
function put(
  view: DataView,
  at: number,
  { type, values, name }: { type: WgslType; values: number[]; name: string },
): void {
  const scalar = scalarOf(type);
  const [columns, rows] = dimensions(type);
  if (scalar === undefined || type.name === "array" || type.isStruct) {
    throw new VitrailError(
      `Cannot give uniform ${name} a value: its type is ${type.name}, wanted a number, a vector or a ` +
        "matrix",
    );
  }
  if (values.length !== columns * rows) {
    throw new VitrailError(
      `Cannot give uniform ${name} ${values.length} numbers: its type ${type.name} wants ` +
        `${columns * rows}`,
    );
  }
  const width = bytesOf(type);
  const stride = (columns > 1 && rows === 3 ? 4 : rows) * width;
  values.forEach((value, i) => {
    const place = at + Math.floor(i / rows) * stride + i % rows * width;
    if (scalar === "f32") view.setFloat32(place, value, true);
    else if (scalar === "f16") view.setFloat16(place, value, true);
    else if (scalar === "i32") view.setInt32(place, value, true);
    else view.setUint32(place, value, true);
  });
}

/** Names under which the values of a resource's uniforms are given. */
export function uniformNames({ name, type }: OwnResource): string[] {
  return type.members?.map((member) => member.name) ?? [name];
}

let buffers = 0;

/** A `var<uniform>` of its own; the caller destroys it. */
export function uniformBuffer(
  device: Device,
  { name, type }: OwnResource,
  values: Record<string, number[]>,
): { buffer: PooledBuffer } {
  const byteLength = Math.ceil(type.size / 16) * 16;
  const view = new DataView(new ArrayBuffer(byteLength));
  for (const member of type.members ?? [{ name, offset: 0, type }]) {
    put(view, member.offset, { ...member, values: values[member.name] });
  }
  const raw = device.raw.createBuffer({
    label: name,
    size: byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  // The pool numbers its buffers from 1 up.
  const buffer = new PooledBuffer({ id: -++buffers, raw, byteLength });
  device.commands.write(buffer, new Uint32Array(view.buffer));
  return { buffer };
}

/** What a run of a shader is given. */
export interface Given {
  /** Sizes of buffers, by the shader's names. */
  buffers: Record<string, BufferFill>;
  /** Numbers of uniforms, by the names of the struct's members or of the variable. */
  uniforms: Record<string, number[]>;
}

const list = (names: readonly string[]): string => names.length === 0 ? "none" : names.join(", ");

/**
 * Checks that an entry point is given all that it binds, and nothing else.
 *
 * @throws {VitrailError} that names what is missing or unknown, and the flag that gives it
 */
export function checkGiven(
  kernel: Kernel,
  { entryPoint, resources }: { entryPoint: string; resources: OwnResource[] },
  { buffers, uniforms }: Given,
): void {
  const label = `${kernel.name}.${entryPoint}`;
  const refuse = (reason: string): never => {
    throw new VitrailError(`Cannot run ${label}: ${reason}`);
  };
  const kinds = new Map(kernel.entry(entryPoint).bindings.map(({ name, kind }) => [name, kind]));
  const kindOf = (name: string): string => kinds.get(name)!;
  for (const { name, group, type } of resources) {
    if (group !== 0) refuse(`${name} is in @group(${group}), only @group(0) can be bound here`);
    if (/^(texture|sampler)/.test(type.name)) {
      refuse(`${name} is a texture or a sampler, only buffers and uniforms can be given`);
    }
  }
  const [sized, valued] = [false, true].map((uniform) =>
    resources.filter(({ name }) => kindOf(name).startsWith("uniform") === uniform)
  );
  const bufferNames = sized.map(({ name }) => name);
  const names = valued.flatMap(uniformNames);
  for (const name of Object.keys(buffers)) {
    if (!bufferNames.includes(name)) {
      refuse(`it binds no buffer ${name}; its buffers are ${list(bufferNames)}`);
    }
  }
  for (const name of Object.keys(uniforms)) {
    if (!names.includes(name)) {
      refuse(`it has no uniform ${name}; its uniforms are ${list(names)}`);
    }
  }
  const unsized = bufferNames.filter((name) => !buffers[name]);
  if (unsized.length > 0) {
    refuse(`no size is given of ${list(unsized)}; add --buffer ${unsized[0]}=ROWSxCOLUMNS`);
  }
  const unsaid = names.filter((name) => !uniforms[name]);
  if (unsaid.length > 0) {
    refuse(`no value is given of uniform ${list(unsaid)}; add --uniform ${unsaid[0]}=NUMBER`);
  }
}
