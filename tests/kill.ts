/** Killing a process in the middle of its work, and making sure that it was there. @module */
import assert from "node:assert/strict";

/** A process that can be killed. */
export interface Killable {
  /** Sends a signal. */
  kill(signal: Deno.Signal): void;
  /** How it ended. */
  readonly ended: Promise<{ code: number; stderr?: string }>;
}

/** Exit codes of processes that these signals ended. */
const CODES: Partial<Record<Deno.Signal, number>> = { SIGKILL: 137, SIGTERM: 143, SIGINT: 130 };

/**
 * Waits until a process has come as far as `ready` says, sends it a signal, and waits for its end.
 *
 * @throws {AssertionError} if it ended by itself: then the test would prove nothing
 */
export async function killWhen(
  child: Killable,
  ready: () => boolean,
  signal: Deno.Signal = "SIGKILL",
): Promise<void> {
  let over = false;
  child.ended.then(() => over = true);
  while (!over && !ready()) await new Promise((done) => setTimeout(done, 1));
  if (!over) child.kill(signal);
  const { code, stderr = "" } = await child.ended;
  assert.equal(code, CODES[signal], `it ended by itself with ${code}, before ${signal}: ${stderr}`);
}
