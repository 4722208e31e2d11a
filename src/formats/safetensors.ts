/** Safetensors files: open and read, write, and the weights of a model directory. @module */

export { openSafetensors, type SafetensorsFile } from "./safetensors_reader.ts";
export { openAdapterWeights, openModelWeights } from "./sharded_safetensors.ts";
export {
  type TensorData,
  type TensorToWrite,
  type WritableDtype,
  writeSafetensors,
} from "./safetensors_writer.ts";
export type { TensorInfo } from "./safetensors_header.ts";
export type { SafetensorsDtype } from "./safetensors_dtypes.ts";
