/**
 * Generation: tokens are chosen on the device and read back in chunks, because every read costs
 * 11 ms under Deno however little it reads; and while the host waits for one chunk, the device writes
 * the next.
 *
 * @module
 */
import { notFiniteError } from "../autograd/not_finite.ts";
import { Run } from "../autograd/run.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { gatherRows } from "../kernels/gather_rows.ts";
import type { Gpt } from "../models/gpt.ts";
import { BeamSearch } from "./beam_search.ts";
import type { Chooser, GeneratedSequence, RowFault } from "./chooser.ts";
import { checkOptions, type GenerateOptions, type GenerateSettings } from "./generate_options.ts";
import { runAhead } from "./run_ahead.ts";
import { Sampler } from "./sampler.ts";

/** Several prompts, each of them token ids. */
export type Prompts = readonly ArrayLike<number>[];

/**
 * Continues a prompt (token ids) and returns the new ids of each sequence, without the prompt.
 *
 * @throws {VitrailError} if the prompt is empty, holds an id outside the vocabulary, or leaves no room
 * in the model's context for `maxNewTokens`; if an option is not possible; or if the model's logits are
 * not finite, naming the layer where that begins
 */
export async function generate(
  model: Gpt,
  prompt: ArrayLike<number>,
  options?: GenerateOptions,
): Promise<number[][]>;
/**
 * Continues several prompts side by side, of whatever lengths, and returns for each of them what it
 * gives alone: the new ids of each sequence.
 *
 * @throws {VitrailError} as with a single prompt
 */
export async function generate(
  model: Gpt,
  prompts: Prompts,
  options?: GenerateOptions,
): Promise<number[][][]>;
export async function generate(
  model: Gpt,
  given: ArrayLike<number> | Prompts,
  options: GenerateOptions = {},
): Promise<number[][] | number[][][]> {
  const isOne = typeof given[0] !== "object";
  const prompts = isOne ? [given as ArrayLike<number>] : given as Prompts;
  const found = await generateScored(model, prompts, { ...options, scored: false });
  const ids = found.map((own) => own.map((sequence) => sequence.ids));
  return isOne ? ids[0] : ids;
}

/**
 * Continues several prompts side by side, as `generate` does, and returns for each of them the sequences
 * with the probabilities of their tokens and why they ended.
 *
 * @throws {VitrailError} as `generate`
 *
 * @example
 * ```ts
 * import { generateSequences, loadGpt, openDevice } from "../../mod.ts";
 *
 * async function print(directory: string) {
 *   const device = await openDevice();
 *   const model = loadGpt(device, directory);
 *   const prompts = [[54, 38, 0], [7]];
 *   for (const [best] of await generateSequences(model, prompts, { beams: 4 })) {
 *     console.log(best.ids, best.logProbability, best.finishReason);
 *   }
 *   device.destroy();
 * }
 * ```
 */
export async function generateSequences(
  model: Gpt,
  prompts: Prompts,
  options: GenerateOptions = {},
): Promise<GeneratedSequence[][]> {
  return await generateScored(model, prompts, { ...options, scored: true });
}

/** As `generateSequences`; probabilities cost a little time, and are left out unless `scored`. */
export async function generateScored(
  model: Gpt,
  prompts: Prompts,
  options: GenerateOptions & { scored: boolean },
): Promise<GeneratedSequence[][]> {
  const settings = checkOptions(model.config, prompts, options);
  const { device } = model;
  const { limits, chunk, beams } = settings;
  using scope = device.detachedScope();
  const first = scope.run(() => firstPass(model, settings, options));
  using decoder = first.decoder;
  const size = { ...options, ...model.config };
  const chooser: Chooser = scope.run(() =>
    beams > 1
      ? new BeamSearch(device, settings, { ...size, capacity: first.capacity })
      : new Sampler(device, settings, size)
  );
  const count = Math.max(...limits);
  await runAhead({
    count,
    write: (begin) =>
      scope.run(() => {
        const end = Math.min(begin + chunk, count);
        for (let step = begin; step < end; step++) {
          using _step = device.scope();
          const logits = step === 0
            ? first.logits()
            : decoder.step(chooser.ids, { rows: chooser.rows });
          chooser.choose(logits, { step, column: step - begin });
        }
        const read = device.readLater(...chooser.results);
        device.commands.submit();
        return { begin, end, read };
      }),
    take: (results, ahead) => chooser.take(results, ahead),
    done: () => chooser.done,
  });
  if (chooser.fault) throw await logitsError(model, prompts, chooser.fault);
  return chooser.finish();
}

/** A decoder for all sequences, and what gives the logits (B, 1, V) of their first new tokens. */
function firstPass(
  model: Gpt,
  { prompts, limits, samples, beams }: GenerateSettings,
  { cache }: GenerateOptions,
) {
  const { device } = model;
  const lengths = prompts.map(({ length }) => length);
  const time = Math.max(...lengths);
  // What stands behind a shorter prompt's end is seen by no token of it.
  const padded = prompts.flatMap((prompt) =>
    Array.from({ length: time }, (_, t) => prompt[t < prompt.length ? t : 0])
  );
  const ids = model.ids(padded, [prompts.length, time]);
  const ends = device.upload(Uint32Array.from(lengths, (length, p) => p * time + length - 1));
  const each = beams > 1 ? beams : samples;
  const capacity = Math.max(...lengths.map((length, p) => length + limits[p]));
  const decoder = model.decoder({ batch: prompts.length * each, capacity, cache });
  const run = new Run(device);
  const logits = (): Tensor => {
    const hidden = decoder.prefill(run, ids, { lengths });
    const last = gatherRows(hidden, ends).reshape([prompts.length, 1, model.config.channels]);
    return repeated(model.unembed(run, last), each);
  };
  return { decoder, capacity, logits };
}

/** (P, …) as (count·P, …), all of them one after the other. */
function repeated(x: Tensor, count: number): Tensor {
  if (count === 1) return x;
  const out = x.device.tensor([count * x.shape[0], ...x.shape.slice(1)]);
  const bytes = 4 * x.size;
  for (let i = 0; i < count; i++) {
    x.device.commands.copy(x.buffer, out.buffer, bytes, { target: i * bytes });
  }
  return out;
}

/** Says where logits cease to be finite, in a forward pass over what had been written by then. */
async function logitsError(model: Gpt, prompts: Prompts, fault: RowFault): Promise<Error> {
  const ids = [...Array.from(prompts[fault.prompt]), ...fault.ids];
  const which = prompts.length === 1 ? "" : ` of prompt ${fault.prompt + 1}`;
  return await notFiniteError(model, {
    action: `Cannot go on after ${ids.length} tokens${which}`,
    forward: (run) => model.forward(run, model.ids(ids)),
  });
}
