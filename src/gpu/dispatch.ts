/**
 * What one dispatch is given, for the stream that records it and the profiler that watches it.
 *
 * @module
 */
import type { Overrides } from "./pipelines.ts";
import { VitrailError } from "../errors.ts";
import type { UniformMember } from "./kernel.ts";
import type { PooledBuffer } from "./pooled_buffer.ts";
import type { DType } from "./tensor.ts";
import type { ScratchTexture } from "./textures.ts";

/** What a variable of a shader may be bound to: a tensor, or a texture. */
export type Bindable =
  | { buffer: PooledBuffer; dtype?: DType; shape?: readonly number[] }
  | ScratchTexture;

/** What one dispatch binds and how far it reaches. */
export interface DispatchArguments {
  /** Tensors and textures by the names of the shader's variables. */
  bindings: Record<string, Bindable>;
  /** Members of the uniform struct by name. */
  uniforms?: Record<string, number>;
  /** Values of `override` constants by name. */
  overrides?: Overrides;
  /** Workgroups in x, y and z. */
  workgroups: readonly [number, number?, number?];
}

/** Whether a uniform of a type can hold a value. */
export function holds(type: UniformMember["type"], value: number): boolean {
  if (type === "f32") return typeof value === "number" && !Number.isNaN(value);
  return value === (type === "i32" ? value | 0 : value >>> 0);
}

/** The error of a uniform that cannot hold what it is given. */
export function notHeld(
  label: string,
  { name, type, value }: { name: string; type: UniformMember["type"]; value: number },
): VitrailError {
  const wanted = type === "f32" ? "a number" : `a whole number that ${type} holds`;
  return new VitrailError(`Cannot dispatch ${label}: ${name} is ${value}, wanted ${wanted}`);
}
