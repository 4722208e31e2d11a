/**
 * Opens every directory that make_config_sweep.py made, and prints those that are neither equal to
 * transformers within 1e-5 nor refused by the name of what was changed.
 *
 *     deno run --allow-read --allow-env scripts/reference/sweep_configs.ts OUT [PATTERN]
 *
 * @module
 */
import { openDevice } from "../../mod.ts";
import { type ConfigCase, type Outcome, tryCase } from "../../tests/models/config_cases.ts";

const [root, pattern = ""] = Deno.args;
const device = await openDevice();
const counts: Partial<Record<Outcome["kind"], number>> = {};
let worst = 0;
for (const { name } of [...Deno.readDirSync(root)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  if (!name.match(pattern)) continue;
  const directory = `${root}/${name}`;
  const expected: ConfigCase = JSON.parse(Deno.readTextFileSync(`${directory}/expected.json`));
  // transformers' own code fails on it; the weights are the same either way.
  if (expected.changes.return_dict === false && expected.refused?.includes("'tuple'")) continue;
  const { kind, detail } = await tryCase(device, directory, expected);
  counts[kind] = (counts[kind] ?? 0) + 1;
  if (kind === "equal") worst = Math.max(worst, Number(detail));
  if (kind === "equal" || kind === "refused" && !pattern) continue;
  console.log(`${kind}\t${name}\t${JSON.stringify(expected.changes)}\t${detail}`);
}
console.log(counts, `largest difference of those that are equal: ${worst.toExponential(2)}`);
device.destroy();
