/**
 * Signals that ask a command to end, as one {@linkcode AbortSignal}.
 *
 * @module
 */

import { VitrailError } from "../errors.ts";
import { outliveTerminal, printNotice } from "./printer.ts";

/** A command that a signal ended before its result was there. */
export class Interrupted extends VitrailError {
  /** The exit code. */
  readonly code: number;

  /** @param message what is kept, and how to go on */
  constructor(message: string, code = 130) {
    super(message);
    this.code = code;
  }
}

/** What shells expect of a program that a signal ended: 128 and the signal's number. */
const CODES: Partial<Record<Deno.Signal, number>> = {
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
  SIGBREAK: 130,
};

/** Ctrl-C, a system that shuts down or a scheduler, and a terminal that was closed. */
function signals(): Deno.Signal[] {
  if (Deno.build.os === "windows") return ["SIGINT", "SIGBREAK"];
  return ignoresHangup() ? ["SIGINT", "SIGTERM"] : ["SIGINT", "SIGTERM", "SIGHUP"];
}

/**
 * Under nohup a closed terminal ends nothing. Deno ends all the same, unless a listener takes the signal: this one takes it,
 * and does nothing else.
 */
export function outliveHangup(): void {
  if (Deno.build.os !== "windows" && ignoresHangup()) Deno.addSignalListener("SIGHUP", () => {});
}

/** Whether the launcher was started so that it ignores closed terminals. */
function ignoresHangup(): boolean {
  const variable = "VITRAIL_NOHUP";
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" && Boolean(Deno.env.get(variable));
}

/**
 * Listens for signals that ask for an end: the first asks, the second leaves at once.
 *
 * @example
 * ```ts ignore
 * using interrupt = new Interrupt("saving after this step");
 * while (!interrupt.signal.aborted) step();
 * ```
 */
export class Interrupt implements Disposable {
  readonly #abort = new AbortController();
  readonly #listeners: { signal: Deno.Signal; listener: () => void }[];
  #code: number | undefined;

  /** @param action what happens now, for the line that the first signal prints */
  constructor(action: string) {
    this.#listeners = signals().map((signal) => {
      const code = CODES[signal]!;
      const listener = (): void => {
        if (this.#code !== undefined) Deno.exit(code);
        this.#code = code;
        this.#abort.abort();
        if (signal === "SIGHUP") outliveTerminal();
        const again = signal === "SIGINT" ? "; press Ctrl-C again to leave at once" : "";
        printNotice(`\nInterrupted: ${action}${again}`);
      };
      Deno.addSignalListener(signal, listener);
      return { signal, listener };
    });
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The exit code by which the process should end; none if no signal came. */
  get code(): number | undefined {
    return this.#code;
  }

  /** Listens no more. */
  [Symbol.dispose](): void {
    for (const { signal, listener } of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}
