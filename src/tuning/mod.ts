/**
 * Which variants of kernels are fast on an adapter: what `mod.ts` shows of this room.
 *
 * @module
 */
export { tune, type TuneOptions, useKnown } from "./tune.ts";
export { type Machine, machineOf, TuningCache, type Winner } from "./cache.ts";
export { compare, type CompareOptions, type Comparison, confirm } from "./compare.ts";
