/**
 * jax-js, as far as the comparison uses it. It has a WebGPU backend that works under Deno.
 *
 * @module
 */

/** Name and version. */
export const NAME = "jax-js 0.1.25";

// In a variable, so that checking the project's types downloads none of the peers.
const SPECIFIER = "npm:@jax-js/jax@0.1.25";

/**
 * An array. Every function takes over the arrays that it is given; `.ref` keeps one alive for another
 * use.
 */
export interface JaxArray {
  readonly ref: JaxArray;
  readonly shape: number[];
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  sum(axis?: number): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(axes?: readonly number[]): JaxArray;
  slice(...index: (JaxArray | number | [] | [number, number])[]): JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** Arrays in objects and lists, as deep as one likes. */
export type JaxTree = JaxArray | JaxTree[] | { [name: string]: JaxTree };

/** The library. */
export interface Jax {
  init(device: string): Promise<string[]>;
  defaultDevice(device: string): void;
  jit<F>(f: F): F;
  vjp(
    f: (...primals: JaxArray[]) => JaxArray,
    primals: JaxArray[],
  ): [JaxArray, (cotangent: JaxArray) => JaxArray[]];
  valueAndGrad<T extends JaxTree, R extends JaxTree[]>(
    f: (parameters: T, ...rest: R) => JaxArray,
  ): (parameters: T, ...rest: R) => [JaxArray, T];
  numpy: {
    array(
      data: Float32Array | Int32Array | number,
      options?: { shape?: readonly number[]; dtype?: string },
    ): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    square(x: JaxArray): JaxArray;
  };
  nn: {
    dotProductAttention(
      q: JaxArray,
      k: JaxArray,
      v: JaxArray,
      options: { isCausal: boolean },
    ): JaxArray;
    gelu(x: JaxArray, options: { approximate: boolean }): JaxArray;
    logSoftmax(x: JaxArray): JaxArray;
    oneHot(ids: JaxArray, classes: number): JaxArray;
    standardize(x: JaxArray, axis: number, options: { epsilon: number }): JaxArray;
  };
}

/** The library with WebGPU as its default device. */
export async function loadJax(): Promise<Jax> {
  const jax: Jax = await import(SPECIFIER);
  await jax.init("webgpu");
  jax.defaultDevice("webgpu");
  return jax;
}
