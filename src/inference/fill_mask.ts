/**
 * What a masked language model puts in the place of each `[MASK]`.
 *
 * @module
 */
import { computeFinite } from "../autograd/not_finite.ts";
import type { Run } from "../autograd/run.ts";
import { gatherRows } from "../autograd/ops/gather_rows.ts";
import { byLength, padSequences } from "../data/length_batches.ts";
import { VitrailError } from "../errors.ts";
import { checkOptions, count, countOrAll } from "../formats/option_rules.ts";
import { quoteName } from "../formats/messages.ts";
import type { Device } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { checkedModel, loadAdaptedBert } from "../models/adapted_models.ts";
import type { Bert } from "../models/bert.ts";
import { handOver } from "../models/hand_over.ts";
import { type EncodedPair, encodePair } from "../tokenizers/bert_encoder.ts";
import { checkFit } from "../tokenizers/fitting.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";

/** One guess. */
export interface MaskGuess {
  /** Its id. */
  id: number;
  /** As the vocabulary spells it: a piece that goes on with a word begins with `##`. */
  token: string;
  /** Its probability. */
  score: number;
}

/** A `[MASK]` and the guesses for it. */
export interface FilledMask {
  /** Where it begins in the text, in UTF-16 units. */
  begin: number;
  /** Where it ends. */
  end: number;
  /** The likeliest first. */
  guesses: MaskGuess[];
}

/** A text and what was guessed. */
export interface FilledText {
  /** As it was given. */
  text: string;
  /** The text with the likeliest guess in each place. */
  filled: string;
  /** Its masks, in order. Each is guessed on its own, the others unknown. */
  masks: FilledMask[];
}

/** How masks are filled. */
export interface FillMaskOptions {
  /** Guesses for each mask; default 5. */
  topK?: number;
  /** Texts at once; default 8. */
  batch?: number;
}

/** A model that guesses tokens, and its tokenizer. */
export class MaskFiller implements Disposable {
  /** The model. */
  readonly model: Bert;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  readonly #maskId: number;
  readonly #tokens: string[] = [];

  /**
   * `loadMaskFiller` is the usual way in.
   *
   * @throws {VitrailError} if the model has no head for tokens, or the tokenizer no `[MASK]`
   */
  constructor(model: Bert, tokenizer: Tokenizer) {
    if (!model.heads.masked) {
      throw new VitrailError(
        `Cannot fill masks with this BERT: its head is for ${model.heads.settings.kind}; ` +
          "wanted one that was pre-trained and not fine-tuned since",
      );
    }
    const maskId = tokenizer.tokenToId("[MASK]");
    if (maskId === undefined) {
      throw new VitrailError(
        "Cannot fill masks: the tokenizer has no [MASK]; wanted the one that the model was made with",
      );
    }
    checkFit(tokenizer, model.config);
    this.model = model;
    this.tokenizer = tokenizer;
    this.#maskId = maskId;
    const { model: { vocab } } = tokenizer.toJson() as { model: { vocab: Record<string, number> } };
    for (const [token, id] of Object.entries(vocab)) this.#tokens[id] = token;
  }

  /** Gives the memory of the model back: its use is an error from then on. */
  [Symbol.dispose](): void {
    this.model[Symbol.dispose]();
  }

  /**
   * Guesses what stands in the place of each `[MASK]`.
   *
   * @throws {VitrailError} if a text has no `[MASK]`, or is longer than the model's context
   *
   * @example
   * ```ts
   * import { loadMaskFiller, openDevice } from "../../mod.ts";
   *
   * async function print(directory: string) {
   *   const device = await openDevice();
   *   const filler = await loadMaskFiller(device, directory);
   *   const [{ masks }] = await filler.fill(["The [MASK] of the United States"], { topK: 3 });
   *   for (const { token, score } of masks[0].guesses) console.log(token, score);
   *   device.destroy();
   * }
   * ```
   */
  async fill(texts: readonly string[], options: FillMaskOptions = {}): Promise<FilledText[]> {
    const { topK = 5, batch = 8 } = options;
    checkOptions("Cannot fill masks", { topK, batch }, { topK: countOrAll, batch: count });
    const { device, config } = this.model;
    const encoded = texts.map((text) => this.#encode(text));
    const found = new Array<FilledText>(texts.length);
    for (const numbers of byLength(encoded.map(({ ids }) => ids.length), batch)) {
      const chosen = Array.from(numbers, (n) => encoded[n]);
      const { shape, ids, segments, mask } = padSequences(chosen, config);
      const places = chosen.map((one) => [...one.ids.keys()].filter((i) => this.#asks(one.ids[i])));
      const rows = Uint32Array.from(places.flatMap((own, b) => own.map((i) => b * shape[1] + i)));
      const logitsOf = (run: Run): Tensor => {
        const hidden = this.model.hidden(run, {
          ids: this.model.ids(ids, shape),
          segments: device.upload(Uint32Array.from(segments), shape),
          mask: mask && device.upload(Float32Array.from(mask), shape),
        });
        const asked = gatherRows(run, hidden, device.upload(rows));
        return this.model.heads.masked!.forward(run, asked);
      };
      const [[logits]] = await computeFinite(
        this.model,
        "Cannot fill the masks",
        [(run) => [logitsOf(run)]],
      );
      const size = config.vocabularySize;
      let row = 0;
      numbers.forEach((n, b) => {
        const masks = places[b].map((place) => {
          const [begin, end] = encoded[n].offsets[place];
          const own = logits.subarray(row * size, ++row * size) as Float32Array;
          return { begin, end, guesses: this.#likeliest(own, topK) };
        });
        found[n] = { text: texts[n], filled: fillIn(texts[n], masks), masks };
      });
    }
    return found;
  }

  #asks(id: number): boolean {
    return id === this.#maskId;
  }

  #encode(text: string): EncodedPair {
    const encoded = encodePair(this.tokenizer, text);
    const shown = quoteName(text.length > 60 ? `${text.slice(0, 59)}…` : text);
    if (!encoded.ids.some((id) => this.#asks(id))) {
      throw new VitrailError(
        `Cannot fill in ${shown}: it has no [MASK]; put one where a word goes`,
      );
    }
    const { contextLength } = this.model.config;
    if (encoded.ids.length > contextLength) {
      throw new VitrailError(
        `Cannot fill in ${shown}: it has ${encoded.ids.length} tokens with [CLS] and [SEP], and ` +
          `the model's context is ${contextLength}; shorten the text`,
      );
    }
    return encoded;
  }

  /** The largest of one row of logits, with their probabilities among all. */
  #likeliest(logits: Float32Array, count: number): MaskGuess[] {
    const highest = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
    let sum = 0;
    for (const logit of logits) sum += Math.exp(logit - highest);
    const order = Uint32Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
    return Array.from(order.subarray(0, count), (id) => ({
      id,
      token: this.#tokens[id] ?? `[${id}]`,
      score: Math.exp(logits[id] - highest) / sum,
    }));
  }
}

/** A text with the first guess in each place; a piece that goes on with a word joins it. */
function fillIn(text: string, masks: readonly FilledMask[]): string {
  let [filled, at] = ["", 0];
  for (const { begin, end, guesses: [{ token }] } of masks) {
    filled += text.slice(at, begin);
    filled = token.startsWith("##") ? filled.trimEnd() + token.slice(2) : filled + token;
    at = end;
  }
  return filled + text.slice(at);
}

/**
 * Opens the directory of a BERT with a head for tokens.
 *
 * @param options.adapter directory of a LoRA adapter of it
 * @throws {VitrailError} if a file is missing or broken, or the model is for something else
 */
export async function loadMaskFiller(
  device: Device,
  directory: string,
  options: { adapter?: string } = {},
): Promise<MaskFiller> {
  const found = checkedModel({ model: directory, adapter: options.adapter }, "bert");
  const tokenizer = await loadTokenizer(found.model);
  const { model } = loadAdaptedBert(device, found.model, found.adapter);
  return handOver(model, () => new MaskFiller(model, tokenizer));
}
