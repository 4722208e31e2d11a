/**
 * A library that offers several ways to do the same work is given the one that is fastest here.
 *
 * @module
 */
import type { Session } from "../task.ts";

/** Opens each way, times its better of two runs after one that compiles it, and keeps the fastest. */
export async function fastest(
  ways: Record<string, () => Promise<Session>>,
  calls = 1,
): Promise<Session> {
  let best: { way: string; session: Session; time: number } | undefined;
  const reasons: string[] = [];
  for (const [way, open] of Object.entries(ways)) {
    try {
      const session = await open();
      await session.run(calls);
      const times: number[] = [];
      for (let i = 0; i < 2; i++) {
        const begun = performance.now();
        await session.run(calls);
        times.push(performance.now() - begun);
      }
      const time = Math.min(...times);
      if (best && best.time <= time) {
        session.dispose();
        continue;
      }
      best?.session.dispose();
      best = { way, session, time };
    } catch (cause) {
      reasons.push(`${way}: ${(cause as Error).message}`);
    }
  }
  if (!best) throw new Error(reasons.join("; "));
  const { way, session } = best;
  return { way, run: (n) => session.run(n), dispose: () => session.dispose() };
}
