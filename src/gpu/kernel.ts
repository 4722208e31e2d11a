/**
 * What the host knows of a shader, read from the WGSL itself: the names of its bindings, the
 * members of the struct that carries its sizes, and its overrides.
 *
 * The struct lies in read-only storage rather than in a uniform buffer: lavapipe writes what it finds in
 * uniform buffers into the shader as constants, and compiles it again (25 ms and more) at every
 * dispatch whose loops or branches hang on them.
 *
 * @module
 */
import { ResourceType, WgslReflect } from "npm:wgsl_reflect@1.6.0/wgsl_reflect.module.js";
import { VitrailError } from "../errors.ts";

/** One resource of an entry point. */
export interface Binding {
  /** The variable's name in the WGSL. */
  name: string;
  /** Its `@binding` number; the group is always 0. */
  index: number;
  /**
   * How the shader may use it. `uniform` is the struct of sizes, which travels with each dispatch;
   * `uniform_buffer` is a `var<uniform>`, of which our own shaders have none.
   */
  kind: "uniform" | "uniform_buffer" | "read" | "read_write" | "texture" | "texture_write";
  /** The alias of its element type, where it may hold f16 as well as f32. */
  alias?: string;
}

/** One member of the uniform struct. */
export interface UniformMember {
  /** Its name in the WGSL. */
  name: string;
  /** Byte offset within the struct. */
  offset: number;
  /** Its scalar type. */
  type: "u32" | "i32" | "f32";
}

/** An entry point with what it binds. */
export interface EntryPoint {
  /** The function's name. */
  name: string;
  /** Resources that it reaches, in binding order. */
  bindings: Binding[];
  /** The struct that carries sizes, if there is one; it is bound as read-only storage. */
  uniform: { name: string; byteLength: number; members: UniformMember[] } | undefined;
}

/** A type that may be f16 instead. */
const ALIAS = /^alias (\w+) = f32;$/gm;
/** A variable in storage, and the type of its elements or of their components. */
const STORED = /var<storage[^>]*> (\w+): array<(?:vec4<)?(\w+)>/g;
/** A texture that is written, whose format may be that of halves. */
const WRITTEN = /^(.*var (\w+): texture_storage_2d<)rgba32float,/gm;
let kernels = 0;

/** A named WGSL source, reflected when first used. */
export class Kernel {
  /** Unique in this process: two shaders may bear one name. */
  readonly id: number = kernels++;
  /** The shader's file name without its ending. */
  readonly name: string;
  /** WGSL, exactly as in the file. */
  readonly source: string;
  #entries: Map<string, EntryPoint> | undefined;
  #overrides: Set<string> | undefined;

  /** `name` is the shader's file name, and labels everything made from it. */
  constructor(name: string, source: string) {
    this.name = name;
    this.source = source;
  }

  /**
   * The WGSL in which the types of these aliases are f16. A shader that serves both types says
   * `alias real = f32;`, declares what it stores as `array<real>` or `array<vec4<real>>`, and computes in
   * f32; a dispatch that binds an f16 tensor to such a variable runs the same text with that alias changed.
   *
   * A name may also be that of a texture which is written: it then takes texels of halves. That is a format
   * and no type, so that it needs no `shader-f16`.
   */
  sourceWith(halves: readonly string[]): string {
    if (halves.length === 0) return this.source;
    let typed = false;
    const source = this.source.replace(ALIAS, (line, name) => {
      if (!halves.includes(name)) return line;
      typed = true;
      return `alias ${name} = f16;`;
    }).replace(
      WRITTEN,
      (line, head, name) => halves.includes(name) ? `${head}rgba16float,` : line,
    );
    // On the first line, so that a compiler's message still names the lines of the file.
    return typed ? `enable f16; ${source}` : source;
  }

  /** The entry point called `name`. */
  entry(name: string): EntryPoint {
    const entry = (this.#entries ??= this.#reflect()).get(name);
    if (!entry) throw new VitrailError(`Shader ${this.name} has no entry point ${name}`);
    return entry;
  }

  /** Names of the `override` constants. */
  get overrides(): Set<string> {
    this.#entries ??= this.#reflect();
    return this.#overrides!;
  }

  #reflect(): Map<string, EntryPoint> {
    const reflected = new WgslReflect(this.source);
    this.#overrides = new Set(reflected.overrides.map((o: { name: string }) => o.name));
    // The parser has put f32 in the place of each alias.
    const aliases = new Set([...this.source.matchAll(ALIAS)].map(([, name]) => name));
    const elements = new Map(
      [...this.source.matchAll(STORED)].map(([, variable, type]) => [variable, type]),
    );
    const aliasOf = (variable: string): string | undefined => {
      const type = elements.get(variable);
      return type !== undefined && aliases.has(type) ? type : undefined;
    };
    const entries = new Map<string, EntryPoint>();
    for (const fn of reflected.entry.compute) {
      // deno-lint-ignore no-explicit-any
      const resources = (fn.resources as any[]).toSorted((a, b) => a.binding - b.binding);
      const uniform = resources.find(isSizes);
      entries.set(fn.name, {
        name: fn.name,
        bindings: resources.map((r) => ({
          name: r.name,
          index: r.binding,
          kind: r === uniform ? "uniform" : kindOf(r),
          alias: aliasOf(r.name),
        })),
        uniform: uniform && {
          name: uniform.name,
          byteLength: Math.ceil(uniform.size / 16) * 16,
          // deno-lint-ignore no-explicit-any
          members: (uniform.members ?? uniform.type.members).map((m: any) => ({
            name: m.name,
            offset: m.offset,
            type: m.type.name,
          })),
        },
      });
    }
    return entries;
  }
}

/** A resource, as the parser tells it. */
interface Resource {
  resourceType: number;
  access: string;
  type: { name: string; isStruct: boolean; members?: { type: { name: string } }[] };
}

/** Whether it is a struct of single numbers that the shader only reads. */
function isSizes({ resourceType, access, type }: Resource): boolean {
  return resourceType === ResourceType.Storage && access === "read" && type.isStruct &&
    type.members!.every((member) => ["u32", "i32", "f32"].includes(member.type.name));
}

function kindOf({ resourceType, access, type: { name } }: Resource): Binding["kind"] {
  if (resourceType === ResourceType.Uniform) return "uniform_buffer";
  if (name.startsWith("texture_storage")) return "texture_write";
  if (name.startsWith("texture")) return "texture";
  return access === "read" ? "read" : "read_write";
}
