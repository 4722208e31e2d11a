/**
 * What a profile says of a shader without running it: workgroup size and workgroup memory, found from
 * the WGSL under the overrides that a dispatch gave.
 *
 * @module
 */
import { WgslParser, WgslReflect } from "npm:wgsl_reflect@1.6.0/wgsl_reflect.module.js";
import type { Kernel } from "../gpu/kernel.ts";
import type { Overrides } from "../gpu/pipelines.ts";

/** What is known of an entry point before it runs. */
export interface ShaderFacts {
  /** Names of what it binds, each with how it may use it. */
  bindings: string[];
  /** Invocations in x, y and z. */
  workgroupSize: [number, number, number];
  /** Bytes of `var<workgroup>` that it reaches. */
  workgroupBytes: number;
}

type Names = (name: string) => number;

/** Bytes of a scalar, vector or matrix; wgsl_reflect tells no sizes of types outside structs. */
function byteLengthOf(type: string): number {
  const scalar = type.endsWith("h") || type.endsWith("f16>") ? 2 : 4;
  const vector = type.match(/^vec([234])/);
  if (vector) return scalar * (vector[1] === "3" ? 4 : Number(vector[1]));
  const matrix = type.match(/^mat([234])x([234])/);
  if (matrix) return scalar * Number(matrix[1]) * (matrix[2] === "3" ? 4 : Number(matrix[2]));
  return scalar;
}

/** The value of an expression of whole numbers, names, `+ - * / %` and parentheses. */
export function evaluate(expression: string, valueOf: Names): number {
  const tokens = expression.match(/[A-Za-z_]\w*|0x[\da-f]+|\d+(?=[ui]?)|[-+*/%()]/gi) ?? [];
  // The suffixes of `4u` and `4i` are left behind by the pattern and read as names.
  const words = tokens.filter((t, i) =>
    !(/^[ui]$/.test(t) && /^(\d|0x)/.test(tokens[i - 1] ?? ""))
  );
  let at = 0;
  const factor = (): number => {
    const word = words[at++];
    if (word === "-") return -factor();
    if (word === "(") {
      const value = terms();
      at++;
      return value;
    }
    return /^\d/.test(word) ? Number(word) : valueOf(word);
  };
  const products = (): number => {
    let value = factor();
    while (at < words.length && "*/%".includes(words[at])) {
      const operator = words[at++];
      const right = factor();
      if (operator === "*") value *= right;
      else value = operator === "/" ? Math.trunc(value / right) : value % right;
    }
    return value;
  };
  const terms = (): number => {
    let value = products();
    while (at < words.length && "+-".includes(words[at])) {
      value += words[at++] === "+" ? products() : -products();
    }
    return value;
  };
  return terms();
}

/** Values of `override` and `const` declarations, the given ones first. */
function namesOf(source: string, overrides: Overrides): Names {
  const declared = new Map(
    [...source.matchAll(/\b(?:override|const)\s+(\w+)\s*(?::[^=;]*)?=\s*([^;]+);/g)]
      .map(([, name, value]) => [name, value]),
  );
  const valueOf = (name: string): number => {
    if (name === "true" || name === "false") return Number(name === "true");
    if (overrides[name] !== undefined) return Number(overrides[name]);
    const expression = declared.get(name);
    return expression === undefined ? NaN : evaluate(expression, valueOf);
  };
  return valueOf;
}

/** What the parser says of a `var<workgroup>`. */
interface WorkgroupVariable {
  astNodeType: string;
  storage?: string;
  name: string;
  start: number;
  end: number;
  type: { name: string; format?: { name: string } };
}

/** Reads a shader's facts; an expression beyond arithmetic gives NaN, which shows as unknown. */
export function shaderFacts(
  { source }: Kernel,
  entryPoint: string,
  overrides: Overrides = {},
): ShaderFacts {
  const valueOf = namesOf(source, overrides);
  const reflected = new WgslReflect(source);
  const functions = new Map<string, { startLine: number; endLine: number }>();
  // deno-lint-ignore no-explicit-any -- the library's types name less than it gives
  const called = (fn: any): void => {
    if (functions.has(fn.name)) return;
    functions.set(fn.name, fn);
    for (const inner of fn.calls ?? []) called(inner);
  };
  const main = reflected.entry.compute.find(({ name }: { name: string }) => name === entryPoint)!;
  called(main);
  const lines = source.split("\n");
  const reached = [...functions.values()]
    .map(({ startLine, endLine }) => lines.slice(startLine - 1, endLine).join("\n")).join("\n");

  const variables = (new WgslParser().parse(source) as unknown as WorkgroupVariable[])
    .filter((node) => node.astNodeType === "var" && node.storage === "workgroup")
    .filter(({ name }) => new RegExp(`\\b${name}\\b`).test(reached));
  const workgroupBytes = variables.reduce((sum, { type, start, end }) => {
    if (type.name !== "array") return sum + byteLengthOf(type.name);
    // The parser knows no overrides, so the count is read from the text.
    const count = source.slice(start, end).match(/,([^,]*)>[^>]*$/)?.[1] ?? "1";
    return sum + byteLengthOf(type.format?.name ?? "f32") * evaluate(count, valueOf);
  }, 0);

  const attributes = source.slice(0, source.search(new RegExp(`\\bfn\\s+${entryPoint}\\b`)));
  const size = attributes.slice(attributes.lastIndexOf("@workgroup_size"))
    .match(/\(((?:[^()]|\([^()]*\))*)\)/)?.[1] ?? "1";
  const [x, y = 1, z = 1] = size.split(",").filter((t) => t.trim()).map((t) =>
    evaluate(t, valueOf)
  );
  const bindings = (main.resources as { name: string; access: string }[])
    .map(({ name, access }) => access ? `${name} (${access})` : name);
  return { bindings, workgroupSize: [x, y, z], workgroupBytes };
}
