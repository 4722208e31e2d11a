/**
 * What a tuner found, kept in a file: one for each adapter, driver, release of Deno and of Vitrail.
 *
 * @module
 */
import { createHash } from "node:crypto";
import project from "../../deno.json" with { type: "json" };
import { writeFileAtomic } from "../formats/atomic_file.ts";
import { parseJson } from "../formats/json_file.ts";
import { anything, mapOf, object, optional, type Rule, text } from "../formats/json_rules.ts";
import { readSmallText } from "../formats/text_file.ts";
import type { Device } from "../gpu/device.ts";

/** The winner of one class of calls. */
export interface Winner {
  /** Its name. */
  variant: string;
  /** Its time as a share of the shipped variant's; absent where time was up before it was measured. */
  ratio?: number;
}

/** All that decides how fast a kernel runs, apart from the kernel. */
export interface Machine {
  /** The adapter's name: llvmpipe and some others tell the version of their driver in it. */
  adapter: string;
  /** The rest of what the adapter tells of itself. */
  info: Record<string, unknown>;
  /** Features and limits: where a name tells no version of the driver, a new one may show here. */
  abilities: string;
  /** Threads of the processor, where that is what shaders run on. */
  threads?: number;
  /** Release of Deno. */
  deno: string;
  /** Release of Vitrail, whose kernels these are. */
  vitrail: string;
}

/** What identifies the machine of a device. */
export function machineOf(device: Device): Machine {
  const { raw, description } = device;
  const { vendor, architecture, device: model } = raw.adapterInfo ?? {};
  const limits = Object.entries(readAll(raw.limits)).toSorted(([a], [b]) => a < b ? -1 : 1);
  return {
    adapter: description,
    info: { vendor, architecture, device: model },
    ...device.isCpu ? { threads: navigator.hardwareConcurrency } : {},
    abilities: hash([[...raw.features].toSorted(), limits]),
    deno: Deno.version.deno,
    vitrail: project.version,
  };
}

/** Limits are getters of a prototype, which no spread finds. */
function readAll(limits: GPUSupportedLimits): Record<string, unknown> {
  const names = Object.keys(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(limits)));
  const values = limits as unknown as Record<string, unknown>;
  return Object.fromEntries(
    names.filter((name) => typeof values[name] === "number").map((name) => [name, values[name]]),
  );
}

const hash = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);

/** Winners of one machine, in a folder. */
export class TuningCache {
  /** Where they lie. */
  readonly path: string;
  /** Whether nothing was kept for this machine before. */
  readonly isNew: boolean;
  readonly #machine: Machine;
  readonly #warn: (warning: string) => void;
  #winners: Map<string, Winner>;

  /**
   * Reads what is there. A file that cannot be understood is told of and then replaced: all that it
   * held can be measured again.
   */
  constructor(folder: string, machine: Machine, warn: (warning: string) => void = () => {}) {
    this.path = `${folder}/tuning-${hash(machine)}.json`;
    this.#machine = machine;
    this.#warn = warn;
    this.isNew = !isThere(this.path);
    this.#winners = this.#read();
  }

  /** The winner of a class, if it is known. */
  get(key: string): Winner | undefined {
    return this.#winners.get(key);
  }

  /** All winners. */
  get winners(): ReadonlyMap<string, Winner> {
    return this.#winners;
  }

  /**
   * Remembers winners, beside those that another process may have written meanwhile. A folder that
   * cannot be written is told of, and harms nothing but the next start.
   */
  add(winners: Record<string, Winner>): void {
    this.#winners = new Map([...this.#read(), ...Object.entries(winners)]);
    const sorted = [...this.#winners].toSorted(([a], [b]) => a < b ? -1 : 1);
    const contents = { machine: this.#machine, winners: Object.fromEntries(sorted) };
    try {
      writeFileAtomic(this.path, JSON.stringify(contents, null, 1) + "\n");
    } catch (error) {
      this.#warn(`what was measured is not remembered: ${(error as Error).message}`);
    }
  }

  #read(): Map<string, Winner> {
    if (!isThere(this.path)) return new Map();
    let text = "";
    try {
      text = readSmallText(this.path);
    } catch {
      // Reported below, as damaged.
    }
    const winners = winnersOf(text, this.#machine);
    if (!winners) this.#warn(`${this.path} is damaged and will be written anew`);
    return winners ?? new Map();
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What a file holds. */
const fileRule = object({
  machine: mapOf(anything),
  winners: mapOf(object({
    variant: text,
    ratio: optional({
      wanted: "a number above 0, up to 1",
      holds: (v) => typeof v === "number" && v > 0 && v <= 1,
    } as Rule<number>),
  })),
});

/** The winners of a file; nothing if it is not one that was written for this machine. */
function winnersOf(contents: string, machine: Machine): Map<string, Winner> | undefined {
  try {
    const { machine: written, winners } = parseJson(contents, fileRule);
    if (hash(written) !== hash(machine)) return undefined;
    return new Map(
      Object.entries(winners).map(([key, { variant, ratio }]) => [
        key,
        { variant, ...ratio != null && { ratio } },
      ]),
    );
  } catch {
    return undefined;
  }
}
