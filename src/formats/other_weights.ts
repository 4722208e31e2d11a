/** Weights of other formats and names that a model directory may hold, and how to convert them. @module */

import { quoteName, showPath } from "./messages.ts";
import { ADAPTER_WEIGHTS } from "./peft.ts";

/** A kind of file, by its name; what it is; and the command, or the words, that make `out` of it. */
interface Kind {
  name: RegExp;
  what: string;
  convert: (path: string, out: string) => string;
}

const moved: Kind["convert"] = (path, out) => `rename it: mv ${path} ${out}`;

/** What an adapter's directory may hold in place of its safetensors file. */
const ADAPTER_KINDS: readonly Kind[] = [
  { name: /^adapter_model\.(bin|pt)$/, what: "weights of PyTorch", convert: pickled },
  { name: /^adapter_model\..*safetensors$/, what: "weights under another name", convert: moved },
];

/** The same of a model's. */
const KINDS: readonly Kind[] = [
  {
    name: new RegExp(`^${ADAPTER_WEIGHTS.replaceAll(".", "\\.")}$`),
    what: "a LoRA adapter",
    convert: () => "give the model that it is for as --model, and this directory as --adapter",
  },
  {
    name: /^model\.[\w-]+\.safetensors$/,
    what: "a variant of the weights",
    convert: (path, directory) =>
      `rename it: mv ${path} ${shell(`${directory}/model.safetensors`)}`,
  },
  {
    name: /\.safetensors\.index\.[\w-]+\.json$|\.safetensors\.index\.json$/,
    what: "a variant of the weights in several files",
    convert: (path, directory) =>
      `rename it: mv ${path} ${shell(`${directory}/model.safetensors.index.json`)}`,
  },
  {
    name: /^(pytorch_model|model)[\w.-]*\.(bin|pt|pth)$/,
    what: "weights of PyTorch",
    convert: pickled,
  },
  {
    name: /\.safetensors$/,
    what: "weights under another name",
    convert: (path, directory) =>
      `rename it: mv ${path} ${shell(`${directory}/model.safetensors`)}`,
  },
  { name: /\.(bin|pt|pth|ckpt)$/, what: "weights of PyTorch", convert: pickled },
  {
    name: /\.h5$|\.msgpack$|\.ckpt\.(index|meta|data-.*)$/,
    what: "weights of TensorFlow or Flax",
    convert: () => "save the model again with `save_pretrained` of transformers before version 5",
  },
  {
    name: /\.gguf$/,
    what: "weights of llama.cpp",
    convert: () => "take the model that they were made from",
  },
];

/**
 * What a directory without `file` holds in its place, for an error; undefined if nothing. Kinds are looked
 * for in the order of the table.
 */
export function otherWeights(directory: string, file = "model.safetensors"): string | undefined {
  let names: string[];
  try {
    names = Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();
  } catch {
    // The attempt to open the weights reports what is wrong with the directory.
    return undefined;
  }
  for (const { name, what, convert } of file === ADAPTER_WEIGHTS ? ADAPTER_KINDS : KINDS) {
    const found = names.find((n) => name.test(n));
    if (found === undefined) continue;
    const [path, out] = [found, file].map((n) => shell(`${directory}/${n}`));
    return `it has no ${file} but ${quoteName(found)}, ${what}; ${convert(path, out)}`;
  }
}

/** Tensors that share memory are written apart, which safetensors asks for; shards go together. */
function pickled(path: string, out: string): string {
  const files = path.replace(/-\d+-of-\d+/, "*").replace(/^'?(.*?)'?$/, "'$1'");
  return "convert it with Python: " +
    'python -c "import sys, glob, torch, safetensors.torch as s; s.save_file(' +
    "{k: v.clone().contiguous() for f in glob.glob(sys.argv[1]) " +
    "for k, v in torch.load(f, weights_only=True).items()}, sys.argv[2], {'format': 'pt'})\" " +
    `${files} ${out}`;
}

/** A path for a shell, in quotes if it needs them. */
function shell(path: string): string {
  const shown = showPath(path);
  return /^[\w@%+=:,./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", `'\\''`)}'`;
}
