/**
 * `vitrail tag`: tags for the words of texts.
 *
 * @module
 */
import type { Command } from "commander";
import { areEntityTags, entitiesOf } from "../data/tags/tag_scores.ts";
import { readTaggedSentences } from "../data/tags/tagged_sentences.ts";
import { VitrailError } from "../errors.ts";
import { openDevice } from "../gpu/device.ts";
import { loadTagger, type TaggedWord, type Tagger } from "../inference/tag.ts";
import { column, scoresText, tellCutWords } from "./finetune_tag.ts";
import { checkGiven, givenTexts, type TextFlags } from "./given_texts.ts";
import { whole } from "./numbers.ts";
import { print } from "./printer.ts";
import { addTuneFlag, useTuned } from "./tuning.ts";

/** Values of the flags. */
interface Flags extends TextFlags {
  /** Use the winners of a tuner. */
  tune: boolean;
  model: string;
  adapter?: string;
  words: boolean;
  score: boolean;
  tokenColumn?: number;
  tagColumn?: number;
  topK: number;
  batch: number;
  json: boolean;
}

/** Adds the command to the program. */
export function addTag(program: Command): void {
  addTuneFlag(program.command("tag"))
    .description("tag the words of texts with a model that `finetune tag` made")
    .argument("[text...]", "the texts; see --data for files")
    .option("--model <directory>", "the model")
    .option("--adapter <directory>", "a LoRA adapter of it, ours or PEFT's")
    .option("--data <source>", "texts: .csv, .tsv, .jsonl, a line each of another file, or -")
    .option("--text-field <name>", "field or column of the text", "text")
    .option("--words", "texts are sentences whose words stand between blanks", false)
    .option("--score", "--data has tags (CoNLL, .jsonl, brown): tell how many are found", false)
    .option("--token-column <n>", "with --score: column of the words, from 1", column)
    .option("--tag-column <n>", "with --score: column of the tags, -1 for the last", column)
    .option("--top-k <n>", "tags for each word, the likeliest first", whole(1), 1)
    .option("--batch <n>", "sentences at once", whole(1), 16)
    .option("--json", "print a JSON object for each text", false)
    .action(async (texts: string[], flags: Flags) => {
      await runTag(texts, flags);
    });
}

async function runTag(given: string[], flags: Flags): Promise<void> {
  checkGiven(given, flags, "tag");
  if (flags.score && flags.data === undefined) {
    throw new VitrailError("Cannot score tags without right ones: give --data FILE with tags");
  }
  const device = await openDevice();
  useTuned(device, flags);
  try {
    const tagger = await loadTagger(device, flags.model, flags);
    if (flags.score) return await score(tagger, flags);
    for await (const texts of givenTexts(given, flags)) await show(tagger, texts, flags);
  } finally {
    device.destroy();
  }
}

/** Tags texts and prints them. */
async function show(tagger: Tagger, texts: string[], flags: Flags): Promise<void> {
  const { batch, topK } = flags;
  const options = { batch, topK, onCut: tellCutWords };
  const found = flags.words
    ? (await tagger.tagWords(texts.map((text) => text.trim().split(/\s+/)), options))
      .map((sentence) => [sentence])
    : await tagger.tagTexts(texts, options);
  const entities = areEntityTags(tagger.tags);
  found.forEach((sentences, i) => {
    if (!flags.json) return print(lines(sentences));
    const named = entities ? { entities: sentences.flatMap(entitiesIn) } : {};
    print(JSON.stringify({ text: texts[i], sentences, ...named }));
  });
}

/** A word a line with its tags, a blank line behind each sentence: CoNLL's columns. */
function lines(sentences: TaggedWord[][]): string {
  const row = ({ word, tag, score, tags = [{ tag, score }] }: TaggedWord): string =>
    [word, ...tags.flatMap((t) => [t.tag, t.score.toFixed(4)])].join("\t");
  return sentences.map((words) => words.map(row).join("\n") + "\n").join("\n");
}

/** The entities of a sentence; the score is that of the least sure of its words. */
function entitiesIn(words: TaggedWord[]): object[] {
  return entitiesOf(words.map(({ tag }) => tag)).map(({ type, begin, end }) => {
    const own = words.slice(begin, end + 1);
    const text = own.map(({ word }) => word).join(" ");
    const place = own[0].begin === undefined ? {} : { begin: own[0].begin };
    return { type, text, ...place, score: Math.min(...own.map((word) => word.score)) };
  });
}

/** Tags sentences whose tags are known, and prints how many were found. */
async function score(tagger: Tagger, flags: Flags): Promise<void> {
  const sentences = await readTaggedSentences(flags.data!, flags);
  const { batch } = flags;
  const scores = await tagger.evaluate(sentences, { batch, onCut: tellCutWords });
  print(
    flags.json ? JSON.stringify(scores) : `${scoresText(scores)} (${scores.words} words)`,
  );
}
