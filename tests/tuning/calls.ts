/** Calls whose variants are what a test says they are. @module */

import type { NotedCall } from "../../src/gpu/variants.ts";
import { copyInto } from "../../src/kernels/copy.ts";

/** How often a variant copies, and from what: the right numbers, numbers that are off, or none. */
export interface FakeVariant {
  times: number;
  off?: number;
}

/** Numbers that are copied: enough that a copy takes longer than a timestamp's grain. */
export const SIZE = 197 * 1031;

/** A call that copies numbers; `counts` says how often each variant was run. */
export function fakeCall(
  key: string,
  variants: { shipped: FakeVariant } & Record<string, FakeVariant>,
): NotedCall & { counts: Record<string, number> } {
  const counts: Record<string, number> = {};
  return {
    key,
    shipped: "shipped",
    count: 1,
    counts,
    call: {
      candidates: Object.keys(variants).filter((name) => name !== "shipped"),
      flops: 1,
      prepare: (device, random) => {
        const x = random([SIZE]);
        const wrong = device.zeros([SIZE]);
        const out = device.zeros([SIZE]);
        return {
          outputs: [out],
          run: (variant) => {
            counts[variant] = (counts[variant] ?? 0) + 1;
            const { times, off } = variants[variant];
            for (let i = 0; i < times; i++) copyInto(x, out);
            if (off === undefined) return;
            wrong.device.write(wrong, new Float32Array(SIZE).fill(off));
            // One number in the middle.
            device.commands.copy(wrong.buffer, out.buffer, 4, { target: 4 * (SIZE >> 1) });
          },
        };
      },
    },
  };
}
