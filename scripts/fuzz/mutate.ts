/**
 * Ways to damage a file: of its bytes, of the JSON in it, of its lines.
 *
 * @module
 */
import { below, type Random } from "../../src/data/random.ts";

/** How a file is built, which decides what can be done to it. */
export type Kind = "json" | "jsonl" | "safetensors" | "text" | "binary";

/** What was done to a file, in a word or two, and its contents afterwards. */
export interface Mutant {
  what: string;
  bytes: Uint8Array;
}

const utf8 = new TextEncoder();
const pick = <T>(random: Random, items: readonly T[]): T => items[below(random, items.length)];

/** Values that a careless reader trips over, by kind. */
const HOSTILE: readonly unknown[] = [
  null,
  true,
  "",
  "x",
  0,
  -1,
  -3,
  1.5,
  1e15,
  1e308,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  [],
  {},
  [[]],
  [null],
  { length: 1e9 },
  { length: -1 },
  { toString: 1 },
  { valueOf: { toString: null } },
  "NaN",
  "../../../etc/passwd",
  "/etc/passwd",
  "a\u0000b",
  "\ud800",
  "\u001b]0;x\u0007\u202e",
  "__proto__",
  "constructor",
  "(a+)+$",
  "(a|a)*b",
  "[",
  "x".repeat(100_000),
  Array.from({ length: 5000 }, (_, i) => i),
];

/** Spellings that no value of JavaScript has. */
const RAW = [
  "[".repeat(20_000) + "]".repeat(20_000),
  '{"a":'.repeat(3_000) + "1" + "}".repeat(3_000),
  "1e400",
  "-0",
  "123456789012345678901234567890",
  '{"__proto__":{"x":1}}',
  '{"a":1,"a":2}',
  '"\\ud83d"',
  "NaN",
  "'x'",
];

/** All places of a value that hold another: [container, key]. */
function placesIn(value: unknown, found: [object, string][] = []): [object, string][] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    if (found.length > 5000) break;
    found.push([value, key]);
    placesIn((value as Record<string, unknown>)[key], found);
  }
  return found;
}

const MARK = "\ue000here\ue000";

/** One change of a JSON text's values or keys. */
export function mutateJson(text: string, random: Random): { what: string; text: string } {
  const root = JSON.parse(text);
  const places = placesIn(root);
  if (places.length === 0) return { what: "replace root", text: pick(random, RAW) };
  // Half of the time near the root: a vocabulary would else take all changes.
  const shallow = places.slice(0, 12);
  const [at, key] = pick(random, below(random, 2) === 0 ? shallow : places);
  const container = at as Record<string, unknown>;
  const value = container[key];
  const put = (next: unknown): string => {
    Object.defineProperty(container, key, {
      value: next,
      enumerable: true,
      configurable: true,
      writable: true,
    });
    return JSON.stringify(root);
  };
  switch (below(random, 9)) {
    case 0:
    case 1:
    case 2:
      return { what: `${key} hostile`, text: put(pick(random, HOSTILE)) };
    case 3: {
      const raw = pick(random, RAW);
      return { what: `${key} raw`, text: put(MARK).replace(JSON.stringify(MARK), () => raw) };
    }
    case 4:
      if (Array.isArray(at)) at.splice(Number(key), 1);
      else delete container[key];
      return { what: `${key} removed`, text: JSON.stringify(root) };
    case 5: {
      const other = pick(random, ["__proto__", "constructor", "toString", key + "x", "", "0"]);
      delete container[key];
      Object.defineProperty(container, other, { value, enumerable: true, configurable: true });
      return { what: `${key} renamed ${other}`, text: JSON.stringify(root) };
    }
    case 6: {
      const number = typeof value === "number" ? value : 1;
      const next = pick(random, [-number, number + 1, number * 1000, number / 3, String(number)]);
      return { what: `${key} number`, text: put(next) };
    }
    case 7: {
      const [from, fromKey] = pick(random, places);
      return {
        what: `${key} from ${fromKey}`,
        text: put(structuredClone((from as typeof container)[fromKey])),
      };
    }
    default:
      return {
        what: `${key} wrapped`,
        text: put(pick(random, [[value], { [key]: value }, [value, value]])),
      };
  }
}

/** One change of bytes, of any file. */
export function mutateBytes(bytes: Uint8Array, random: Random): Mutant {
  const size = bytes.length;
  const at = below(random, size + 1);
  const end = Math.min(size, at + below(random, 64));
  const join = (...parts: Uint8Array[]): Uint8Array => {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of parts) {
      whole.set(part, offset);
      offset += part.length;
    }
    return whole;
  };
  const insert = (what: string, part: Uint8Array): Mutant => ({
    what,
    bytes: join(bytes.subarray(0, at), part, bytes.subarray(at)),
  });
  switch (below(random, 10)) {
    case 0: {
      const changed = bytes.slice();
      for (let n = below(random, 4); n >= 0 && size > 0; n--) {
        changed[below(random, size)] ^= 1 << below(random, 8);
      }
      return { what: "flipped", bytes: changed };
    }
    case 1:
      return { what: "cut short", bytes: bytes.slice(0, at) };
    case 2:
      return { what: "duplicated", bytes: join(bytes, bytes.subarray(0, at)) };
    case 3:
      return { what: "part removed", bytes: join(bytes.subarray(0, at), bytes.subarray(end)) };
    case 4:
      return insert("part repeated", bytes.subarray(at, end));
    case 5:
      return insert("NUL", new Uint8Array(1 + below(random, 3)));
    case 6:
      return insert("not UTF-8", Uint8Array.of(pick(random, [0xff, 0xc0, 0xed]), 0xa0, 0x80));
    case 7:
      return insert("byte-order mark", Uint8Array.of(0xef, 0xbb, 0xbf));
    case 8:
      return insert(
        "separators",
        utf8.encode(pick(random, ['"', '""', ",", "\t", "\r", "\n\n", ";", "#", "\u2028"])),
      );
    default:
      return insert(
        "long",
        utf8.encode(pick(random, ["x", " ", "\n", '"', "[", "1", "\\"]).repeat(50_000)),
      );
  }
}

/** A safetensors file with one change of its header, whose length is right again. */
function mutateHeader(bytes: Uint8Array, random: Random): Mutant {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  const metadata = JSON.parse(header).__metadata__ as Record<string, string> | undefined;
  const inner = Object.entries(metadata ?? {}).find(([, text]) => text.startsWith("{"));
  let { what, text } = mutateJson(header, random);
  if (inner && below(random, 2) === 0) {
    // JSON inside JSON: the state of a checkpoint.
    const changed = mutateJson(inner[1], random);
    const root = JSON.parse(header);
    root.__metadata__[inner[0]] = changed.text;
    [what, text] = [`${inner[0]}: ${changed.what}`, JSON.stringify(root)];
  }
  const json = utf8.encode(text);
  const whole = new Uint8Array(8 + json.length + bytes.length - 8 - length);
  new DataView(whole.buffer).setBigUint64(0, BigInt(json.length), true);
  whole.set(json, 8);
  whole.set(bytes.subarray(8 + length), 8 + json.length);
  return { what, bytes: whole };
}

/** One change of a file of some kind. */
export function mutate(bytes: Uint8Array, kind: Kind, random: Random): Mutant {
  const structured = below(random, 10) < 7;
  if (!structured || kind === "text" || kind === "binary") return mutateBytes(bytes, random);
  if (kind === "safetensors") return mutateHeader(bytes, random);
  const text = new TextDecoder().decode(bytes);
  if (kind === "json") {
    const changed = mutateJson(text, random);
    return { what: changed.what, bytes: utf8.encode(changed.text) };
  }
  const lines = text.split("\n");
  const whole = lines.flatMap((line, i) => line.trim() === "" ? [] : [i]);
  const line = pick(random, whole);
  const changed = mutateJson(lines[line], random);
  lines[line] = changed.text;
  return { what: `line ${line + 1}, ${changed.what}`, bytes: utf8.encode(lines.join("\n")) };
}
