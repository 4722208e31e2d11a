/**
 * Makes a set of questions in SQuAD's format from the Brown corpus.
 *
 * What it is: cloze questions. Each context is a few sentences in a row of one text. A question is a
 * stretch of one of these sentences in which a noun phrase is replaced by `what`; the phrase is the
 * answer. Nobody asked these questions, and the words around the gap stand in the context as they are:
 * to answer, a model must find them again and copy what is between. It shows that training, windows,
 * spans and scores work; it says nothing about understanding what is read. With `--impossible`, part of
 * the questions are about another place of the same text, so that their context has no answer.
 *
 * Usage: deno run --allow-read --allow-write=DIRECTORY scripts/make_brown_questions.ts \
 *   --out DIRECTORY [--impossible 0.2]
 *
 * @module
 */
import { parseArgs } from "node:util";
import { CORPORA, corpusFiles } from "../src/data/sources/corpora.ts";
import { holdOut } from "../src/data/hold_out.ts";
import { below, type Random, randomOf } from "../src/data/random.ts";

/** A word with Brown's tag. */
interface Word {
  text: string;
  tag: string;
}

/** What decides the set. */
export interface BrownQuestionOptions {
  /** Sentences of a context; default 3. */
  sentences?: number;
  /** Words of a question before the gap and behind it, at most; default 6. */
  around?: number;
  /** Part of the questions whose context has no answer; default 0. */
  impossible?: number;
  /** Seed of what is chosen. */
  seed?: number;
}

/** A question as SQuAD's JSON has it. */
interface Asked {
  id: string;
  question: string;
  answers: { text: string; answer_start: number }[];
  is_impossible?: boolean;
}

/** A paragraph of SQuAD's JSON. */
interface Paragraph {
  context: string;
  qas: Asked[];
}

const FIRST = /^(at|pp\$|dti?|cd|jj[rst]?|ap|od|np\$|nn|nns|np|nps)$/;
const MIDDLE = /^(jj[rst]?|vbn|cd|ap|od|nn\$|np\$|nn|nns|np|nps)$/;
const LAST = /^(nn|nns|np|nps)$/;

const bare = (tag: string): string => tag.replace(/-(tl|hl|nc)/g, "");

/** Noun phrases: determiner, adjectives and nouns up to the last noun; begin and end of each. */
export function nounPhrases(tags: readonly string[]): [number, number][] {
  const found: [number, number][] = [];
  for (let begin = 0; begin < tags.length; begin++) {
    if (!FIRST.test(tags[begin])) continue;
    let end = begin;
    let noun = LAST.test(tags[begin]) ? begin : -1;
    while (end + 1 < tags.length && MIDDLE.test(tags[end + 1])) {
      end++;
      if (LAST.test(tags[end])) noun = end;
    }
    if (noun < 0) continue;
    found.push([begin, noun + 1]);
    begin = noun;
  }
  return found;
}

/** A stretch of a sentence with a gap, and what was there. */
function askOf(
  words: readonly Word[],
  { around, random }: { around: number; random: Random },
): { question: string; answer: string } | undefined {
  const phrases = nounPhrases(words.map(({ tag }) => tag))
    .filter(([begin, end]) => end - begin <= 5 && words.length - (end - begin) >= 5);
  if (phrases.length === 0) return undefined;
  const [begin, end] = phrases[below(random, phrases.length)];
  const text = (from: number, to: number) => words.slice(from, to).map((w) => w.text);
  const question = [
    ...text(Math.max(0, begin - around), begin),
    "what",
    ...text(end, end + around),
  ].join(" ").replace(/[\s.;,?!]*$/, " ?");
  return { question, answer: text(begin, end).join(" ") };
}

/** The questions on one text, whose sentences are words with Brown's tags. */
export function questionsOn(
  name: string,
  sentences: readonly (readonly Word[])[],
  options: BrownQuestionOptions & { number?: number } = {},
): Paragraph[] {
  const { sentences: size = 3, around = 6, impossible = 0, seed = 0, number = 0 } = options;
  const random = randomOf(seed, number);
  const joined = (words: readonly Word[]): string => words.map((w) => w.text).join(" ");
  const paragraphs: Paragraph[] = [];
  for (let from = 0; from + size <= sentences.length; from += size) {
    const context = sentences.slice(from, from + size).map(joined).join(" ");
    const qas: Asked[] = [];
    for (let s = from; s < from + size; s++) {
      const id = `${name}-${s}`;
      if (random() < impossible) {
        const other = below(random, sentences.length);
        const asked = askOf(sentences[other], { around, random });
        // What is asked elsewhere may by chance be answered here.
        if (!asked || context.includes(asked.answer) || other >= from && other < from + size) {
          continue;
        }
        qas.push({ id, question: asked.question, answers: [], is_impossible: true });
        continue;
      }
      const asked = askOf(sentences[s], { around, random });
      if (!asked) continue;
      const start = context.indexOf(` ${asked.answer} `) + 1;
      // An answer that stands there twice, or with a mark behind it, would have two places.
      if (start === 0 || context.indexOf(asked.answer) !== start) continue;
      if (context.indexOf(asked.answer, start + 1) >= 0) continue;
      const answers = [{ text: asked.answer, answer_start: [...context.slice(0, start)].length }];
      qas.push({ id, question: asked.question, answers });
    }
    if (qas.length > 0) paragraphs.push({ context, qas });
  }
  return paragraphs;
}

/** The sentences of a file of the corpus; its doubled quotes are `"`. */
function wordsOf(text: string): Word[][] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "").map((line) =>
    line.split(/\s+/).map((word) => {
      const cut = word.lastIndexOf("/");
      const plain = word.slice(0, cut).replace(/^(``|'')$/, '"');
      return { text: plain, tag: bare(word.slice(cut + 1)) };
    })
  );
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      out: { type: "string" },
      impossible: { type: "string", default: "0" },
      sentences: { type: "string", default: "3" },
      fraction: { type: "string", default: "0.1" },
      seed: { type: "string", default: "0" },
    },
  });
  if (!values.out) throw new Error("give --out DIRECTORY");
  const options = {
    impossible: Number(values.impossible),
    sentences: Number(values.sentences),
    seed: Number(values.seed),
  };
  const files = await corpusFiles("brown");
  const articles = files.map((file, number) => {
    const text = Deno.readTextFileSync(file);
    const title = file.pathname.split("/").at(-1)!;
    const paragraphs = questionsOn(title, wordsOf(text), { ...options, number });
    return { title, paragraphs, group: CORPORA.brown.clean(text) };
  });
  // As a language model's text is split: what is held out here, pre-training has not seen either.
  const sides = await holdOut(articles, Number(values.fraction));
  Deno.mkdirSync(values.out, { recursive: true });
  for (const [side, data] of Object.entries(sides)) {
    const questions = data.flatMap(({ paragraphs }) => paragraphs.flatMap(({ qas }) => qas));
    const version = options.impossible > 0 ? "v2.0" : "1.1";
    const json = { version, data: data.map(({ title, paragraphs }) => ({ title, paragraphs })) };
    Deno.writeTextFileSync(`${values.out}/${side}.json`, JSON.stringify(json));
    console.log(`${values.out}/${side}.json: ${questions.length} questions, ${data.length} texts`);
  }
}
