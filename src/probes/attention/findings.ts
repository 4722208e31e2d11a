/**
 * What attention shows of one text: every head's map and scores, and the rollout; and the page about it.
 *
 * @module
 */
import { colouredTable, colouredTokens } from "../../formats/page/tokens.ts";
import type { Heatmap } from "../../formats/page/heatmap.ts";
import { Gpt } from "../../models/gpt.ts";
import type { Activation } from "../activation_cache.ts";
import { attentionMaps, type HeadId, headMap, headName } from "./maps.ts";
import { attentionRollout, type Rollout } from "./rollout.ts";
import { type HeadScores, scorePattern } from "./head_scores.ts";
import type { ProbePage } from "../probe_page.ts";
import type { ProbedText, ProbeSubject } from "../subject.ts";
import { asWritten, placeLabels, tokenLabel } from "../token_labels.ts";

/** What was found. */
export interface AttentionFindings {
  /** The text and its tokens. */
  text: ProbedText;
  /** Whether places look back only. */
  causal: boolean;
  /** By layer: (1, NH, T, T). */
  maps: Activation[];
  /** Of every head, layer by layer. */
  heads: HeadScores[];
  /** Up to each layer: (1, T, T). */
  rollout: Rollout[];
}

/** The scores of a head that say what kind it is. */
export const KINDS = [
  ["previousToken", "previous token"],
  ["duplicateToken", "duplicate token"],
  ["induction", "induction"],
] as const;

/** A head of a kind has a score above this; below, a large picture of it says nothing. */
export const CLEAR = 0.2;

/** Looks at one text, or for BERT two. */
export async function examineAttention(
  subject: ProbeSubject,
  text: ProbedText,
): Promise<AttentionFindings> {
  const { model } = subject;
  using scope = model.device.detachedScope();
  const causal = model instanceof Gpt;
  const maps = await attentionMaps(model, scope.run(() => subject.input([text])));
  const heads = maps.flatMap((map, layer) =>
    scorePattern(map, { ids: text.ids, causal }).map((scores, head) => ({ layer, head, ...scores }))
  );
  return { text, causal, maps, heads, rollout: attentionRollout(maps) };
}

/** One head as a picture, or all of its kind in small. */
export function headPicture(
  { text, causal, maps }: AttentionFindings,
  { layer, head, title, small }: HeadId & { title?: string; small?: boolean },
): Heatmap {
  const labels = placeLabels(text.tokens);
  return {
    title: title ?? `Layer ${layer}, head ${head}`,
    rows: labels,
    columns: labels,
    values: cells(headMap(maps, { layer, head }), labels.length, causal),
    axes: ["from", "to"],
    most: 1,
    small,
  };
}

/** The rollout up to the last layer as a picture. */
export function rolloutPicture({ text, causal, rollout }: AttentionFindings): Heatmap {
  const labels = placeLabels(text.tokens);
  return {
    title: `Rollout over ${rollout.length} layers`,
    rows: labels,
    columns: labels,
    values: cells(rollout.at(-1)!.data, labels.length, causal),
    axes: ["place", "made of"],
  };
}

/** The place whose rollout says most: a GPT's last, which writes on; a BERT's first gap, or else `[CLS]`. */
export function readPlace({ text: { tokens }, causal }: AttentionFindings): number {
  return causal ? tokens.length - 1 : Math.max(0, tokens.indexOf("[MASK]"));
}

/** What one place is made of, up to a layer: (T). */
export function rolloutRow({ text, rollout }: AttentionFindings, layer: number, place: number) {
  const T = text.tokens.length;
  return rollout[layer].data.subarray(place * T, (place + 1) * T);
}

/** The whole page. */
export function attentionPage(
  findings: AttentionFindings,
  { model }: { model: string },
): ProbePage {
  const { text, maps, heads, rollout, causal } = findings;
  const kinds = KINDS.flatMap(([key, name]) => {
    const best = bestOf(heads, key);
    return best && best[key] > CLEAR ? [{ key, name, best }] : [];
  });
  const place = readPlace(findings);
  const score = (value: number) => Number.isNaN(value) ? "–" : value.toFixed(2);
  return {
    title: "Attention",
    figures: {
      Model: model,
      Layers: rollout.length,
      Heads: heads.length,
      Tokens: text.tokens.length,
    },
    sections: [
      {
        heading: "Every head",
        about:
          "A row of maps for each layer. In a map each row is a place that looks, each column a place looked at; full colour is all of a " +
          "place's attention. Point at a cell, or focus a map and use the arrow keys.",
        heatmaps: heads.map(({ layer, head }) =>
          headPicture(findings, { layer, head, small: true })
        ),
        abreast: maps[0].shape[1],
      },
      {
        heading: "What each head does here",
        about:
          "Entropy in nats and distance in tokens are means over places. The other scores are the " +
          "part of the attention that goes where a head of that kind would look, on this text: – where " +
          "no token comes twice.",
        html: colouredTable(
          ["Head", "entropy", "distance", ...KINDS.map(([, name]) => name)],
          heads.map((scores) => ({
            label: headName(scores),
            cells: [
              { text: scores.entropy.toFixed(2) },
              { text: scores.distance.toFixed(1) },
              ...KINDS.map(([key, name]) => ({
                text: score(scores[key]),
                value: Number.isNaN(scores[key]) ? undefined : scores[key],
                note: `Layer ${scores.layer}, head ${scores.head}: ${name} ${score(scores[key])}`,
              })),
            ],
          })),
        ),
      },
      {
        heading: "Rollout",
        about:
          `How much of each token may have reached “${tokenLabel(text.tokens[place])}”, place ` +
          `${place}, by way of attention and residual connections, after each layer; below, after the ` +
          "last layer, for every place. Values, MLPs and norms are not looked at.",
        html: rollout.map((_, layer) => {
          const row = rolloutRow(findings, layer, place);
          const most = Math.max(...row);
          return `<h3>Layer ${layer}</h3>` + colouredTokens(text.tokens.map((token, i) => ({
            text: asWritten(token, causal),
            value: row[i] / most,
            note: `${i} ${tokenLabel(token)}: ${(100 * row[i]).toFixed(1)} %`,
          })));
        }).join("\n"),
        heatmaps: [rolloutPicture(findings)],
      },
      ...kinds.length > 0
        ? [{
          heading: "The clearest of each kind",
          heatmaps: kinds.map(({ key, name, best }) =>
            headPicture(findings, {
              ...best,
              title: `Most ${name}: layer ${best.layer}, head ${best.head} (${
                best[key].toFixed(2)
              })`,
            })
          ),
        }]
        : [],
    ],
  };
}

/** The head with the highest score; none where nothing could be scored. */
export function bestOf(
  heads: readonly HeadScores[],
  key: (typeof KINDS)[number][0],
): HeadScores | undefined {
  return heads.filter((head) => !Number.isNaN(head[key])).sort((a, b) => b[key] - a[key])[0];
}

/** Cells of a square; what a causal mask hides is no number. */
function cells(square: ArrayLike<number>, T: number, causal: boolean): (number | null)[] {
  return Array.from(square, (v, i) => causal && i % T > Math.floor(i / T) ? null : v);
}
