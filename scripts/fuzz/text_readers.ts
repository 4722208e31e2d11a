/**
 * Readers of a user's own files: texts, tables, labels, tags, questions, templates, shaders.
 *
 * @module
 */
import { givenPairs } from "../../src/cli/given_pairs.ts";
import { readShader } from "../../src/cli/profile_kernel.ts";
import { readQuestionAnswers, readQuestions } from "../../src/data/answers/question_answers.ts";
import { hasExamples, readExamples } from "../../src/data/completions/completions.ts";
import { readPromptTemplates } from "../../src/data/completions/prompt_templates.ts";
import { readLabelledTexts } from "../../src/data/labels/labelled_texts.ts";
import { readDocuments } from "../../src/data/sources/documents.ts";
import { readTexts } from "../../src/data/sources/texts.ts";
import { readTaggedSentences } from "../../src/data/tags/tagged_sentences.ts";
import { readJsonObject } from "../../src/formats/json_file.ts";
import { parseTests } from "../../src/probes/bias/word_sets.ts";
import { resourcesOf } from "../../src/profiling/own_shader.ts";
import { TEXT } from "./tokenizer_seeds.ts";
import { type Contents, files, type Reader, ROOT } from "./reader.ts";

const drain = async (texts: AsyncIterable<unknown>): Promise<void> => {
  let count = 0;
  for await (const _ of texts) if (++count > 100_000) throw new Error("more texts than bytes");
};

/** Readers of a user's own files. */
export function textReaders(): Reader[] {
  const found: Reader[] = [];
  const add = (name: string, contents: Reader["files"], read: Reader["read"]): void =>
    void found.push({ name, files: contents, read });
  const list = (
    path: string,
    name: string,
    contents: Contents,
    read: (path: string) => unknown,
  ): void => add(name, files({ [path]: contents }), (d) => read(`${d}/${path}`));
  list("a.txt", "text", `${TEXT}\r\n\n`.repeat(9), (p) => drain(readDocuments(p)));
  list(
    "a.jsonl",
    "JSONL of texts",
    '{"text":"one"}\n{"text":"two","id":3}\n\n{"text":"three"}\n',
    (p) => drain(readDocuments(p)),
  );
  list("b.jsonl", "single texts", '{"text":"one"}\n{"text":"two"}\n', (p) => drain(readTexts(p)));
  const csv = 'text,label\nCall me Ishmael,yes\n"a ""quoted"", text\nof two lines",no\nc,yes\n';
  const labelled = async (p: string) => {
    const { examples, labels, kind } = await readLabelledTexts(p);
    if (kind === "single" && examples.some((e) => !labels.includes(String(e.labels[0])))) {
      return "a label is lost";
    }
  };
  list("a.csv", "CSV of labels", csv, labelled);
  list("a.tsv", "TSV of labels", csv.replaceAll(",", "\t").replaceAll('"', ""), labelled);
  const paired = async (p: string) => {
    const { examples } = await readLabelledTexts(p, { textField: "a,b" });
    if (examples.some(({ pair }) => typeof pair !== "string")) return "a second text is lost";
  };
  list("p.csv", "CSV of pairs", 'b;label;a\none;1;"two; ""three"""\nfour;10;five\n', paired);
  const pairs = [{ a: "x", b: "y", label: 0 }, { a: "", b: "z", label: "s" }];
  list("p.json", "JSON list of pairs", pairs, paired);
  list(
    "c.jsonl",
    "JSONL of labels",
    '{"text":"one","label":"a"}\n{"text":"two","label":"b"}\n{"text":"x","label":3}\n{"text":"y","label":true}\n',
    labelled,
  );
  list(
    "d.jsonl",
    "completions",
    '{"prompt":"p","completion":"c"}\n{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}\n',
    (p) => {
      hasExamples(p);
      readExamples(p);
    },
  );
  const tagged = async (p: string) => {
    for (const { tokens, tags } of await readTaggedSentences(p)) {
      if (tokens.length !== tags.length) return "tags differ";
    }
  };
  list("a.conll", "CoNLL", "-DOCSTART- -X- O\n\nCall VB\nme PRP\n\nIshmael NNP\n. .\n", tagged);
  list(
    "a.conllu",
    "CoNLL-U",
    "# newdoc\n1\tCall\tcall\tVERB\tVB\t_\t0\troot\t_\t_\n1-2\tmeI\t_\t_\t_\t_\t_\t_\t_\t_\n2\tme\tI\tPRON\tPRP\t_\t1\tobj\t_\t_\n\n",
    tagged,
  );
  list(
    "e.jsonl",
    "JSONL of tags",
    '{"tokens":["a","word"],"tags":["DET","NOUN"]}\n{"tokens":["b"],"tags":["X"],"document":"d"}\n',
    tagged,
  );
  const squad = {
    version: "v2.0",
    data: [{
      title: "t",
      paragraphs: [{
        context: "😀 Lima is the capital of Peru.",
        qas: [
          {
            id: "1",
            question: "What is the capital?",
            answers: [{ text: "Lima", answer_start: 2 }],
          },
          { id: "2", question: "Who?", is_impossible: true, answers: [], plausible_answers: [] },
        ],
      }],
    }],
  };
  const answered = async (p: string) => {
    for (const { context, answers } of await readQuestionAnswers(p)) {
      for (const { text, begin } of answers) {
        if (context.slice(begin, begin + text.length) !== text) return "an answer is elsewhere";
      }
    }
  };
  list("squad.json", "SQuAD", squad, answered);
  const { context } = squad.data[0].paragraphs[0];
  const rows = [
    { text: ["Lima"], answer_start: [2] },
    { text: [], answer_start: [] },
    [{ text: "Peru", answer_start: 25 }],
  ].map((answers, i) => JSON.stringify({ id: `${i}`, context, question: "What?", answers }));
  list("rows.jsonl", "rows of SQuAD", rows.join("\n") + "\n", answered);
  list(
    "f.jsonl",
    "questions",
    '{"question":"What?","context":"That."}\n{"id":3,"question":"Who?","context":"She."}\n',
    (p) => readQuestions(p).then(() => {}),
  );
  list(
    "t.json",
    "prompt templates",
    { spam: "Dear {label},\n", "*": "{text} {score}\n" },
    (p) => void readPromptTemplates(p),
  );
  list(
    "g.jsonl",
    "pairs",
    '{"clean":"a b","corrupted":"a c","right":"b","wrong":"c","place":-1}\n{"clean":"x","corrupted":"y"}\n',
    (p) => void givenPairs([], { data: p }),
  );
  list(
    "w.json",
    "word sets",
    JSON.parse(Deno.readTextFileSync(new URL("src/probes/bias/weat_sets.json", ROOT))),
    (p) => void parseTests(readJsonObject(p), p, false),
  );
  list(
    "a.wgsl",
    "a shader",
    Deno.readTextFileSync(new URL("shaders/add.wgsl", ROOT)),
    (p) => void resourcesOf(readShader(p).source),
  );
  return found;
}
