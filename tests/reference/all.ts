/** Every reference that the tests of f16 compare with. @module */

export * from "./add.ts";
export * from "./attention.ts";
export { crossEntropy, crossEntropyBackward } from "./cross_entropy.ts";
export { dropout, dropoutBackward } from "./dropout.ts";
export * from "./embedding.ts";
export * from "./gather_rows.ts";
export * from "./gelu.ts";
export * from "./layer_norm.ts";
export * from "./matmul.ts";
export * from "./norm_parts.ts";
export * from "./tanh.ts";
