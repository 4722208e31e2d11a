/**
 * TensorFlow.js on its WebGPU backend, as far as the comparison uses it. It needs no shim under Deno.
 *
 * @module
 */

/** Name and version. */
export const NAME = "tfjs-webgpu 4.22.0";

// In variables, so that checking the project's types downloads none of the peers.
const CORE = "npm:@tensorflow/tfjs-core@4.22.0";
const WHOLE = "npm:@tensorflow/tfjs@4.22.0";
const BACKEND = "npm:@tensorflow/tfjs-backend-webgpu@4.22.0";

/** A tensor, which is given back by `dispose` or by the `tidy` that it was made in. */
export interface TfTensor {
  readonly shape: number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** A tensor that changes. */
export interface TfVariable extends TfTensor {
  readonly name: string;
  assign(value: TfTensor): void;
}

/** Gradients by the name of their variable. */
export type TfGradients = Record<string, TfTensor>;

/** The library. */
export interface Tf {
  setBackend(name: string): Promise<boolean>;
  tidy<T>(work: () => T): T;
  dispose(tensors: TfTensor[]): void;
  keep<T extends TfTensor>(tensor: T): T;
  tensor(
    data: Float32Array | Int32Array | ArrayLike<number>,
    shape: readonly number[],
    type?: "float32" | "int32",
  ): TfTensor;
  variable(value: TfTensor, trainable: boolean, name: string): TfVariable;
  matMul(a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean): TfTensor;
  add(a: TfTensor, b: TfTensor | number): TfTensor;
  sub(a: TfTensor, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor | number): TfTensor;
  rsqrt(x: TfTensor): TfTensor;
  tanh(x: TfTensor): TfTensor;
  softmax(x: TfTensor): TfTensor;
  stack(tensors: TfTensor[]): TfTensor;
  concat(tensors: TfTensor[]): TfTensor;
  split(x: TfTensor, parts: number, axis: number): TfTensor[];
  slice(x: TfTensor, begin: readonly number[], size: readonly number[]): TfTensor;
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  transpose(x: TfTensor, axes: readonly number[]): TfTensor;
  gather(x: TfTensor, ids: TfTensor): TfTensor;
  oneHot(ids: TfTensor, classes: number): TfTensor;
  moments(x: TfTensor, axis: number, keepDims: boolean): { mean: TfTensor; variance: TfTensor };
  losses: { softmaxCrossEntropy(labels: TfTensor, logits: TfTensor): TfTensor };
  grads(
    f: (...x: TfTensor[]) => TfTensor,
  ): (x: TfTensor[], dy: TfTensor) => TfTensor[];
  valueAndGrads(
    f: (...x: TfTensor[]) => TfTensor,
  ): (x: TfTensor[], dy: TfTensor) => { value: TfTensor; grads: TfTensor[] };
  variableGrads(
    f: () => TfTensor,
    variables: TfVariable[],
  ): { value: TfTensor; grads: TfGradients };
  train: {
    adam(
      rate: number,
      beta1: number,
      beta2: number,
      epsilon: number,
    ): { applyGradients(gradients: TfGradients): void; dispose(): void };
  };
}

/** The library with its WebGPU backend. */
export async function loadTf(): Promise<Tf> {
  const tf: Tf = await import(CORE);
  // It brings the gradients of the operations, which the core by itself does not have under Deno.
  await import(WHOLE);
  await import(BACKEND);
  if (!await tf.setBackend("webgpu")) throw new Error("tfjs has no WebGPU backend here");
  return tf;
}
