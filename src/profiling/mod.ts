/**
 * Where the time and the memory go: what `mod.ts` shows of this room, and of the stopwatch below it.
 *
 * @module
 */
export {
  attachProfiler,
  type ProfiledEvent,
  Profiler,
  type Recording,
  type Stretch,
} from "../gpu/profiler.ts";
export type { BufferFill, Given } from "./own_shader.ts";
export { type KernelProfileOptions, profileKernels } from "./kernel_profile.ts";
export type { Case } from "./cases/operands.ts";
export { profilePage } from "./profile_page.ts";
export { profileShader, type ShaderOutput, type ShaderProfileOptions } from "./shader_profile.ts";
export { type Profiled, profileGenerate, profileStep, type WorkloadSizes } from "./workloads.ts";
export type { Work } from "../kernels/work.ts";
export { record, type TimedRecording, type Timing } from "./record.ts";
export { measureRoof, type Roof } from "./roof.ts";
export type { ShaderFacts } from "./shader_facts.ts";
export { type KernelRow, type Profile, summarize, type SummaryOptions } from "./summary.ts";
export {
  type BatchLimit,
  ghostWeights,
  largestBatch,
  type PlanOptions,
  planStep,
  type StepBuilder,
  type StepMemory,
  type StepPlan,
} from "./step_plan.ts";
export { profileTable } from "./table.ts";
export { type Trace, type TraceEvent, traceOf } from "./trace.ts";
