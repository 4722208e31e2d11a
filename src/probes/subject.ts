/**
 * A model together with its tokenizer: texts become what the model reads, and places get names.
 *
 * @module
 */
import { padSequences, type Sequence } from "../data/length_batches.ts";
import { VitrailError } from "../errors.ts";
import { quoteName } from "../formats/messages.ts";
import type { Device } from "../gpu/device.ts";
import { checkedModel, loadAdaptedBert, loadAdaptedGpt } from "../models/adapted_models.ts";
import { Gpt } from "../models/gpt.ts";
import { handOver } from "../models/hand_over.ts";
import { modelFamily } from "../models/sequence_classifier.ts";
import { encodePair } from "../tokenizers/bert_encoder.ts";
import { checkFit } from "../tokenizers/fitting.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import type { ProbedModel, ProbeInput } from "./probed_model.ts";

/** A text as the model reads it. */
export interface ProbedText extends Sequence {
  /** The text. */
  text: string;
  /** The second text of a pair. */
  second?: string;
  /** For BERT, where each token begins and ends in its text, in UTF-16 units; [0, 0] for special tokens. */
  offsets?: [begin: number, end: number][];
  /** Each token as it is shown: a piece of a word that goes on keeps its `##`. */
  tokens: string[];
}

/** What is probed. */
export class ProbeSubject implements Disposable {
  /** The model. */
  readonly model: ProbedModel;
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer;
  readonly #pieces: string[] | undefined;

  /** `loadSubject` is the usual way in. */
  constructor(model: ProbedModel, tokenizer: Tokenizer) {
    checkFit(tokenizer, model.config);
    this.model = model;
    this.tokenizer = tokenizer;
    if (model instanceof Gpt) return;
    // WordPiece's own spelling says which pieces go on with a word; decoding would hide it.
    const { model: { vocab } } = tokenizer.toJson() as { model: { vocab: Record<string, number> } };
    this.#pieces = [];
    for (const [piece, id] of Object.entries(vocab)) this.#pieces[id] = piece;
  }

  /** Gives the memory of the model back: its use is an error from then on. */
  [Symbol.dispose](): void {
    this.model[Symbol.dispose]();
  }

  /** Which of the two families it is of. */
  get family(): "bert" | "gpt2" {
    return this.model instanceof Gpt ? "gpt2" : "bert";
  }

  /** A token as it is shown. */
  token(id: number): string {
    return this.#pieces ? this.#pieces[id] ?? `[${id}]` : this.tokenizer.decode([id]);
  }

  /** Tokens as they are read one behind the other: a BERT's words with the spaces between them. */
  spaced(tokens: readonly string[]): string[] {
    if (!this.#pieces) return [...tokens];
    return tokens.map((token, t) => {
      return token.startsWith("##") ? token.slice(2) : t > 0 ? ` ${token}` : token;
    });
  }

  /**
   * The id of a word that is one token. For a GPT a word behind another begins with a space: without one
   * it is looked for both ways, the space first.
   *
   * @throws {VitrailError} if it is several tokens; the message shows them
   */
  answer(word: string): number {
    if (this.#pieces) {
      const id = this.tokenizer.tokenToId(word) ?? this.tokenizer.tokenToId(word.toLowerCase());
      if (id !== undefined) return id;
    } else {
      for (const spelling of word.startsWith(" ") ? [word] : [` ${word}`, word]) {
        const ids = this.tokenizer.encode(spelling);
        if (ids.length === 1) return ids[0];
      }
    }
    const pieces = this.encode(word).tokens.map((token) => quoteName(token)).join(" ");
    throw new VitrailError(
      `Cannot ask for the answer ${
        quoteName(word)
      }: it is several tokens (${pieces}); give one token`,
    );
  }

  /**
   * A text, or for BERT two, as the model reads it: BERT's between `[CLS]` and `[SEP]`.
   *
   * @throws {VitrailError} if it has no token, or more than the model's context
   */
  encode(text: string, second?: string): ProbedText {
    const shown = quoteName(text.length > 60 ? `${text.slice(0, 59)}…` : text);
    const { contextLength } = this.model.config;
    if (second !== undefined && this.family === "gpt2") {
      throw new VitrailError(
        `Cannot probe ${shown} with a second text: a GPT reads one; join them yourself`,
      );
    }
    const { ids, segments, offsets } = this.family === "bert"
      ? encodePair(this.tokenizer, text, second)
      : { ids: this.tokenizer.encode(text), segments: undefined, offsets: undefined };
    if (ids.length === 0) throw new VitrailError(`Cannot probe ${shown}: it has no token`);
    if (ids.length > contextLength) {
      throw new VitrailError(
        `Cannot probe ${shown}: it has ${ids.length} tokens, and the model's context is ` +
          `${contextLength}; shorten the text`,
      );
    }
    const tokens = Array.from(ids, (id) => this.token(id));
    return { text, second, ids, segments, offsets, tokens };
  }

  /**
   * Texts side by side, padded behind where their lengths differ. The tensors belong to the caller's
   * scope.
   */
  input(texts: readonly ProbedText[]): ProbeInput {
    const { device, config } = this.model;
    const T = Math.max(...texts.map(({ ids }) => ids.length));
    const padId = "padId" in config ? config.padId : 0;
    // No longer than the longest: a probe shows every place.
    const { shape, ids, segments, mask } = padSequences(texts, { padId, contextLength: T });
    return device.pool.together(() => {
      const input: ProbeInput = {
        ids: this.model.ids(ids, shape),
        mask: mask && device.upload(Float32Array.from(mask), shape),
      };
      if (this.family === "bert") input.segments = device.upload(Uint32Array.from(segments), shape);
      return input;
    });
  }
}

/**
 * Opens a GPT or BERT directory with its tokenizer.
 *
 * @throws {VitrailError} if a file is missing or damaged, or model and tokenizer do not belong together
 */
export async function loadSubject(
  device: Device,
  directory: string,
  options: { adapter?: string } = {},
): Promise<ProbeSubject> {
  const found = checkedModel({ model: directory, adapter: options.adapter });
  const tokenizer = await loadTokenizer(found.model);
  const load = modelFamily(found.model) === "gpt2" ? loadAdaptedGpt : loadAdaptedBert;
  const { model } = load(device, found.model, found.adapter);
  return handOver(model, () => new ProbeSubject(model, tokenizer));
}
