/**
 * What one dispatch is given, for the stream that records it and the profiler that watches it.
 *
 * @module
 */
import type { Overrides } from "./pipelines.ts";
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
