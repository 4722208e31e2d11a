/** What was disposed of is refused by name. @module */

import assert from "node:assert/strict";
import {
  Bert,
  evaluate,
  generate,
  Gpt,
  GptClassifier,
  languageModelling,
  quantizeGpt,
  Run,
  runWithGradients,
  saveBert,
  saveGpt,
  Trainer,
} from "../../mod.ts";
import {
  batch,
  bertConfig,
  config,
  device,
  directory,
  held,
  ids,
  labels,
  metric,
} from "./injection.ts";

Deno.test("what was disposed of is not used any more, and the rest goes on", async () => {
  const gone = /^VitrailError: Cannot .* of shape .*: its memory was given back/;
  const directoryOf = (name: string): string => {
    Deno.mkdirSync(`${directory}/${name}`, { recursive: true });
    return `${directory}/${name}`;
  };
  const before = held(device);
  const own = new Gpt(device, config);
  const other = new Bert(device, bertConfig);
  const small = await quantizeGpt(own, { weights: "int8", group: 32 });
  const classifier = new GptClassifier(device, config, { labels, labelKind: "single", padId: 0 });
  const trainer = new Trainer(languageModelling(own, 8));
  trainer.step([batch()], 1e-3);
  const decoder = own.decoder({ batch: 1, capacity: 4 });
  using scope = device.detachedScope();
  const one = scope.run(() => ({ ids: own.ids([1]) }));
  const uses = (run: Run): Record<string, () => unknown> => ({
    "Gpt.forward": () => own.forward(run, one.ids),
    generate: () => generate(own, ids(3), { maxNewTokens: 2 }),
    "Gpt.decoder": () => own.decoder({ batch: 1, capacity: 4 }),
    saveGpt: () => saveGpt(own, directoryOf("gone")),
    evaluate: () => evaluate(languageModelling(own, 8), [batch()]),
    "Trainer.step": () => trainer.step([batch()], 1e-3),
    "Trainer.figures": () => trainer.figures(),
    "new Trainer": () => new Trainer(languageModelling(own, 8)),
    "Parameter.gradient": () => own.parameters[0].gradient,
    runWithGradients: () => runWithGradients(own, one, { metric }),
    "quantized Gpt.forward": () => small.forward(run, one.ids),
    "saveGpt, quantized": () => saveGpt(small, directoryOf("small")),
    "Bert.hidden": () => other.hidden(run, one),
    saveBert: () => saveBert(other, directoryOf("other")),
    "GptClassifier.logits": () => classifier.logits(run, one.ids, { lengths: [1] }),
    "Decoder.step": () => decoder.step(one.ids),
  });
  trainer[Symbol.dispose]();
  await generate(own, ids(3), { maxNewTokens: 2 }); // a model goes on without its trainer
  {
    using second = new Trainer(languageModelling(own, 8));
    second.step([batch()], 1e-3);
  }
  for (const made of [decoder, own, other, small, classifier]) made[Symbol.dispose]();
  for (const made of [trainer, decoder, own, other, small, classifier]) made[Symbol.dispose]();
  for (const [name, use] of Object.entries(uses(new Run(device)))) {
    using _step = device.scope();
    await scope.run(() => assert.rejects(async () => await use(), gone, name));
  }
  scope[Symbol.dispose]();
  assert.deepEqual(held(device), before);
  assert.deepEqual([...Deno.readDirSync(`${directory}/gone`)], [], "no half of a model");
});
