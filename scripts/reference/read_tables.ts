/**
 * Reads the tables that `read_tables.py` wrote, and says which are read otherwise than by Python, or
 * refused without naming file and fault.
 *
 *     deno run --allow-read read_tables.ts FOLDER
 *
 * @module
 */
import { readLabelledTexts } from "../../src/data/labels/labelled_texts.ts";

/** A file and its right readings. */
interface Case {
  name: string;
  kind: string;
  right: [text: string, label: string][][];
  broken: boolean;
}

const [folder] = Deno.args;
const cases: Case[] = JSON.parse(Deno.readTextFileSync(`${folder}/cases.json`));
const counts = { read: 0, refused: 0, wrong: 0 };
for (const { name, kind, right, broken } of cases) {
  const wrong = (what: string): void => {
    counts.wrong++;
    console.log(`${name} (${kind}): ${what}`);
  };
  try {
    const { examples } = await readLabelledTexts(`${folder}/${name}`);
    const found = JSON.stringify(examples.map(({ text, labels }) => [text, labels[0]]));
    // A record whose text is empty is left out.
    const wanted = right.map((rows) => JSON.stringify(rows.filter(([text]) => text.trim() !== "")));
    if (wanted.includes(found)) counts.read++;
    else wrong(`read ${found}, wanted ${wanted.join(" or ") || "a refusal"}`);
  } catch (error) {
    const { message, name: kindOfError } = error as Error;
    if (kindOfError !== "VitrailError" || !message.includes(name) || message.includes("\n")) {
      wrong(`failed with ${error}`);
    } else if (!broken) wrong(`refused: ${message}`);
    else counts.refused++;
  }
}
console.log(`${counts.read} read right, ${counts.refused} refused, ${counts.wrong} wrong`);
if (counts.wrong > 0) Deno.exit(1);
