/**
 * Answering questions from a context, as the training loop takes it.
 *
 * @module
 */
import type { AnswerBatch } from "../data/answers/answer_windows.ts";
import type { Bert } from "../models/bert.ts";
import { answer } from "../models/bert_tasks.ts";
import { saveBert } from "../models/files.ts";
import { countTargets, type Task } from "./task.ts";

/**
 * The first and last token of each answer. The loss is the mean of two cross-entropies over the places
 * of a window, `beginLoss` and `endLoss`, in nats.
 */
export function questionAnswering(model: Bert): Task<AnswerBatch> {
  const { device, parameters } = model;
  return {
    device,
    parameters,
    terms: ["beginLoss", "endLoss"],
    targetCounts: ({ begins, ends }) => [countTargets(begins), countTargets(ends)],
    loss(run, { shape, ids, segments, mask, begins, ends }, scales) {
      return answer(run, model, {
        ids: model.ids(ids, shape),
        segments: device.upload(Uint32Array.from(segments), shape),
        mask: mask && device.upload(Float32Array.from(mask), shape),
        begins,
        ends,
        scales,
      }).losses;
    },
    save: (directory) => saveBert(model, directory),
  };
}
