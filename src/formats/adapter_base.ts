/** The model that an adapter was trained on, found from the adapter's directory. @module */

import { VitrailError } from "../errors.ts";
import { quoteValue, showPath } from "./messages.ts";
import { ADAPTER_CONFIG, readPeftConfig } from "./peft.ts";

/** A model's directory, and an adapter's. */
export interface ModelAndAdapter {
  /** The model. */
  model: string;
  /** The adapter, if there is one. */
  adapter?: string;
}

/** Whether a directory holds an adapter, and no model of its own. */
export function isAdapter(directory: string): boolean {
  return isFile(`${directory}/${ADAPTER_CONFIG}`) &&
    !["model.safetensors", "model.safetensors.index.json"].some((n) => isFile(`${directory}/${n}`));
}

/**
 * The directory of the model that an adapter was trained on, which its adapter_config.json names: an
 * absolute path, or one from the adapter's directory or from where the program runs.
 *
 * @throws {VitrailError} if it names none that is there; the message says what it names
 */
export function adapterBase(adapter: string): string {
  const { base } = readPeftConfig(adapter);
  const places = base === undefined || base === ""
    ? []
    : base.startsWith("/")
    ? [base]
    : [`${adapter}/${base}`, base];
  const found = places.find((place) => isFile(`${place}/config.json`));
  if (found !== undefined) return found;
  throw new VitrailError(
    `Cannot find the model of the adapter in ${
      showPath(adapter)
    }: its base_model_name_or_path is ` +
      `${
        quoteValue(base ?? null)
      }, which is no model's directory here or beside the adapter; give the ` +
      "model's directory as well",
  );
}

/**
 * A model and its adapter, of which either may be left out: a directory that holds an adapter knows its
 * model.
 *
 * @throws {VitrailError} if neither is given, or as {@linkcode adapterBase}
 *
 * @example
 * ```ts
 * import { modelAndAdapter } from "./adapter_base.ts";
 *
 * console.log(modelAndAdapter({ model: "runs/gpt" })); // { model: "runs/gpt" }
 * ```
 */
export function modelAndAdapter(given: Partial<ModelAndAdapter>): ModelAndAdapter {
  const { model, adapter } = given;
  if (model === undefined) {
    if (adapter !== undefined) return { model: adapterBase(adapter), adapter };
    throw new VitrailError("Cannot open a model: neither its directory nor an adapter's is given");
  }
  if (adapter === undefined) {
    return isAdapter(model) ? { model: adapterBase(model), adapter: model } : { model };
  }
  return { model, adapter };
}

/** Whether a path is a file that can be looked at. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
