/**
 * Ways to attend that every form of attention is tested on.
 *
 * @module
 */
import { numbers } from "../compare.ts";
import type { AttentionShape } from "../reference/attention.ts";

/** A case: sizes, settings and masks on the host. */
export interface AttentionCase extends AttentionShape {
  /** Names the case in messages. */
  label: string;
}

/** Key padding (B, T): entry b hides its last b·T/B keys; the first stays. */
function padding(batch: number, time: number): AttentionShape["mask"] {
  const values = new Float32Array(batch * time).map((_, i) => {
    const [b, t] = [Math.floor(i / time), i % time];
    return t > 0 && t >= time - Math.floor(b * time / batch) ? -Infinity : 0;
  });
  return { values, shape: [batch, time] };
}

/** Ways to hide a key: the lowest number of f32 is that of transformers. */
const HIDDEN = [-Infinity, -3.4028234663852886e38];

/** Finite biases with holes: every fifth pair hidden, and all keys hidden from query 2. */
function biases(shape: readonly number[]): AttentionShape["mask"] {
  const time = shape.at(-1)!;
  const values = numbers(shape.reduce((a, b) => a * b), 77).map((v, i) =>
    i % 5 === 3 || (shape[2] > 2 && Math.floor(i / time) % shape[2] === 2) ? HIDDEN[i % 2] : 2 * v
  );
  return { values, shape };
}

const dropout = { probability: 0.2, seed: 9, step: 5, place: 3 };

/** Batch, time, heads and head size: single elements, odd ones, sizes just over a block, a head in slices. */
const SIZES = [
  [1, 1, 1, 1],
  [3, 1, 3, 12],
  [3, 7, 2, 5],
  [2, 8, 1, 16],
  [2, 9, 3, 6],
  [2, 13, 3, 7],
  [3, 29, 3, 12],
  [1, 65, 2, 33],
  [2, 130, 3, 12],
  [1, 135, 2, 7],
  [1, 33, 1, 64],
  [2, 9, 1, 70],
];

/** Without a mask: causal and bidirectional at each size. */
export function plainCases(): AttentionCase[] {
  return SIZES.flatMap(([batch, time, heads, headSize]) =>
    [true, false].map((causal) => ({
      label: `${causal ? "causal" : "bidirectional"} ${batch}×${time}×${heads}×${headSize}`,
      batch,
      time,
      heads,
      headSize,
      causal,
    }))
  );
}

/** With masks of every shape that repeats, a scale of its own, and dropout. */
export function maskedCases(): AttentionCase[] {
  return SIZES.slice(1, -2).flatMap(([batch, time, heads, headSize]) => {
    const base = { batch, time, heads, headSize };
    const size = `${batch}×${time}×${heads}×${headSize}`;
    return [
      { ...base, label: `padding ${size}`, causal: false, mask: padding(batch, time) },
      { ...base, label: `one mask ${size}`, causal: false, mask: biases([1, 1, time, time]) },
      {
        ...base,
        label: `mask a head ${size}`,
        causal: false,
        scale: 0.4,
        mask: biases([1, heads, time, time]),
      },
      { ...base, label: `mask a key ${size}`, causal: false, mask: biases([batch, 1, 1, time]) },
      {
        ...base,
        label: `causal, own masks, dropout ${size}`,
        causal: true,
        mask: biases([batch, heads, time, time]),
        dropout,
      },
    ];
  });
}
