/**
 * Proof: a model that was trained on Brown knows its tags at every layer. Probes for the universal tags beat
 * their control task by ten points at least, and by as many more than those of an untrained model do.
 *
 *     deno run --allow-read --allow-env scripts/proofs/linear_probe.ts MODEL
 *
 * Exit code 1 if a layer does not.
 *
 * @module
 */
import {
  loadSubject,
  openDevice,
  probeLinear,
  readTaggedSentences,
  tagQuestion,
} from "../../mod.ts";

/** Points of accuracy. */
const MARGIN = 0.1;

const [directory] = Deno.args;
if (directory === undefined) {
  console.error("Name the directory of a model");
  Deno.exit(2);
}
const device = await openDevice();
const subject = await loadSubject(device, directory);
const question = await tagQuestion(subject, await readTaggedSentences("brown"));
const { layers, random } = await probeLinear(subject.model, question);
let held = true;
layers.forEach(({ point, accuracy, control, selectivity }, i) => {
  const untrained = random![i].selectivity;
  const holds = selectivity > MARGIN && selectivity - untrained > MARGIN;
  held &&= holds;
  const [a, c, s, u] = [accuracy, control, selectivity, untrained].map((x) => (100 * x).toFixed(1));
  console.log(
    `${holds ? "holds" : "FAILS"}  ${point}: ${a} % less ${c} % are ${s} points; untrained ${u}`,
  );
});
device.destroy();
Deno.exit(held ? 0 : 1);
