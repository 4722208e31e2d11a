/**
 * Chunks of steps that the device runs while the host waits for others.
 *
 * @module
 */
import type { Device } from "../gpu/device.ts";
import type { NumericArray } from "../gpu/tensor.ts";

/** Chunks in flight, at most. */
const MOST_AHEAD = 6;
/** A wait for a read of more than so many milliseconds says that there could be more in flight. */
const WAITED = 3;

/** A chunk that the device has been given to run. */
export interface Ahead {
  /** Its first step. */
  begin: number;
  /** The step after its last. */
  end: number;
  /** Its results, to come. */
  read: ReturnType<Device["readLater"]>;
}

/**
 * Runs `count` steps chunk by chunk, with always more than one in flight, so that the device runs one
 * while the host waits for another. There are as few as that takes, since a sequence that ends throws
 * away what was run ahead: as long as the host has to wait for a read, there is one more of them.
 */
export async function runAhead(parts: {
  /** Steps. */
  count: number;
  /** Records and submits the chunk from this step on. */
  write: (begin: number) => Ahead;
  /** Takes the results of a chunk. */
  take: (results: NumericArray[], chunk: Ahead) => void;
  /** Whether no more are wanted. */
  done: () => boolean;
}): Promise<void> {
  const { count, write, take, done } = parts;
  const ahead: Ahead[] = [];
  let [written, depth] = [0, 2];
  try {
    while (!done() && (written < count || ahead.length > 0)) {
      if (written < count && ahead.length < depth) {
        ahead.push(write(written));
        written = ahead.at(-1)!.end;
      } else {
        const begun = performance.now();
        const chunk = ahead.shift()!;
        const results = await chunk.read.numbers();
        if (performance.now() - begun > WAITED) depth = Math.min(depth + 1, MOST_AHEAD);
        take(results, chunk);
      }
    }
  } finally {
    ahead.forEach(({ read }) => read.cancel());
  }
}
