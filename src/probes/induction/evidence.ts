/**
 * Which heads of a GPT do induction, and what shows that they do.
 *
 * 1. **Scores**: on random tokens that repeat, the head that attends most to what followed last time is the
 *    induction head (`headScores`); the one below it that attends most to the place before feeds it.
 * 2. **Ablation**: without it, the loss where the tokens repeat rises; where they are new, it does not. Each
 *    head gives its mean over other such sequences, place by place.
 * 3. **Paths**: induction takes two heads. The first writes into each place which token came before; the
 *    second finds, by its keys, the place that says its own token came before (Elhage et al. 2021, "A
 *    Mathematical Framework for Transformer Circuits", "K-composition"; Olsson et al. 2022,
 *    arXiv:2209.11895). So a head's path to the keys must matter, and to queries and values must not.
 *
 * @module
 */
import type { RepeatedBatch } from "../../data/repeated_sequences.ts";
import type { Gpt } from "../../models/gpt.ts";
import type { HeadId } from "../attention/maps.ts";
import { type HeadScores, headScores } from "../attention/head_scores.ts";
import { meanActivations } from "../patching/mean_activations.ts";
import { meanLoss, tokenLosses } from "../metrics.ts";
import { pathPatching } from "../patching/path_patching.ts";
import type { ProbeInput } from "../probed_model.ts";
import { type Cell, runCells } from "../patching/row_runs.ts";
import type { Site } from "../patching/sites.ts";
import {
  inductionSequences,
  inputOf,
  meanLosses,
  nextTokens,
  type SequenceLosses,
  type SequenceOptions,
} from "./sequences.ts";

/** The losses without some of the heads. */
export interface HeadAblation extends SequenceLosses {
  /** Which are out of work. */
  heads: HeadId[];
}

/** How much a head matters by each way it may reach the induction heads: see `pathPatching`. */
export interface HeadPaths extends HeadId {
  /** By what they ask. */
  query: number;
  /** By what they find. */
  key: number;
  /** By what they pass on. */
  value: number;
}

/** What was found. */
export interface InductionEvidence {
  /** Tokens until they repeat. */
  period: number;
  /** Of every head, layer by layer. */
  scores: HeadScores[];
  /** The head with the highest induction score. */
  found: HeadScores;
  /** It, and those with at least half its score. */
  induction: HeadScores[];
  /** The head of a layer below that attends most to the place before; none below layer 0. */
  previous?: HeadScores;
  /** With all heads. */
  intact: HeadAblation;
  /** Without each head, layer by layer. */
  alone: HeadAblation[];
  /** Without all induction heads together. */
  together: HeadAblation;
  /** Of each head in a layer below the found one. */
  paths: HeadPaths[];
}

/**
 * Finds the induction heads of a model and tests them.
 *
 * @throws {VitrailError} if the sequences are too short to repeat, or longer than the model's context
 */
export async function examineInduction(
  model: Gpt,
  options: Omit<SequenceOptions, "index"> = {},
): Promise<InductionEvidence> {
  using scope = model.device.detachedScope();
  const clean = inductionSequences(model, { ...options, index: 0 });
  const reference = inductionSequences(model, { ...options, index: 1 });
  const input = scope.run(() => inputOf(model, clean));
  const scores = await headScores(model, input);
  const [found] = scores.toSorted((a, b) => b.induction - a.induction);
  const induction = scores.filter((head) => head.induction >= found.induction / 2);
  const below = scores.filter(({ layer }) => layer < found.layer);
  const [previous] = below.toSorted((a, b) => b.previousToken - a.previousToken);
  const [intact, together, ...alone] = await withoutHeads(model, clean, {
    reference: scope.run(() => inputOf(model, reference)),
    cells: [[], induction, ...scores.map((head) => [head])],
  });
  return {
    period: clean.periods[0],
    scores,
    found,
    induction,
    previous,
    intact,
    alone,
    together,
    paths: await pathsTo(model, induction, { clean, reference, heads: below }),
  };
}

const outputOf = ({ layer, head }: HeadId): Site => ({
  at: `blocks.${layer}.attn.hook_z`,
  heads: [head],
});

/** The losses without each cell's heads, for which their means over a reference set stand in. */
async function withoutHeads(
  model: Gpt,
  batch: RepeatedBatch,
  { reference, cells }: { reference: ProbeInput; cells: readonly (readonly HeadId[])[] },
): Promise<HeadAblation[]> {
  const targets = nextTokens(batch);
  using scope = model.device.detachedScope();
  using means = await meanActivations(model, [reference], { names: "blocks.*.attn.hook_z" });
  const found = await runCells(model, {
    inputs: [scope.run(() => inputOf(model, batch))],
    metric: { values: (logits) => tokenLosses(logits, targets).flat() },
    cells: cells.map((heads): Cell => ({
      copies: [0],
      moves: heads.map((head) => ({ site: outputOf(head), from: means, to: 1 })),
    })),
  });
  return found.cells.map((losses, c) => ({
    heads: cells[c].map(({ layer, head }) => ({ layer, head })),
    ...meanLosses(losses, batch),
  }));
}

/**
 * The effect of each head's path to the queries, keys and values of others. What is spoilt is the first time
 * that the tokens are seen: they are others, and nothing can be known from them.
 */
async function pathsTo(
  model: Gpt,
  receivers: readonly HeadId[],
  options: { clean: RepeatedBatch; reference: RepeatedBatch; heads: readonly HeadId[] },
): Promise<HeadPaths[]> {
  const { clean, reference, heads } = options;
  if (heads.length === 0) return [];
  const { shape: [, T], inputs, targets, periods: [period] } = clean;
  const spoilt = inputs.map((id, i) => i % T <= period ? reference.inputs[i] : id);
  using scope = model.device.detachedScope();
  const pair = scope.run(() => ({
    clean: inputOf(model, clean),
    corrupted: { ids: model.ids(spoilt, clean.shape) },
  }));
  const along = async (way: "q" | "k" | "v"): Promise<number[]> => {
    const { effects } = await pathPatching(model, pair, {
      metric: meanLoss(targets),
      senders: heads.map((sender) => [outputOf(sender)]),
      receivers: receivers.map(({ layer, head }) => ({
        at: `blocks.${layer}.attn.hook_${way}`,
        heads: [head],
      })),
    });
    return effects;
  };
  const [query, key, value] = [await along("q"), await along("k"), await along("v")];
  return heads.map(({ layer, head }, i) => ({
    layer,
    head,
    query: query[i],
    key: key[i],
    value: value[i],
  }));
}
