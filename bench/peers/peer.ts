/**
 * What the comparison asks of a library: two matrices once, then a chain of products.
 *
 * @module
 */

/** Two square matrices, row-major. */
export interface Problem {
  /** Rows and columns of both. */
  n: number;
  /** (n, n). */
  a: Float32Array<ArrayBuffer>;
  /** (n, n). */
  b: Float32Array<ArrayBuffer>;
}

/** A library with both matrices on the device. */
export interface Session {
  /**
   * Computes a·b, then (a·b)·b and so on, `calls` products in all, and reads the last one back with a
   * single wait. It is a chain because a lazy library never computes a product that nobody reads.
   */
  run(calls: number): Promise<Float32Array>;
  /** Gives the matrices back. */
  dispose(): void;
}

/** A library under comparison. */
export interface Peer {
  /** Its name and version. */
  name: string;
  /** Loads it, and puts the problem on the device. */
  open(problem: Problem): Promise<Session>;
}

/** What a library did with WebGPU since `reset`: the proof that no product was left out. */
export interface Work {
  /** Calls of `dispatchWorkgroups`. */
  dispatches: number;
  /** Calls of `mapAsync` and `onSubmittedWorkDone`. */
  waits: number;
}

/** Counts the work of every device of this process. Call it before a library is loaded. */
export function countWork(): { work: Work; reset: () => void } {
  const work: Work = { dispatches: 0, waits: 0 };
  const count = <T extends object>(prototype: T, method: keyof T, key: keyof Work): void => {
    const original = prototype[method] as (...args: unknown[]) => unknown;
    prototype[method] = function (this: T, ...args: unknown[]): unknown {
      work[key]++;
      return original.apply(this, args);
    } as T[keyof T];
  };
  count(GPUComputePassEncoder.prototype, "dispatchWorkgroups", "dispatches");
  count(GPUBuffer.prototype, "mapAsync", "waits");
  count(GPUQueue.prototype, "onSubmittedWorkDone", "waits");
  return { work, reset: () => void Object.assign(work, { dispatches: 0, waits: 0 }) };
}
