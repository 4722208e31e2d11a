/**
 * What a sparse autoencoder reads: the activations at one hook point, as rows.
 *
 * @module
 */
import { Run } from "../../autograd/run.ts";
import { VitrailError } from "../../errors.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { hookPoints } from "../../models/hook_points.ts";
import { Gpt } from "../../models/gpt.ts";
import { matchHooks } from "../hook_names.ts";
import type { ProbedModel, ProbeInput } from "../probed_model.ts";

/**
 * The activations at a hook point, a row for each place: (B·T, columns), in the caller's scope.
 *
 * @throws {VitrailError} if there is no such point, or what passes there has no row for each place
 */
export function activationsAt(model: ProbedModel, input: ProbeInput, name: string): Tensor {
  const [chosen] = matchHooks(name, hookPoints(model));
  using scope = model.device.scope();
  let found: Tensor | undefined;
  const hooks = new Map([[chosen, (x: Tensor) => {
    // A copy: what the model computes next may write over it.
    found = model.device.tensor(x.shape);
    model.device.commands.copy(x.buffer, found.buffer, x.byteLength);
  }]]);
  const run = new Run(model.device, { hooks });
  if (model instanceof Gpt) model.hidden(run, input.ids, { mask: input.mask });
  else model.hidden(run, input);
  const [batch, time] = input.ids.shape;
  if (found === undefined || found.shape[0] !== batch || found.shape[1] !== time) {
    throw new VitrailError(
      `Cannot read rows at ${chosen}: what passes there has the shape (${
        found?.shape.join(", ") ?? ""
      }), wanted one that begins with ${batch} sequences of ${time} places, such as that of ` +
        "blocks.0.hook_resid_post",
    );
  }
  return scope.keep(found.reshape([batch * time, found.size / (batch * time)]));
}
