/**
 * What the libraries did with WebGPU: the proof that no work was left out, and on which adapter.
 *
 * @module
 */

/** Calls since `reset`. */
export interface Work {
  /** Calls of `dispatchWorkgroups` and of its indirect form. */
  dispatches: number;
  /** Calls of `mapAsync` and `onSubmittedWorkDone`. */
  waits: number;
}

/** A running count. */
export interface WorkCounter {
  /** The count. */
  readonly work: Work;
  /** Every adapter that was given out, by its description. */
  readonly adapters: ReadonlySet<string>;
  /** Begins at zero again. */
  reset(): void;
}

/** Counts the work of every device of this process. Call it before a library opens one. */
export function countWork(): WorkCounter {
  const work: Work = { dispatches: 0, waits: 0 };
  const adapters = new Set<string>();
  const count = <T extends object>(prototype: T, method: keyof T, key: keyof Work): void => {
    const original = prototype[method] as (...args: unknown[]) => unknown;
    prototype[method] = function (this: T, ...args: unknown[]): unknown {
      work[key]++;
      return original.apply(this, args);
    } as T[keyof T];
  };
  count(GPUComputePassEncoder.prototype, "dispatchWorkgroups", "dispatches");
  count(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", "dispatches");
  count(GPUBuffer.prototype, "mapAsync", "waits");
  count(GPUQueue.prototype, "onSubmittedWorkDone", "waits");
  const request = GPU.prototype.requestAdapter;
  GPU.prototype.requestAdapter = async function (...args): Promise<GPUAdapter | null> {
    const adapter = await request.apply(this, args);
    if (adapter) adapters.add(adapter.info.description);
    return adapter;
  };
  return { work, adapters, reset: () => void Object.assign(work, { dispatches: 0, waits: 0 }) };
}
