/**
 * Tagging words, as the training loop takes it.
 *
 * @module
 */
import type { TagBatch } from "../data/tags/tag_sequences.ts";
import type { Bert } from "../models/bert.ts";
import { tag } from "../models/bert_tasks.ts";
import { saveBert } from "../models/files.ts";
import { countTargets, type Task } from "./task.ts";

/** A tag for each word; the loss is the cross-entropy at the words' first pieces, in nats. */
export function tokenClassification(model: Bert): Task<TagBatch> {
  const { device, parameters } = model;
  return {
    device,
    parameters,
    terms: ["loss"],
    targetCounts: ({ labels }) => [countTargets(labels)],
    loss(run, { shape, ids, segments, mask, labels }, [scale]) {
      return tag(run, model, {
        ids: model.ids(ids, shape),
        segments: device.upload(Uint32Array.from(segments), shape),
        mask: mask && device.upload(Float32Array.from(mask), shape),
        labels,
        scale,
      }).losses;
    },
    save: (directory) => saveBert(model, directory),
  };
}
