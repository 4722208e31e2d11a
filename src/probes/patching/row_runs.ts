/**
 * Many altered runs as rows of one batch, in which a row may take activations from another.
 *
 * A probe that patches asks for hundreds of runs which differ by one activation. Here the run that is taken
 * from, the one that is put into, and many of its alterations go through the model side by side: nothing is
 * cached, and the host waits once for a batch and not once for a run. All rows go through the same kernels,
 * so that a row which takes everything from another gives its numbers to the last bit.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import type { Hook } from "../../autograd/run.ts";
import type { Device } from "../../gpu/device.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { placeRows } from "../../kernels/place_rows.ts";
import { hookPoints } from "../../models/hook_points.ts";
import { Gpt } from "../../models/gpt.ts";
import type { ActivationCache } from "../activation_cache.ts";
import { matchHooks } from "../hook_names.ts";
import { groupsOf, type Metric } from "../metrics.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";
import { type HookList, runWithHooks } from "../run_with_hooks.ts";
import { piecesOf, type Site } from "./sites.ts";

/** Puts part of an activation of one input in its place in another. */
export interface Move {
  /** Which part. */
  site: Site;
  /** Number of the input that it is taken from; or one sequence's activations (1, …) for all; or zeros. */
  from: number | ActivationCache | "zeros";
  /** Number of the input that it is put into. */
  to: number;
}

/**
 * One altered run. Its inputs are copies of the common ones; in its moves, numbers below that of the common
 * inputs mean those, and the ones after it its own copies.
 */
export interface Cell {
  /** Which common input each of its own is a copy of. The last of them is judged. */
  copies: readonly number[];
  /** What is moved; of two moves to one place the later wins, and all take what is there before any. */
  moves: readonly Move[];
}

/** What altered runs have in common. */
export interface CellsOptions {
  /** The inputs that cells take from and copy, each of the same (B, T). */
  inputs: readonly ProbeInput[];
  /** The altered runs. */
  cells: readonly Cell[];
  /** Judges B sequences by as many numbers, or by several for each. */
  metric: Pick<Metric, "values">;
  /** Sequences that go through the model at once, at most; by default as many as 256 MiB hold. */
  rows?: number;
}

/** What the metric says of each common input and each cell: a number for each of B sequences, or several. */
export interface CellValues {
  /** Of the common inputs, as they are. */
  inputs: number[][];
  /** Of the cells. */
  cells: number[][];
}

/** Bytes of activations of one batch, about. */
const BATCH_BYTES = 256 << 20;

/**
 * Runs all cells, several at once.
 *
 * @throws {VitrailError} if the inputs differ in shape, or a site is not there
 */
export async function runCells(model: ProbedModel, options: CellsOptions): Promise<CellValues> {
  const { inputs, cells } = options;
  checkShapes(inputs);
  const [B] = inputs[0].ids.shape;
  const values: CellValues = { inputs: [], cells: [] };
  const collect = async ({ read, shape, judged }: Recorded): Promise<void> => {
    const [data] = await read.numbers() as Float32Array[];
    const groups = groupsOf({ data, shape }, B).map((group) => options.metric.values(group));
    if (values.inputs.length === 0) values.inputs = groups.slice(0, inputs.length);
    values.cells.push(...judged.map((last) => groups[last]));
  };
  // While the host judges one batch the device runs the next.
  const ahead: Recorded[] = [];
  try {
    for (const chunk of chunksOf(cells, room(model, options))) {
      ahead.push(record(model, { ...options, cells: chunk }));
      if (ahead.length > 1) await collect(ahead.shift()!);
    }
    await collect(ahead.shift()!);
  } finally {
    for (const { read } of ahead) read.cancel();
  }
  return values;
}

/** A batch on its way. */
interface Recorded {
  /** Its logits. */
  read: ReturnType<Device["readLater"]>;
  /** Their shape. */
  shape: readonly number[];
  /** The number of the input of each cell that is judged. */
  judged: number[];
}

/** Records one batch and sets the device to work. */
function record(model: ProbedModel, { inputs, cells }: CellsOptions): Recorded {
  const { device } = model;
  using _scope = device.scope();
  const [B] = inputs[0].ids.shape;
  const order = inputs.map((_, i) => i);
  const moves: Move[] = [];
  const judged: number[] = [];
  for (const cell of cells) {
    const begin = order.length;
    const numberOf = (n: number): number => n < inputs.length ? n : begin + n - inputs.length;
    for (const move of cell.moves) {
      const from = typeof move.from === "number" ? numberOf(move.from) : move.from;
      moves.push({ ...move, from, to: numberOf(move.to) });
    }
    order.push(...cell.copies);
    judged.push(order.length - 1);
  }
  const logits = runWithHooks(model, stack(order.map((i) => inputs[i])), {
    hooks: moveHooks(model, { moves, sequences: B }),
  });
  const read = device.readLater(logits);
  device.commands.submit();
  return { read, shape: logits.shape, judged };
}

/** Hooks that make moves between the inputs of a batch, each of so many sequences. */
function moveHooks(
  model: ProbedModel,
  { moves, sequences }: { moves: readonly Move[]; sequences: number },
): HookList {
  const all = hookPoints(model);
  const byName = new Map<string, Move[]>();
  for (const move of moves) {
    for (const name of matchHooks(move.site.at, all)) {
      const known = byName.get(name);
      if (known) known.push(move);
      else byName.set(name, [move]);
    }
  }
  return [...byName].map(([name, here]) => [name, mover(here, sequences)]);
}

/** A hook that makes the moves of one hook point. */
function mover(moves: readonly Move[], sequences: number): Hook {
  return (x, name) => {
    const { device, shape } = x;
    const each = piecesOf(name, { shape, sites: moves.map(({ site }) => site) });
    const { length } = each[0];
    const pieces = x.size / shape[0] / length;
    const zeros = moves.some(({ from }) => from === "zeros") ? device.zeros([length]) : undefined;
    const sources = new Map<number, { tensor: Tensor; row: number }>(); // by place in the batch
    moves.forEach(({ from, to }, i) => {
      const tensor = from === "zeros"
        ? zeros!
        : typeof from === "number"
        ? x
        : substitute(from, { name, shape });
      for (let b = 0; b < sequences; b++) {
        for (const piece of each[i].numbers) {
          const row = typeof from === "number"
            ? (from * sequences + b) * pieces + piece
            : from === "zeros"
            ? 0
            : piece;
          sources.set((to * sequences + b) * pieces + piece, { tensor, row });
        }
      }
    });
    const out = device.tensor(shape, x.dtype);
    device.commands.copy(x.buffer, out.buffer, x.byteLength);
    for (const tensor of new Set([...sources.values()].map((source) => source.tensor))) {
      const here = [...sources].filter(([, source]) => source.tensor === tensor);
      placeRows(tensor, out, {
        rows: device.upload(Uint32Array.from(here, ([, { row }]) => row)),
        into: device.upload(Uint32Array.from(here, ([into]) => into)),
        columns: length,
      });
    }
    return out;
  };
}

function substitute(
  from: ActivationCache,
  { name, shape }: { name: string; shape: readonly number[] },
): Tensor {
  const found = from.get(name);
  const wanted = [1, ...shape.slice(1)];
  if (found.shape.join() === wanted.join()) return found;
  throw new VitrailError(
    `Cannot put (${found.shape.join(", ")}) in the place of ${name}: wanted (${wanted.join(", ")})`,
  );
}

/** Inputs one below the other. */
export function stack(inputs: readonly ProbeInput[]): ProbeInput {
  const [{ ids: { device, shape: [B, T] } }] = inputs;
  const join = (tensors: readonly (Tensor | undefined)[]): Tensor | undefined => {
    const one = tensors.find((tensor) => tensor);
    if (!one) return undefined;
    const out = device.zeros([tensors.length * B, T], one.dtype);
    tensors.forEach((tensor, i) => {
      if (!tensor) return;
      const target = i * tensor.byteLength;
      device.commands.copy(tensor.buffer, out.buffer, tensor.byteLength, { target });
    });
    return out;
  };
  return {
    ids: join(inputs.map(({ ids }) => ids))!,
    segments: join(inputs.map(({ segments }) => segments)),
    mask: join(inputs.map(({ mask }) => mask)),
  };
}

/** One sequence of an input, as an input of its own. */
export function sequenceOf(input: ProbeInput, b: number): ProbeInput {
  const { device } = input.ids;
  const take = (x: Tensor): Tensor => {
    const out = device.tensor([1, x.shape[1]], x.dtype);
    device.commands.copy(x.buffer, out.buffer, out.byteLength, { source: b * out.byteLength });
    return out;
  };
  const { ids, segments, mask } = input;
  return { ids: take(ids), segments: segments && take(segments), mask: mask && take(mask) };
}

/**
 * Inputs between which activations are moved must match place by place.
 *
 * @throws {VitrailError} if they do not
 */
export function checkShapes(inputs: readonly ProbeInput[]): void {
  const [first, ...others] = inputs.map(({ ids }) => ids.shape);
  for (const shape of others) {
    if (shape.join() === first.join()) continue;
    throw new VitrailError(
      `Cannot patch between inputs of ${first.join("×")} and ${shape.join("×")} tokens: ` +
        "a place of one must be a place of the other, so wanted as many tokens in each",
    );
  }
}

/** How many inputs go through the model at once, besides the common ones. */
function room(model: ProbedModel, { inputs, rows }: CellsOptions): number {
  const [B, T] = inputs[0].ids.shape;
  const { vocabularySize: V, channels: C, mlpChannels: M, layers, heads } = model.config;
  const words = model instanceof Gpt || model.heads.masked ? V : 0;
  const bytes = 4 * T * (2 * words + layers * (16 * C + 3 * M + 3 * heads * T));
  const limit = rows ?? Math.floor(BATCH_BYTES / bytes);
  return Math.floor(limit / B) - inputs.length;
}

/** Neighbouring cells whose copies fit; one by one if none does. At least one chunk, if an empty one. */
function chunksOf(cells: readonly Cell[], room: number): Cell[][] {
  const chunks: Cell[][] = [[]];
  let used = 0;
  for (const cell of cells) {
    if (used > 0 && used + cell.copies.length > room) {
      chunks.push([]);
      used = 0;
    }
    chunks.at(-1)!.push(cell);
    used += cell.copies.length;
  }
  return chunks;
}
