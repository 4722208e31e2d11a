/**
 * ONNX models (onnx.proto) written in TypeScript: nodes, weights, inputs and outputs to the bytes of a
 * file.
 *
 * @module
 */
import { sizeOf } from "../../../src/gpu/tensor.ts";
import { bytes, float, integer, join, message, type Pieces, text } from "./protobuf.ts";

/** Element types that the comparison uses, by their number in onnx.proto. */
const TYPES = { float32: 1, int32: 6, int64: 7 } as const;

/** An element type. */
export type OnnxType = keyof typeof TYPES;

/** A dimension: a length, or a name for one that is known only when the model runs. */
export type Dimension = number | string;

/** An attribute of a node: a whole number, whole numbers, a text, or a number written `{ float: x }`. */
export type Attribute = number | number[] | string | { float: number };

/** How rows are multiplied by a matrix: MatMul works in tiles, Einsum in a plain loop. */
export type ProductOperator = "MatMul" | "Einsum";

/** A graph under construction. Every value has a name; a node returns that of its first output. */
export class OnnxModel {
  #nodes: Pieces = [];
  #weights: Pieces = [];
  #inputs: Pieces = [];
  #outputs: Pieces = [];
  #count = 0;

  /** An input of the graph. */
  input(name: string, type: OnnxType, shape: readonly Dimension[]): string {
    this.#inputs.push(...message(11, ...valueInfo(name, type, shape)));
    return name;
  }

  /** Declares a value to be an output of the graph. */
  output(name: string, type: OnnxType, shape: readonly Dimension[]): void {
    this.#outputs.push(...message(12, ...valueInfo(name, type, shape)));
  }

  /** Numbers that belong to the model. */
  constant(
    data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>,
    shape: readonly number[] = [data.length],
  ): string {
    if (sizeOf(shape) !== data.length) {
      throw new Error(`${data.length} numbers do not fill (${shape.join(", ")})`);
    }
    const name = `weight_${this.#count++}`;
    const type: OnnxType = data instanceof Float32Array
      ? "float32"
      : data instanceof Int32Array
      ? "int32"
      : "int64";
    this.#weights.push(...message(
      5,
      ...shape.map((n) => integer(1, n)),
      integer(2, TYPES[type]),
      text(8, name),
      bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    ));
    return name;
  }

  /** Whole numbers in 64 bits, which shapes and axes are. */
  integers(...numbers: number[]): string {
    return this.constant(BigInt64Array.from(numbers, BigInt));
  }

  /** A node. An input of "" is left out; `outputs` names its outputs, else there is one. */
  node(
    operator: string,
    inputs: readonly string[],
    options: {
      attributes?: Record<string, Attribute>;
      outputs?: readonly string[];
      domain?: string;
    } = {},
  ): string {
    const { attributes = {}, outputs = [`unnamed_${this.#count++}`], domain } = options;
    this.#nodes.push(...message(
      1,
      ...inputs.map((name) => text(1, name)),
      ...outputs.map((name) => text(2, name)),
      text(3, `${operator}_${this.#count++}`),
      text(4, operator),
      ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      ...(domain ? [text(7, domain)] : []),
    ));
    return outputs[0];
  }

  /** A node of ONNX Runtime's own operators. */
  contributed(
    operator: string,
    inputs: readonly string[],
    options: { attributes?: Record<string, Attribute>; outputs?: readonly string[] } = {},
  ): string {
    return this.node(operator, inputs, { ...options, domain: "com.microsoft" });
  }

  /** x (rows, in) or, with `rank` 3, (batch, rows, in) times a matrix (in, out). */
  product(
    operator: ProductOperator,
    [x, matrix]: [string, string],
    { rank = 2, name }: { rank?: 2 | 3; name?: string } = {},
  ): string {
    const outputs = name ? [name] : undefined;
    // Not with an ellipsis, of which its WebGPU kernel makes a shader that does not compile.
    const equation = rank === 2 ? "ri,io->ro" : "bri,io->bro";
    return operator === "MatMul"
      ? this.node("MatMul", [x, matrix], { outputs })
      : this.node("Einsum", [x, matrix], { attributes: { equation }, outputs });
  }

  /** The file: a `ModelProto` of IR version 8, operator set 17 and ONNX Runtime's own. */
  encode(): Uint8Array<ArrayBuffer> {
    const graph = message(
      7,
      this.#nodes,
      text(2, "graph"),
      this.#weights,
      this.#inputs,
      this.#outputs,
    );
    const operators = message(8, integer(2, 17));
    const contributed = message(8, text(1, "com.microsoft"), integer(2, 1));
    return join([...integer(1, 8), ...graph, ...operators, ...contributed]);
  }
}

function attribute(name: string, value: Attribute): Pieces {
  const [FLOAT, INTEGER, TEXT, INTEGERS] = [1, 2, 3, 7];
  if (typeof value === "number") {
    return message(5, text(1, name), integer(3, value), integer(20, INTEGER));
  }
  if (Array.isArray(value)) {
    return message(5, text(1, name), ...value.map((n) => integer(8, n)), integer(20, INTEGERS));
  }
  if (typeof value === "string") {
    return message(5, text(1, name), text(4, value), integer(20, TEXT));
  }
  return message(5, text(1, name), float(2, value.float), integer(20, FLOAT));
}

function valueInfo(name: string, type: OnnxType, shape: readonly Dimension[]): Pieces[] {
  const dimensions = shape.map((d) =>
    message(1, typeof d === "number" ? integer(1, d) : text(2, d))
  );
  return [
    text(1, name),
    message(2, message(1, integer(1, TYPES[type]), message(2, ...dimensions))),
  ];
}
