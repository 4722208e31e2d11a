/**
 * A GPT and a BERT of odd sizes, their losses, and what TransformerLens saw of them.
 *
 * @module
 */
import { crossEntropy } from "../../src/autograd/ops/cross_entropy.ts";
import type { Run } from "../../src/autograd/run.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import type { Device } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import type { Bert } from "../../src/models/bert.ts";
import { loadBert, loadGpt } from "../../src/models/files.ts";
import type { Gpt } from "../../src/models/gpt.ts";

const FIXTURES = new URL("../fixtures", import.meta.url).pathname;
/** Sizes of what they read. */
export const [B, T, V] = [3, 29, 197];

/** A model, what it is asked, and what TransformerLens saw. */
export interface Subject<Model extends Gpt | Bert = Gpt | Bert> {
  /** The model, afresh. */
  model: Model;
  /** Channels, heads. */
  size: [C: number, NH: number];
  /** Logits (…, classes) with their targets, one for each term of the loss. */
  forward(run: Run): { logits: Tensor; targets: Int32Array<ArrayBuffer> }[];
  /** The terms of the loss on the device. */
  losses(run: Run): Tensor[];
  /** What TransformerLens saw. */
  seen: ReturnType<typeof openSafetensors>;
}

function integers(family: string, name: string): Int32Array<ArrayBuffer> {
  using file = openSafetensors(`${FIXTURES}/${family}/fixture.safetensors`);
  return new Int32Array(file.readRaw(name).buffer);
}

/** Adds the losses. */
function subject<Model extends Gpt | Bert>(rest: Omit<Subject<Model>, "losses">): Subject<Model> {
  const { model: { device } } = rest;
  return {
    ...rest,
    losses: (run) =>
      rest.forward(run).map(({ logits, targets }) =>
        crossEntropy(run, logits, { targets: device.upload(targets) }).result
      ),
  };
}

/** A causal decoder of two layers, or another model of its sizes. */
export function gptSubject(
  device: Device,
  model: Gpt = loadGpt(device, `${FIXTURES}/gpt2/model`),
): Subject<Gpt> {
  const ids = model.ids(integers("gpt2", "ids"), [B, T]);
  const targets = integers("gpt2", "targets");
  return subject({
    model,
    size: [36, 3],
    forward: (run) => [{ logits: model.forward(run, ids), targets }],
    seen: openSafetensors(`${FIXTURES}/hooks/gpt2.safetensors`),
  });
}

/** An encoder of two layers, with padding and segments. */
export function bertSubject(device: Device): Subject<Bert> {
  const model = loadBert(device, `${FIXTURES}/bert/pretraining`);
  const seen = integers("bert", "mask");
  const input = {
    ids: model.ids(integers("bert", "ids"), [B, T]),
    segments: device.upload(Uint32Array.from(integers("bert", "segments")), [B, T]),
    mask: device.upload(Float32Array.from(seen, (s) => s ? 0 : -Infinity), [B, T]),
  };
  const tokens = integers("bert", "tokens");
  const { masked, pooler, classifier } = model.heads;
  return subject({
    model,
    size: [24, 2],
    forward(run) {
      const hidden = model.hidden(run, input);
      const next = classifier!.forward(run, pooler!.forward(run, hidden));
      const logits = masked!.forward(run, hidden);
      return [{ logits, targets: tokens }, { logits: next, targets: Int32Array.of(1, 0, 1) }];
    },
    seen: openSafetensors(`${FIXTURES}/hooks/bert.safetensors`),
  });
}

/** Both, by name. */
export const SUBJECTS: Record<string, (device: Device) => Subject> = {
  "GPT": (device) => gptSubject(device),
  "BERT": bertSubject,
};
