/**
 * How well words were tagged: by the word, and by the entity where tags are parts of entities.
 *
 * @module
 */
import { VitrailError } from "../../errors.ts";

/** Precision, recall and their harmonic mean; 0 where nothing was there to divide by. */
export interface EntityScore {
  /** Part of the entities found that are right. */
  precision: number;
  /** Part of the entities there that were found. */
  recall: number;
  /** 2·precision·recall / (precision + recall). */
  f1: number;
  /** Entities that are there. */
  support: number;
}

/** Figures of tagged sentences. */
export interface TagScores {
  /** Part of the words whose tag is right. */
  accuracy: number;
  /** Words. */
  words: number;
  /** Of entities, where tags are `O` and `B-…`, `I-…` (BIO, IOB2), also `E-…`, `S-…` (IOBES). */
  entities?: EntityScore & { types: Record<string, EntityScore> };
  /** What could not be divided, and counts as 0; absent where nothing is undefined. */
  notes?: string[];
}

/** A run of words that is one thing. */
export interface Entity {
  /** What it is: `PER` of `B-PER`. */
  type: string;
  /** Its first word. */
  begin: number;
  /** Its last word. */
  end: number;
}

/** Whether tags are parts of entities: all of them are `O`, or a part and a type. */
export function areEntityTags(tags: Iterable<string>): boolean {
  let parts = 0;
  for (const tag of tags) {
    if (/^[BIES]-./.test(tag)) parts++;
    else if (tag !== "O") return false;
  }
  return parts > 0;
}

/**
 * The entities that a sentence's tags stand for, as the script of CoNLL-2000 and seqeval's default read
 * them: an entity begins at B or S, where the type changes, and at I or E after anything but B or I; it
 * ends after E or S, and before all that is no I or E of its type.
 */
export function entitiesOf(tags: readonly string[]): Entity[] {
  const found: Entity[] = [];
  let open: Entity | undefined;
  let before = "O";
  tags.forEach((tag, i) => {
    const [part, type] = [tag[0], tag.slice(2)];
    const continues = open?.type === type && (part === "I" || part === "E") &&
      (before === "B" || before === "I");
    if (open && continues) open.end = i;
    else if (part === "O") open = undefined;
    else found.push(open = { type, begin: i, end: i });
    before = part;
  });
  return found;
}

function scoreOf(right: number, found: number, there: number): EntityScore {
  const precision = found > 0 ? right / found : 0;
  const recall = there > 0 ? right / there : 0;
  const f1 = right > 0 ? 2 * right / (found + there) : 0;
  return { precision, recall, f1, support: there };
}

/**
 * Compares tags with those that are right.
 *
 * Over all entities, precision and recall are those of the whole (micro average). Where there is no
 * entity, F1 is 0 as in seqeval, and a note says so.
 *
 * @param wanted the right tags, sentence by sentence
 * @param found as many, in the same order
 * @param options.tags all tags that there are: they say whether tags are parts of entities, where these
 * sentences have none
 * @throws {VitrailError} if there are not as many
 */
export function scoreTags(
  wanted: readonly (readonly string[])[],
  found: readonly (readonly string[])[],
  options: { tags?: readonly string[] } = {},
): TagScores {
  let [right, words] = [0, 0];
  if (wanted.length !== found.length) {
    throw new VitrailError(
      `Cannot compare tags: ${wanted.length} sentences are right, ${found.length} were found; ` +
        "wanted as many",
    );
  }
  wanted.forEach((tags, s) => {
    if (tags.length !== found[s].length) {
      throw new VitrailError(
        `Cannot compare tags: sentence ${s} has ${tags.length} words, ${found[s].length} were ` +
          "tagged; wanted as many",
      );
    }
    words += tags.length;
    tags.forEach((tag, i) => right += tag === found[s][i] ? 1 : 0);
  });
  const accuracy = words > 0 ? right / words : 0;
  const notes = words > 0 ? [] : ["no word is tagged: accuracy is undefined and counts as 0"];
  const tags = new Set([...options.tags ?? [], ...wanted.flat(), ...found.flat()]);
  const parts = areEntityTags(tags) || tags.size === 1 && tags.has("O");
  const entities = parts ? scoreEntities(wanted, found) : undefined;
  if (entities?.support === 0) {
    notes.push("the right tags have no entity: recall is undefined, and F1 counts as 0");
  }
  return { accuracy, words, ...entities && { entities }, ...notes.length > 0 && { notes } };
}

function scoreEntities(
  wanted: readonly (readonly string[])[],
  found: readonly (readonly string[])[],
): EntityScore & { types: Record<string, EntityScore> } {
  const counts = new Map<string, { right: number; found: number; there: number }>();
  const of = (type: string) => {
    let count = counts.get(type);
    if (!count) counts.set(type, count = { right: 0, found: 0, there: 0 });
    return count;
  };
  wanted.forEach((tags, s) => {
    const key = ({ type, begin, end }: Entity): string => `${begin} ${end} ${type}`;
    const there = entitiesOf(tags);
    const keys = new Set(there.map(key));
    for (const { type } of there) of(type).there++;
    for (const entity of entitiesOf(found[s])) {
      of(entity.type).found++;
      if (keys.has(key(entity))) of(entity.type).right++;
    }
  });
  const sum = (part: "right" | "found" | "there"): number =>
    [...counts.values()].reduce((total, count) => total + count[part], 0);
  const types = [...counts].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([type, c]) => [type, scoreOf(c.right, c.found, c.there)]);
  return {
    ...scoreOf(sum("right"), sum("found"), sum("there")),
    types: Object.fromEntries(types),
  };
}
