/**
 * The sentences of a source as token ids: those on disk if they are still right, or made anew.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";
import { openSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { type DocumentOptions, readDocuments } from "../sources/documents.ts";
import { hash, sourceState } from "../sources/fingerprint.ts";
import { encodeSentences, type SentenceCorpora, type SentenceCorpus } from "./sentence_corpus.ts";
import type { SentenceRule } from "../sources/sentences.ts";

/** How to prepare a source. */
export interface PrepareSentencesOptions extends DocumentOptions {
  /** Where the tokens are kept; it must be there. */
  directory: string;
  /** Where sentences end. */
  rule: SentenceRule;
  /** Part of the documents that is held out; default 0.1. */
  validationFraction?: number;
  /** Go on with the tokens that are there, even if the text has changed since or is gone. */
  resume?: boolean;
  /** Told after each document; `total` is about how many bytes of text there are, 0 if unknown. */
  onProgress?: (progress: { bytes: number; total: number; tokens: number }) => void;
}

/** Sentences, and how they came about. */
export interface PreparedSentences {
  /** The sentences of both sides. */
  corpora: SentenceCorpora;
  /** Whether they were on disk already. */
  reused: boolean;
  /** Whether the text, the tokenizer or an option is no longer what they were made of. */
  changed: boolean;
}

/** Name of the file within the directory. */
const FILE = "sentences.safetensors";
const SIDES = ["train", "validation"] as const;
const PARTS = ["ids", "sentences", "documents"] as const;

/**
 * Splits a source into sentences and encodes them, unless the directory holds them already: made of
 * the same files, with the same tokenizer and options. They are held in memory, four bytes a token.
 *
 * @throws {VitrailError} if the source cannot be read or the tokens cannot be written
 */
export async function prepareSentences(
  source: string,
  tokenizer: Tokenizer,
  options: PrepareSentencesOptions,
): Promise<PreparedSentences> {
  const { directory, rule, validationFraction = 0.1, textField = "text", resume } = options;
  const path = `${directory}/${FILE}`;
  const there = stored(path, tokenizer.vocabularySize);
  let found: Awaited<ReturnType<typeof sourceState>>;
  try {
    found = await sourceState(source);
  } catch (error) {
    if (resume && there) return { corpora: there.corpora, reused: true, changed: true };
    throw error;
  }
  const from = found.state === undefined ? undefined : await hash({
    text: found.state,
    tokenizer: await hash(tokenizer.toJson()),
    rule,
    validationFraction,
    textField,
  });
  if (there) {
    const same = from !== undefined && there.from === from;
    if (same || resume) {
      return { corpora: there.corpora, reused: true, changed: !same && from !== undefined };
    }
  }
  const corpora = await encodeSentences(readDocuments(source, { textField }), {
    encode: (sentence) => tokenizer.encode(sentence),
    rule,
    validationFraction,
    onProgress: (progress) => options.onProgress?.({ ...progress, total: found.bytes }),
  });
  const tensors = SIDES.flatMap((side) =>
    PARTS.map((part) => {
      const data = corpora[side][part];
      return { name: `${side}.${part}`, shape: [data.length], dtype: "U32" as const, data };
    })
  );
  await writeSafetensors(path, tensors, { metadata: { source, from: from ?? "" } });
  return { corpora, reused: false, changed: there !== undefined };
}

/** What is on disk; nothing if there is nothing, or it is damaged. */
function stored(
  path: string,
  vocabularySize: number,
): { corpora: SentenceCorpora; from: string } | undefined {
  try {
    using file = openSafetensors(path);
    const side = (name: string): SentenceCorpus => {
      const [ids, sentences, documents] = PARTS.map((part) => {
        const tensor = `${name}.${part}`;
        if (file.info(tensor).dtype !== "U32") throw new VitrailError(`${tensor} is damaged`);
        return new Uint32Array(file.readRaw(tensor).buffer);
      });
      return { ids, sentences, documents };
    };
    const corpora = { train: side("train"), validation: side("validation") };
    const whole = SIDES.every((name) => isWhole(corpora[name], vocabularySize));
    return whole ? { corpora, from: file.metadata.from } : undefined;
  } catch (error) {
    if (error instanceof VitrailError) return undefined;
    throw error;
  }
}

/** Whether sentences and documents follow one another up to the end, and all ids are known. */
function isWhole({ ids, sentences, documents }: SentenceCorpus, vocabularySize: number): boolean {
  const covers = (begins: Uint32Array, length: number): boolean =>
    begins[0] === 0 && begins.at(-1) === length &&
    begins.every((begin, i) => i === 0 || begin >= begins[i - 1]);
  return covers(sentences, ids.length) && covers(documents, sentences.length - 1) &&
    ids.every((id) => id < vocabularySize);
}
