/**
 * `vitrail probe attention`: where each head looks, and how far that may carry.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from "commander";
import {
  type AttentionFindings,
  attentionPage,
  bestOf,
  examineAttention,
  headPicture,
  KINDS,
  readPlace,
  rolloutPicture,
  rolloutRow,
} from "../probes/attention/findings.ts";
import { type HeadId, headMap, headName } from "../probes/attention/maps.ts";
import { asWritten, tokenLabel } from "../probes/token_labels.ts";
import { hasColour, paintHeatmap, paintTokens } from "./paint.ts";
import {
  addProbeFlags,
  addSvgFlag,
  type ProbeFlags,
  withSubject,
  writeProbe,
} from "./probe_flags.ts";

/** Values of the flags. */
interface AttentionFlags extends ProbeFlags {
  head?: HeadId;
}

/** Adds the command. */
export function addProbeAttention(probe: Command): void {
  addSvgFlag(addProbeFlags(probe.command("attention")))
    .description("every head's attention on a text, what the heads do there, and the rollout")
    .argument("<text>", "what the model reads")
    .argument("[second]", "a second text, for a BERT that reads pairs")
    .option(
      "--head <layer.head>",
      "show this head, such as 1.3, in place of the rollout",
      headPlace,
    )
    .action(runProbeAttention);
}

async function runProbeAttention(
  given: string,
  second: string | undefined,
  flags: AttentionFlags,
): Promise<void> {
  await withSubject(flags, async (subject) => {
    const found = await examineAttention(subject, subject.encode(given, second));
    if (flags.head) headMap(found.maps, flags.head); // a wrong one is told before anything is written
    const picture = () => flags.head ? headPicture(found, flags.head) : rolloutPicture(found);
    writeProbe(flags, {
      json: json(found),
      text: () => [scoreTable(found), "", paintHeatmap(picture()), "", read(found)].join("\n"),
      page: () => attentionPage(found, flags),
      picture,
    });
  });
}

function json({ text, maps, heads, rollout }: AttentionFindings): unknown {
  const T = text.tokens.length;
  const rows = (square: ArrayLike<number>): number[][] =>
    Array.from({ length: T }, (_, t) => Array.from(square).slice(t * T, (t + 1) * T));
  return {
    text: text.text,
    tokens: text.tokens,
    heads: heads.map((head) => ({ ...head, pattern: rows(headMap(maps, head)) })),
    rollout: rollout.map(({ data }) => rows(data)),
  };
}

function scoreTable({ heads }: AttentionFindings): string {
  const score = (value: number) => (Number.isNaN(value) ? "–" : value.toFixed(2)).padStart(10);
  const best = KINDS.flatMap(([key, name]) => {
    const head = bestOf(heads, key);
    return head ? [`most ${name}: ${headName(head)}, ${head[key].toFixed(2)}`] : [];
  });
  return [
    "head   entropy  distance  previous duplicate induction",
    ...heads.map(({ layer, head, entropy, distance, previousToken, duplicateToken, induction }) =>
      `${layer}.${head}`.padEnd(4) +
      [entropy, distance, previousToken, duplicateToken, induction].map(score).join("")
    ),
    ...best,
  ].join("\n");
}

/** What the place that matters most is made of. */
function read(found: AttentionFindings): string {
  const { text, rollout } = found;
  const place = readPlace(found);
  const row = rolloutRow(found, rollout.length - 1, place);
  const most = Math.max(...row);
  const tokens = text.tokens.map((token, i) => ({
    text: found.causal || !hasColour() ? token : asWritten(token, false),
    value: row[i] / most,
  }));
  const best = Array.from(row.keys()).sort((a, b) => row[b] - row[a]).slice(0, 3);
  const shares = best.map((i) =>
    `${i} ${tokenLabel(text.tokens[i])} ${(100 * row[i]).toFixed(1)} %`
  );
  return `${paintTokens(tokens)}\n` +
    `by rollout place ${place} is made of ${shares.join(", ")}`;
}

function headPlace(text: string): HeadId {
  const [, layer, head] = /^(\d+)\.(\d+)$/.exec(text) ?? [];
  if (layer === undefined) {
    throw new InvalidArgumentError("wanted a layer and a head, such as 1.3.");
  }
  return { layer: Number(layer), head: Number(head) };
}
